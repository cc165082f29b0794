/* SPDX-License-Identifier: BSD-3-Clause */
/* test_passwd_store.c -- a file is replaced as a whole or not at all, and by one at a time. */
#include "app/passwd/passwd_store.h"

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

#include "base/err.h"

struct place {
    char folder[64];
    char path[80], fresh[96], link[80];
};

static struct place place_new(void)
{
    struct place p = {.folder = "/tmp/pinion-test-XXXXXX"};
    assert_non_null(mkdtemp(p.folder));
    snprintf(p.path, sizeof p.path, "%s/passwords", p.folder);
    snprintf(p.fresh, sizeof p.fresh, "%s.new", p.path);
    snprintf(p.link, sizeof p.link, "%s/link", p.folder);
    return p;
}

static void place_end(const struct place *p)
{
    unlink(p->path);
    unlink(p->link);
    assert_int_equal(access(p->fresh, F_OK), -1); /* nothing is left behind */
    assert_int_equal(rmdir(p->folder), 0);
}

static void put(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static void holds(const char *path, const char *text, mode_t mode)
{
    char is[64] = "";
    struct stat st;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    is[fread(is, 1, sizeof is - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(is, text);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void a_new_file_is_its_owners_alone(void **state)
{
    struct place p = place_new();
    static struct passwd_store s;

    (void)state;
    assert_int_equal(passwd_store_open(&s, p.path, false), -ERR_ABSENT);
    assert_non_null(strstr(s.error, "No such file"));
    passwd_store_close(&s);
    assert_int_equal(passwd_store_open(&s, p.path, true), 0);
    assert_true(s.is_new && s.text.text.n == 0);
    assert_int_equal(passwd_store_commit(&s, BYTES("a:H\n")), 0);
    passwd_store_close(&s);
    holds(p.path, "a:H\n", 0600);
    place_end(&p);
}

static void a_file_is_read_and_replaced_and_keeps_no_more_rights_than_it_needs(void **state)
{
    static const mode_t modes[][2] = {
        {0600, 0600}, {0640, 0640}, {0644, 0640}, {0666, 0640}, {0400, 0400}};
    static struct passwd_store s;

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct place p = place_new();
        put(p.path, "old", modes[i][0]);
        assert_int_equal(passwd_store_open(&s, p.path, false), 0);
        assert_true(bytes_eq(s.text.text, BYTES("old")));
        assert_int_equal(passwd_store_commit(&s, BYTES("new")), 0);
        passwd_store_close(&s);
        holds(p.path, "new", modes[i][1]);
        place_end(&p);
    }
}

static void without_a_commit_all_is_as_it_was(void **state)
{
    struct place p = place_new();
    static struct passwd_store s;

    (void)state;
    put(p.path, "old", 0600);
    assert_int_equal(passwd_store_open(&s, p.path, false), 0);
    passwd_store_close(&s);
    holds(p.path, "old", 0600);
    place_end(&p);
}

static void only_one_at_a_time_may_change_it(void **state)
{
    struct place p = place_new();
    static struct passwd_store a, b;

    (void)state;
    put(p.path, "old", 0600);
    assert_int_equal(passwd_store_open(&a, p.path, false), 0);
    assert_int_equal(passwd_store_open(&b, p.path, false), -ERR_BUSY);
    assert_non_null(strstr(b.error, "passwords.new: it is there already"));
    passwd_store_close(&b); /* leaves the other's alone */
    assert_int_equal(access(p.fresh, F_OK), 0);
    assert_int_equal(passwd_store_commit(&a, BYTES("new")), 0);
    passwd_store_close(&a);
    assert_int_equal(passwd_store_open(&b, p.path, false), 0);
    assert_true(bytes_eq(b.text.text, BYTES("new")));
    passwd_store_close(&b);
    place_end(&p);
}

static void a_link_stays_one_and_what_it_means_changes(void **state)
{
    struct place p = place_new();
    static struct passwd_store s;
    struct stat st;

    (void)state;
    put(p.path, "old", 0600);
    assert_int_equal(symlink("passwords", p.link), 0);
    assert_int_equal(passwd_store_open(&s, p.link, false), 0);
    assert_int_equal(passwd_store_commit(&s, BYTES("new")), 0);
    passwd_store_close(&s);
    holds(p.path, "new", 0600);
    assert_int_equal(lstat(p.link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    place_end(&p);
}

static void the_owner_stays(void **state)
{
    struct place p = place_new();
    static struct passwd_store s;
    struct stat st;

    (void)state;
    if (geteuid() != 0) skip();
    put(p.path, "old", 0640);
    assert_int_equal(chown(p.path, 12345, 54321), 0);
    assert_int_equal(passwd_store_open(&s, p.path, false), 0);
    assert_int_equal(passwd_store_commit(&s, BYTES("new")), 0);
    passwd_store_close(&s);
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_uid, 12345);
    assert_int_equal(st.st_gid, 54321);
    holds(p.path, "new", 0640);
    place_end(&p);
}

static void a_folder_is_no_file(void **state)
{
    struct place p = place_new();
    static struct passwd_store s;

    (void)state;
    assert_int_equal(mkdir(p.path, 0700), 0);
    assert_true(passwd_store_open(&s, p.path, true) < 0);
    passwd_store_close(&s);
    assert_int_equal(rmdir(p.path), 0);
    assert_int_equal(passwd_store_open(&s, "/nowhere/at/all", true), -ERR_OS);
    passwd_store_close(&s);
    place_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_is_its_owners_alone),
        cmocka_unit_test(a_file_is_read_and_replaced_and_keeps_no_more_rights_than_it_needs),
        cmocka_unit_test(without_a_commit_all_is_as_it_was),
        cmocka_unit_test(only_one_at_a_time_may_change_it),
        cmocka_unit_test(a_link_stays_one_and_what_it_means_changes),
        cmocka_unit_test(the_owner_stays),
        cmocka_unit_test(a_folder_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
