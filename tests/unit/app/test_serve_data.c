/* SPDX-License-Identifier: BSD-3-Clause */
/* test_serve_data.c -- the broker as a whole over a data directory: what is found there at a start,
 * and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/client/client.h"
#include "app/serve/serve.h"
#include "base/assert.h"
#include "base/err.h"

enum { ASSIGN = 8 };

struct broker_here {
    struct options options;
    struct serve serve;
    char error[OPTIONS_ERROR];
    int err;
};

static char root[] = "/tmp/pinion-test-XXXXXX";
static char data_dir[64];

/* With settings of its own, NULL behind the last. */
static struct broker_here *start(const char *const *more)
{
    struct broker_here *b = calloc(1, sizeof *b);
    char dir[96];
    const char *assign[ASSIGN] = {"listeners=127.0.0.1:0", "log.level=error", "data.segment=65536",
                                  "mqtt.packet=4096", "mqtt.topic_bytes=1024"};
    unsigned n = 5;

    assert_non_null(b);
    snprintf(dir, sizeof dir, "data.dir=%s", data_dir);
    assign[n++] = dir;
    for (; *more; more++)
        assign[n++] = *more;
    if (options_load(&b->options, &(struct option_args){.assign = assign, .nassign = n}) < 0)
        fail_msg("%s", b->options.error);
    b->err = serve_start(&b->serve, &b->options, -1, b->error);
    return b;
}

#define START(...) start((const char *const[]){__VA_ARGS__, NULL})

static void stop(struct broker_here *b)
{
    if (serve_stop(&b->serve, b->error) < 0 && b->err == 0) fail_msg("%s", b->error);
    options_fini(&b->options);
    free(b);
}

static void assert_refused(struct broker_here *b, int err, const char *const *told)
{
    for (; *told; told++)
        if (b->err != err || !strstr(b->error, *told)) fail_msg("%d %s", b->err, b->error);
    stop(b);
}

#define REFUSED(b, err, ...) assert_refused(b, err, (const char *const[]){__VA_ARGS__, NULL})

static char *banner(const struct broker_here *b)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    assert_non_null(out);
    banner_print(&b->serve, out);
    fclose(out);
    return text;
}

/* One byte of a file becomes another. */
static void flip(const char *name, long offset)
{
    char path[160];

    snprintf(path, sizeof path, "%s/%s", data_dir, name);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, offset, SEEK_SET);
    int c = fgetc(f);
    fseek(f, offset, SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static void a_new_directory_is_laid_out_and_found_again(void **state)
{
    static const char *const engines[] = {"data.engine=auto", "data.engine=threads"};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct broker_here *b = START("cores=2", engines[i % 2]);
        if (b->err) fail_msg("%s", b->error);
        assert_int_equal(b->serve.data.dir.generation, 1);
        assert_int_equal(b->serve.data.dir.cores, 2);
        char *text = banner(b);
        assert_non_null(strstr(text, data_dir));
        assert_non_null(strstr(text, ", commit, by "));
        if (i % 2) assert_non_null(strstr(text, "by helper threads"));
        assert_non_null(strstr(text, "0 sessions, 0 waiting and 0 retained messages"));
        free(text);
        stop(b);
    }
}

/* Homes and owners stay where they are; what is drawn by lot does not come again. */
static void placement_is_the_datas_and_luck_is_not(void **state)
{
    uint64_t seed = 0, luck = 0;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct broker_here *b = START("cores=1");
        assert_int_equal(b->err, 0);
        if (i) assert_true(b->serve.seed == seed);
        assert_true(b->serve.luck != luck && b->serve.luck != b->serve.seed);
        seed = b->serve.seed;
        luck = b->serve.luck;
        stop(b);
    }
}

static void a_directory_in_use_is_refused(void **state)
{
    struct broker_here *first = START("cores=1");

    (void)state;
    assert_int_equal(first->err, 0);
    REFUSED(START("cores=1"), -ERR_BUSY, "data.dir: ", data_dir, "in use by another Pinion");
    stop(first);
}

static void what_is_no_data_directory_is_refused(void **state)
{
    struct broker_here *b;
    char set[128];

    (void)state;
    snprintf(set, sizeof set, "data.dir=%s/file", root);
    char *path = strchr(set, '/');
    fclose(fopen(path, "w"));
    b = START("cores=1", set);
    assert_true(b->err < 0);
    REFUSED(b, b->err, "data.dir: ", path, "Not a directory");
    snprintf(set, sizeof set, "data.dir=%s/no/such", root);
    b = START("cores=1", set);
    assert_true(b->err < 0);
    REFUSED(b, b->err, "data.dir: ", "/no/such", "No such file");
}

