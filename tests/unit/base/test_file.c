/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/pinion-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "four", 4), 4);
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static int try(size_t bytes_max, struct file_text *f)
{
    char error[256] = "";
    int err = file_read(f, path, bytes_max, error, sizeof error);
    if (err < 0 && !strstr(error, path)) fail_msg("\"%s\" does not name the file", error);
    return err;
}

static void file_is_read_up_to_its_bound(void **state)
{
    struct file_text f;
    (void)state;
    assert_int_equal(try(4, &f), 0);
    assert_true(bytes_eq(f.text, BYTES("four")));
    file_free(&f);
    assert_null(f.text.p);
    file_free(&f);
    assert_int_equal(try(3, &f), -ERR_TOO_LARGE);
    assert_null(f.text.p);
}

static void file_that_others_can_read_is_not_private(void **state)
{
    static const struct {
        mode_t mode;
        bool private;
    } rows[] = {{0600, true},  {0640, true},  {0400, true},
                {0644, false}, {0602, false}, {0660, false}};
    struct file_text f;
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        chmod(path, rows[i].mode);
        assert_int_equal(try(100, &f), 0);
        assert_int_equal(f.private, rows[i].private);
        file_free(&f);
    }
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    struct file_text f;
    (void)state;
    unlink(path);
    assert_int_equal(try(100, &f), -ERR_OS);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(try(100, &f), -ERR_INVALID);
    unlink(path);
    snprintf(path, sizeof path, "/dev/zero");
    assert_int_equal(try(100, &f), -ERR_INVALID);
    snprintf(path, sizeof path, "/tmp");
    assert_int_equal(try(100, &f), -ERR_INVALID);
    path[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_is_read_up_to_its_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_that_others_can_read_is_not_private, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
