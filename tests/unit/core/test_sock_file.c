/* SPDX-License-Identifier: BSD-3-Clause */
/* Unix sockets that listen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "core/sock.h"

static char folder[] = "/tmp/pinion-test-XXXXXX";
static char path[64], text[80];

static struct sock_addr address(void)
{
    struct sock_addr a;
    assert_int_equal(sock_addr_parse(&a, text), 0);
    return a;
}

static struct sock_file opened(mode_t mode)
{
    struct sock_addr a = address();
    struct sock_file f;
    assert_int_equal(sock_file_open(&f, &a, mode, (gid_t)-1), 0);
    return f;
}

static int knock(void)
{
    struct sock_addr a = address();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&a.ss, a.len) == 0) return fd;
    close(fd);
    return -1;
}

static void an_address_is_a_path_from_the_root_and_reads_as_it_is_written(void **state)
{
    static const char *const wrong[] = {"unix:", "unix:a.sock", "unix:./a", "unix:/", "unix:/a/"};
    char longest[160] = "unix:/", out[SOCK_ADDR_TEXT];
    struct sock_addr a;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(sock_addr_parse(&a, wrong[i]), -ERR_INVALID);
    memset(longest + 6, 'x', 106);
    assert_int_equal(sock_addr_parse(&a, longest), 0);
    assert_string_equal(sock_addr_text(&a, out), longest);
    longest[112] = 'x';
    assert_int_equal(sock_addr_parse(&a, longest), -ERR_INVALID);
}

static void a_client_comes_in_and_is_known_by_its_user(void **state)
{
    struct sock_file f = opened(0600);
    struct sock_addr peer;
    int far = knock();

    (void)state;
    assert_true(far >= 0);
    int fd = sock_accept(f.fd, &peer);
    assert_true(fd >= 0);
    assert_int_equal(sock_uid(fd), getuid());
    assert_int_equal(sock_accept(f.fd, &peer), -ERR_AGAIN);
    close(fd);
    close(far);
    sock_file_close(&f);
    assert_int_equal(access(path, F_OK), -1);
}

static void its_mode_is_what_was_asked_whatever_the_umask_is(void **state)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0};
    struct stat s;

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        mode_t old = umask(i % 2 ? 0 : 0177);
        struct sock_file f = opened(modes[i]);
        umask(old);
        assert_int_equal(lstat(path, &s), 0);
        assert_int_equal(s.st_mode & 07777, modes[i]);
        sock_file_close(&f);
    }
}

static void what_an_ended_process_has_left_is_replaced(void **state)
{
    struct sock_file f = opened(0600);

    (void)state;
    close(f.fd); /* as if it had been killed */
    assert_int_equal(knock(), -1);
    struct sock_file next = opened(0600);
    int far = knock();
    assert_true(far >= 0);
    close(far);
    sock_file_close(&next);
}

static void a_place_where_somebody_listens_is_left_alone(void **state)
{
    struct sock_file f = opened(0600), other;
    struct sock_addr a = address();

    (void)state;
    assert_int_equal(sock_file_open(&other, &a, 0600, (gid_t)-1), -ERR_BUSY);
    int far = knock();
    assert_true(far >= 0);
    close(far);
    sock_file_close(&other); /* harmless: there is none */
    assert_int_equal(access(path, F_OK), 0);
    sock_file_close(&f);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct sock_addr a = address();
    struct sock_file f;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(sock_file_open(&f, &a, 0600, (gid_t)-1), -ERR_EXISTS);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/tmp/nowhere", path), 0);
    assert_int_equal(sock_file_open(&f, &a, 0600, (gid_t)-1), -ERR_EXISTS);
    assert_int_equal(unlink(path), 0);
}

static void only_our_own_file_is_removed_at_the_end(void **state)
{
    struct sock_file f = opened(0600);

    (void)state;
    assert_int_equal(unlink(path), 0);
    struct sock_file next = opened(0600);
    sock_file_close(&f);
    assert_int_equal(access(path, F_OK), 0);
    sock_file_close(&next);
}

static void nobody_makes_one_while_another_does(void **state)
{
    struct sock_addr a = address();
    struct sock_file f;
    int lock = open(folder, O_RDONLY | O_DIRECTORY);

    (void)state;
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(sock_file_open(&f, &a, 0600, (gid_t)-1), -ERR_BUSY);
    close(lock);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    struct sock_addr a;
    struct sock_file f;

    (void)state;
    assert_int_equal(sock_addr_parse(&a, "unix:/nowhere/at/all"), 0);
    assert_int_equal(sock_file_open(&f, &a, 0600, (gid_t)-1), -ERR_ABSENT);
    assert_int_equal(f.fd, -1);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/a.sock", folder);
    snprintf(text, sizeof text, "unix:%s", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_a_path_from_the_root_and_reads_as_it_is_written),
        cmocka_unit_test(a_client_comes_in_and_is_known_by_its_user),
        cmocka_unit_test(its_mode_is_what_was_asked_whatever_the_umask_is),
        cmocka_unit_test(what_an_ended_process_has_left_is_replaced),
        cmocka_unit_test(a_place_where_somebody_listens_is_left_alone),
        cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
        cmocka_unit_test(only_our_own_file_is_removed_at_the_end),
        cmocka_unit_test(nobody_makes_one_while_another_does),
        cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