static void another_version_is_refused(void **state)
{
    char path[96];

    (void)state;
    stop(START("cores=1"));
    snprintf(path, sizeof path, "%s/layout", data_dir);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fputs("pinion data, format 9\n", f);
    fclose(f);
    REFUSED(START("cores=1"), -ERR_UNSUPPORTED, "data.dir: ", "format 9");
}

static void damage_is_refused_with_its_place_and_what_to_do(void **state)
{
    (void)state;
    stop(START("cores=2"));
    flip("core-1.1/00000001.log", 3); /* of the header */
    REFUSED(START("cores=2"), -ERR_CORRUPT, "data.dir: ", data_dir, "core 1, 00000001.log",
            "pinion log check", "data.salvage: true");
    struct broker_here *b = START("cores=2", "data.salvage=true");
    if (b->err) fail_msg("%s", b->error);
    stop(b);
}

static void a_port_in_use_is_told_before_anything_is_read(void **state)
{
    struct broker_here *first = START("cores=1");
    char set[64] = "listeners=", address[SOCK_ADDR_TEXT];

    (void)state;
    assert_int_equal(first->err, 0);
    strcat(set, sock_addr_text(&first->serve.listener[0].addr, address));
    REFUSED(START("cores=1", set), -ERR_BUSY, "listeners: ");
    stop(first);
}

/* ---- while it runs ------------------------------------------------------------------------- */

static void open_client(struct client *c, const struct broker_here *b)
{
    static char text[SOCK_ADDR_TEXT];
    struct client_options o = {.host = "127.0.0.1", .version = MQTT_V5, .keep_alive_s = 60};

    sock_addr_text(&b->serve.listener[0].addr, text);
    o.port = strrchr(text, ':') + 1;
    if (client_open(c, &o) < 0) fail_msg("%s", c->error);
}

static int retain_one(struct client *c)
{
    struct mqtt_publish_out p = {
        .topic = BYTES("t"), .payload = BYTES("x"), .qos = 1, .retain = true};
    return client_publish(c, &p);
}

/* Every file of the log that is open becomes one that takes nothing. */
static void break_disk(void)
{
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);

    assert_true(full >= 0);
    for (int fd = 3; fd < 256; fd++) {
        char link[32], path[256];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n < 4 || memcmp(path + n - 4, ".log", 4) != 0) continue;
        assert_true(dup2(full, fd) == fd);
    }
    close(full);
}

static uint64_t count_of(const struct broker_here *b, enum counter c)
{
    return counter_read(&b->serve.cores[0].core.counters, c);
}

static void what_is_acknowledged_is_on_disk(void **state)
{
    static const char *const engines[] = {"data.engine=auto", "data.engine=threads"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct broker_here *b = START("cores=1", engines[i]);
        struct client c;
        if (b->err) fail_msg("%s", b->error);
        open_client(&c, b);
        uint64_t before = count_of(b, C_log_records);
        assert_int_equal(retain_one(&c), 0);
        assert_true(count_of(b, C_log_records) > before);
        assert_true(count_of(b, C_log_commits) > 0);
        client_close(&c);
        stop(b);
    }
}

static void a_disk_that_fails_acknowledges_nothing_and_is_told(void **state)
{
    static const char *const engines[] = {"data.engine=auto", "data.engine=threads"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct broker_here *b = START("cores=1", engines[i]);
        struct client c;
        if (b->err) fail_msg("%s", b->error);
        open_client(&c, b);
        break_disk();
        assert_true(retain_one(&c) != 0);
        client_close(&c);
        assert_int_equal(count_of(b, C_log_failed), 1);
        assert_non_null(atomic_load(&b->serve.admin.failed));
        assert_true(serve_stop(&b->serve, b->error) == -ERR_STORAGE);
        assert_non_null(strstr(b->error, data_dir));
        options_fini(&b->options);
        free(b);
    }
}

/* ---- the place ------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    return at->level ? remove(path) : 0;
}

static int clear(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int make_root(void **state)
{
    (void)state;
    if (!mkdtemp(root)) return -1;
    snprintf(data_dir, sizeof data_dir, "%s/data", root);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_new_directory_is_laid_out_and_found_again, clear),
        cmocka_unit_test_teardown(placement_is_the_datas_and_luck_is_not, clear),
        cmocka_unit_test_teardown(a_directory_in_use_is_refused, clear),
        cmocka_unit_test_teardown(what_is_no_data_directory_is_refused, clear),
        cmocka_unit_test_teardown(another_version_is_refused, clear),
        cmocka_unit_test_teardown(damage_is_refused_with_its_place_and_what_to_do, clear),
        cmocka_unit_test_teardown(what_is_acknowledged_is_on_disk, clear),
        cmocka_unit_test_teardown(a_disk_that_fails_acknowledges_nothing_and_is_told, clear),
        cmocka_unit_test_teardown(a_port_in_use_is_told_before_anything_is_read, clear),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
