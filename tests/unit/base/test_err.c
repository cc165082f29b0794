/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

static void every_error_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int e = 0; e < ERR_COUNT; e++) {
        assert_non_null(err_text(e));
        assert_true(strlen(err_text(e)) > 0);
        for (int other = 0; other < e; other++)
            assert_string_not_equal(err_text(e), err_text(other));
    }
}

static void text_takes_the_error_as_functions_return_it(void **state)
{
    (void)state;
    assert_ptr_equal(err_text(-ERR_NOMEM), err_text(ERR_NOMEM));
    assert_string_equal(err_text(-ERR_NOMEM), "out of memory");
    assert_string_equal(err_text(ERR_COUNT), "unknown error");
    assert_string_equal(err_text(-ERR_COUNT - 1), "unknown error");
}

static void errno_maps_to_what_a_caller_can_act_on(void **state)
{
    (void)state;
    static const struct {
        int from;
        int to;
    } ROW[] = {
        {0, ERR_NONE},
        {EAGAIN, ERR_AGAIN},
        {EWOULDBLOCK, ERR_AGAIN},
        {ENOMEM, ERR_NOMEM},
        {EMFILE, ERR_NOFILE},
        {ENFILE, ERR_NOFILE},
        {EEXIST, ERR_EXISTS},
        {ENOENT, ERR_ABSENT},
        {EINVAL, ERR_INVALID},
        {EACCES, ERR_DENIED},
        {EADDRINUSE, ERR_BUSY},
        {ETIMEDOUT, ERR_TIMEOUT},
        {EPIPE, ERR_RESET},
        {ECONNRESET, ERR_RESET},
        {EIO, ERR_OS},
        {ENOSPC, ERR_DISK_FULL},
        {EDQUOT, ERR_DISK_FULL},
        {EAFNOSUPPORT, ERR_OS},
        {-1, ERR_OS},
        {123456, ERR_OS},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROW); i++)
        assert_int_equal(err_from_errno(ROW[i].from), ROW[i].to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_sentence_of_its_own),
        cmocka_unit_test(text_takes_the_error_as_functions_return_it),
        cmocka_unit_test(errno_maps_to_what_a_caller_can_act_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
