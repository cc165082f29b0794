/* SPDX-License-Identifier: BSD-3-Clause */
/* test_log.c -- `pinion log` on a log that was written here, on real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "base/assert.h"
#include "broker/journal/record.h"
#include "store/crc32c.h"
#include "store/store.h"
#include "unit/app/stderr.h"

static char folder[] = "/tmp/pinion_test_log.XXXXXX";
static char path[96], segment[128];

static void append_entry(struct store *s)
{
    const struct record_entry r = {.sid = 7,
                                   .seq = 9,
                                   .body = {.pos = 1ull << 32 | 64, .bytes = 40},
                                   .qos = 1,
                                   .state = RECORD_SENT,
                                   .flight = 65536,
                                   .message_bytes = 15,
                                   .nsub_ids = 1,
                                   .sub_id = {5},
                                   .group = BYTES("$share/g/a/#")};
    struct record_buf b;
    record_put_entry(&b, &r);
    assert_int_equal(store_append(s, &b.put, NULL), 0);
}

static int write_log(void **state)
{
    static const struct clock clock;
    struct store_dir dir;
    struct disk *disk = disk_new_inline(store_io_linux());

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/data", folder);
    snprintf(segment, sizeof segment, "%s/core-0.1/00000001.log", path);
    assert_int_equal(store_dir_open(&dir, store_io_linux(), path, false), 0);
    const struct store_options o = {.io = store_io_linux(),
                                    .disk = disk,
                                    .dir = &dir,
                                    .generation = 1,
                                    .clock = &clock,
                                    .segment_bytes = 65536};
    struct store *s = store_new(&o);
    assert_int_equal(store_recover(s, &(struct store_replay){.ctx = NULL}), 0);
    assert_int_equal(store_dir_switch(&dir, 1, 1), 0);
    for (uint8_t i = 1; i <= 3; i++) {
        const struct bytes body = BYTES("the body.\n");
        const struct store_put p = {.type = i,
                                    .version = 1,
                                    .flags = i == 2 ? STORE_KEEP : 0,
                                    .key = BYTES("key"),
                                    .part = &body,
                                    .nparts = 1};
        assert_int_equal(store_append(s, &p, NULL), 0);
    }
    append_entry(s);
    assert_int_equal(store_close(&s), 0);
    disk_free(&disk);
    store_dir_close(&dir);
    return 0;
}

static int remove_log(void **state)
{
    char command[160];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* Runs "pinion log WORD..." and gives what it printed. */
static int run(char *said, size_t room, char **argv, int argc)
{
    FILE *out = tmpfile();
    int kept = dup(STDOUT_FILENO);
    assert_non_null(out);
    fflush(stdout);
    dup2(fileno(out), STDOUT_FILENO);
    int status = command_log.run(&command_log, argc, argv);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(out);
    said[fread(said, 1, room - 1, out)] = '\0';
    fclose(out);
    return status;
}

#define RUN(said, ...)                                                                             \
    run(said, sizeof(said), (char *[]){__VA_ARGS__},                                               \
        (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))

static void a_good_log_has_no_findings(void **state)
{
    char said[4096];
    (void)state;
    assert_int_equal(RUN(said, "check", path), EXIT_OK);
    assert_string_equal(said, "core 0: 4 records checked, 0 findings\n");
}

static void dump_shows_records_as_text_and_as_json(void **state)
{
    char said[4096];
    (void)state;
    assert_int_equal(RUN(said, "dump", path), EXIT_OK);
    assert_non_null(strstr(said, "type 2.1 kept  key \"key\"  10 bytes \"the body.\\x0a\""));
    assert_non_null(strstr(said,
                           "ENTRY  session 7  entry 9  body 00000001:64  qos 1  sent  as 65536"
                           "  packet 2  bytes 15  id 5  group \"$share/g/a/#\"\n"));
    assert_int_equal(RUN(said, "dump", "--json", path), EXIT_OK);
    assert_non_null(strstr(
        said, "{\"core\":0,\"where\":\"log\",\"segment\":1,\"offset\":64,\"bytes\":40,"
              "\"type\":1,\"name\":\"SESSION\",\"version\":1,\"kept\":false,\"key\":\"6b6579\","
              "\"body\":\"74686520626f64792e0a\"}\n"));
}

static void stat_counts_by_type(void **state)
{
    char said[4096];
    (void)state;
    assert_int_equal(RUN(said, "stat", path), EXIT_OK);
    assert_non_null(strstr(said, "core 0: 1 segments, 65536 bytes on disk"));
    assert_non_null(strstr(said, "kept                       1             40"));
    assert_int_equal(RUN(said, "stat", "-j", "-n", "0", path), EXIT_OK);
    assert_non_null(strstr(said, "\"records\":4,\"record_bytes\":200,\"kept_bytes\":40"));
    assert_non_null(strstr(said, "\"types\":{\"1\":{\"records\":1,\"bytes\":40},\"2\""));
}

