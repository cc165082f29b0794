/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/tokens.h"
#include "base/assert.h"

#define A "0123456789abcdef"
#define B "fedcba9876543210"

struct place {
    char folder[64], path[96];
};

static struct place place_new(void)
{
    struct place p = {.folder = "/tmp/pinion-tokens-XXXXXX"};

    assert_non_null(mkdtemp(p.folder));
    snprintf(p.path, sizeof p.path, "%s/token", p.folder);
    return p;
}

static void place_free(const struct place *p)
{
    unlink(p->path);
    assert_int_equal(rmdir(p->folder), 0);
}

static void place_write(const struct place *p, const char *text, mode_t mode)
{
    int fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void refused(const struct place *p, const char *why)
{
    char error[256];
    struct admin_tokens *t = admin_tokens_load(p->path, error, sizeof error);

    assert_null(t);
    assert_non_null(strstr(error, p->path));
    if (!strstr(error, why)) fail_msg("%s: not %s", error, why);
}

static int parse(const char *text, struct admin_tokens *t)
{
    char error[256];
    return admin_tokens_parse(t, bytes_str(text), error, sizeof error);
}

static void a_file_has_a_token_in_each_line(void **state)
{
    struct admin_tokens t;

    (void)state;
    assert_int_equal(parse("# old and new\n" A "\r\n\n" B, &t), 0);
    assert_int_equal(t.n, 2);
    assert_true(admin_tokens_know(&t, BYTES(A)));
    assert_true(admin_tokens_know(&t, BYTES(B)));
    assert_false(admin_tokens_know(&t, BYTES(A "\r")));
    assert_false(admin_tokens_know(&t, BYTES(A B)));
    assert_false(admin_tokens_know(&t, BYTES("0123456789abcde")));
    assert_false(admin_tokens_know(&t, BYTES("")));
    assert_false(admin_tokens_know(&t, bytes_of(NULL, 0)));
    assert_false(admin_tokens_know(&t, BYTES("# old and new")));
}

static void bad_files_are_refused_whole(void **state)
{
    static const char *const texts[] = {
        "", "\n\n", "# " A "\n", "short\n", A "\nshort\n", A " \n", A "\t\n", A "\x7f\n",
    };
    struct admin_tokens t;
    char many[TOKENS_MAX * 20 + 40] = "";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (parse(texts[i], &t) >= 0) fail_msg("%zu", i);
    for (unsigned i = 0; i < TOKENS_MAX; i++)
        strcat(many, A "\n");
    assert_int_equal(parse(many, &t), 0);
    strcat(many, A "\n");
    assert_true(parse(many, &t) < 0);
}

static void a_token_is_made_where_there_is_none(void **state)
{
    struct place p = place_new();
    char error[256], text[128] = "";
    struct stat st;

    (void)state;
    struct admin_tokens *t = admin_tokens_load(p.path, error, sizeof error);
    assert_non_null(t);
    assert_int_equal(t->n, 1);
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = open(p.path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text - 1), 65);
    close(fd);
    assert_true(admin_tokens_know(t, bytes_of(text, 64)));
    admin_tokens_free(&t);

    t = admin_tokens_load(p.path, error, sizeof error); /* the same the next time */
    assert_non_null(t);
    assert_true(admin_tokens_know(t, bytes_of(text, 64)));
    admin_tokens_free(&t);
    place_free(&p);
}

static void two_made_tokens_differ(void **state)
{
    struct place p = place_new(), q = place_new();
    char error[256];

    (void)state;
    struct admin_tokens *a = admin_tokens_load(p.path, error, sizeof error);
    struct admin_tokens *b = admin_tokens_load(q.path, error, sizeof error);
    assert_memory_not_equal(a->digest[0], b->digest[0], TOKEN_DIGEST);
    admin_tokens_free(&a);
    admin_tokens_free(&b);
    place_free(&p);
    place_free(&q);
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0620, 0666, 0601};
    struct place p = place_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        place_write(&p, A "\n", modes[i]);
        refused(&p, "chmod 600");
    }
    place_free(&p);
}

static void what_is_no_file_is_refused(void **state)
{
    struct place p = place_new();

    (void)state;
    assert_int_equal(mkdir(p.path, 0700), 0);
    refused(&p, "");
    assert_int_equal(rmdir(p.path), 0);
    assert_int_equal(mkfifo(p.path, 0600), 0);
    refused(&p, "is no plain file");
    unlink(p.path);
    assert_int_equal(symlink("/dev/null", p.path), 0);
    refused(&p, "");
    unlink(p.path);
    assert_int_equal(symlink("nowhere", p.path), 0); /* nothing is made behind it */
    refused(&p, "");
    place_free(&p);
}

static void a_bad_line_is_named(void **state)
{
    struct place p = place_new();

    (void)state;
    place_write(&p, "# a\n" A "\nbad\n", 0600);
    refused(&p, "line 3");
    place_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_a_token_in_each_line),
        cmocka_unit_test(bad_files_are_refused_whole),
        cmocka_unit_test(a_token_is_made_where_there_is_none),
        cmocka_unit_test(two_made_tokens_differ),
        cmocka_unit_test(a_file_that_others_may_read_is_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_bad_line_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
