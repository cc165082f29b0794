/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"

enum { MANY = 1000 };

static void ids_find_their_connections_and_are_never_zero(void **state)
{
    struct conn_table t = {0};
    struct conn *c = calloc(MANY, sizeof *c);

    (void)state;
    assert_non_null(c);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(conn_table_add(&t, &c[i]), 0);
        assert_int_not_equal(c[i].id, 0);
    }
    assert_int_equal(t.used, MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(conn_table_find(&t, c[i].id), &c[i]);
    for (int i = 0; i < MANY; i++)
        conn_table_del(&t, &c[i]);
    assert_int_equal(t.used, 0);
    free(t.row);
    free(c);
}

static void a_stale_id_finds_nobody(void **state)
{
    struct conn_table t = {0};
    struct conn old = {.id = 0};
    struct conn new = {.id = 0};

    (void)state;
    assert_null(conn_table_find(&t, 1));
    assert_int_equal(conn_table_add(&t, &old), 0);
    conn_table_del(&t, &old);
    assert_null(conn_table_find(&t, old.id));
    /* Turn the free rows round until the first is used again. */
    do {
        assert_int_equal(conn_table_add(&t, &new), 0);
        if ((new.id &(CONN_ROWS_MAX - 1)) != old.id) conn_table_del(&t, &new);
    } while ((new.id &(CONN_ROWS_MAX - 1)) != old.id);
    assert_int_not_equal(new.id, old.id);
    assert_null(conn_table_find(&t, old.id));
    assert_ptr_equal(conn_table_find(&t, new.id), &new);
    assert_null(conn_table_find(&t, 0));
    assert_null(conn_table_find(&t, UINT32_MAX));
    free(t.row);
}

static void ids_stay_good_when_generations_wrap(void **state)
{
    struct conn_table t = {0};
    struct conn c = {.id = 0};

    (void)state;
    for (int i = 0; i < 64 * 300; i++) {
        assert_int_equal(conn_table_add(&t, &c), 0);
        assert_int_not_equal(c.id, 0);
        assert_ptr_equal(conn_table_find(&t, c.id), &c);
        conn_table_del(&t, &c);
    }
    assert_int_equal(t.rows, 64);
    free(t.row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_find_their_connections_and_are_never_zero),
        cmocka_unit_test(a_stale_id_finds_nobody),
        cmocka_unit_test(ids_stay_good_when_generations_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