static void damage_is_named_and_changes_the_exit_status(void **state)
{
    char said[4096], byte;
    int fd = open(segment, O_RDWR);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, 64 + 30), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 64 + 30), 1);
    assert_int_equal(RUN(said, "check", path), EXIT_FAILED);
    assert_non_null(strstr(said,
                           "damage: core 0, 00000001.log: at offset 64, 40 bytes: a record of "
                           "type 1 (40 bytes) whose content is damaged"));
    assert_non_null(strstr(said, "core 0: 3 records checked, 1 finding\n"));
    assert_int_equal(RUN(said, "check", "-j", path), EXIT_FAILED);
    assert_non_null(strstr(said, "{\"core\":0,\"finding\":\"damaged\",\"harmless\":false"));
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 64 + 30), 1);
    close(fd);
}

/* What is done to a copy, and what is said of it. */
static const struct {
    const char *command, *out, *err;
} harms[] = {
    {"rm core-0.1/00000001.log",
     "damage: core 0, 00000001.log: 1 segment is missing, from this one on", ""},
    {"rm -r core-0.1", "damage: core 0, core-0.1: the whole log is missing", ""},
    {"truncate -s 1000 core-0.1/00000001.log",
     "damage: core 0, 00000001.log: truncated: it has 1000 of 65536 bytes", ""},
    {"truncate -s 20 core-0.1/00000001.log", "damage: core 0, 00000001.log: its header is damaged",
     ""},
    {"sed -i 's/format 1/format 2/' layout", "",
     "pinion log: layout: the data has format 2, this program reads format 1"},
    {"sed -i 's/cores 1/cores 2/' layout", "", "pinion log: layout: damaged: its sum is wrong"},
};

static void each_harm_has_a_message_of_its_own(void **state)
{
    char copy[160], command[1024], said[4096];
    struct heard heard;
    (void)state;
    snprintf(copy, sizeof copy, "%s/copy", folder);
    for (size_t i = 0; i < ARRAY_LEN(harms); i++) {
        snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s' && cd '%s' && %s", copy,
                 path, copy, copy, harms[i].command);
        assert_int_equal(system(command), 0);
        hear_start(&heard);
        int status = RUN(said, "check", copy);
        const char *complaint = hear_end(&heard);
        assert_int_equal(status, EXIT_FAILED);
        if (!strstr(said, harms[i].out) || !strstr(complaint, harms[i].err))
            fail_msg("%s: \"%s\", \"%s\"", harms[i].command, said, complaint);
    }
}

static void write_version(uint16_t version)
{
    uint8_t head[64];
    int fd = open(segment, O_RDWR);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    head[8] = (uint8_t)(version >> 8);
    head[9] = (uint8_t)version;
    struct writer sum = wr_of(head + 60, 4);
    wr_u32be(&sum, crc32c(0, bytes_of(head, 60)));
    assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
    close(fd);
}

static void a_segment_of_another_version_is_refused_not_called_damaged(void **state)
{
    char said[4096];
    struct heard heard;
    (void)state;
    write_version(2);
    hear_start(&heard);
    int status = RUN(said, "check", path);
    const char *complaint = hear_end(&heard);
    write_version(1);
    assert_int_equal(status, EXIT_FAILED);
    assert_null(strstr(said, "damage"));
    assert_non_null(strstr(complaint, "core 0, 00000001.log: written by another version of the "
                                      "format; start the version that wrote it"));
    assert_int_equal(RUN(said, "check", path), EXIT_OK);
}

static void what_is_no_data_directory_is_refused(void **state)
{
    char said[4096];
    (void)state;
    assert_int_equal(RUN(said, "check", folder), EXIT_FAILED);
    assert_int_equal(RUN(said, "check", "/tmp/there/is/none"), EXIT_FAILED);
    assert_int_equal(RUN(said, "check"), EXIT_USAGE);
    assert_int_equal(RUN(said, "burn", path), EXIT_USAGE);
    assert_int_equal(RUN(said, "check", "-n", "1", path), EXIT_FAILED);
    assert_int_equal(RUN(said, "check", "-n", "x", path), EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_log_has_no_findings),
        cmocka_unit_test(dump_shows_records_as_text_and_as_json),
        cmocka_unit_test(stat_counts_by_type),
        cmocka_unit_test(damage_is_named_and_changes_the_exit_status),
        cmocka_unit_test(each_harm_has_a_message_of_its_own),
        cmocka_unit_test(a_segment_of_another_version_is_refused_not_called_damaged),
        cmocka_unit_test(what_is_no_data_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, write_log, remove_log);
}
