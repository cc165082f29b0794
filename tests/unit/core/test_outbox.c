/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/outbox.h"

static void push_numbered(struct outbox *o, struct chunks *stock, uint32_t n)
{
    struct waiting w = {.mail = {.kind = 1, .b = n}, .account = n + 1, .bytes = 2 * n};
    assert_true(outbox_push(o, stock, &w));
}

static void pop_numbered(struct outbox *o, struct chunks *stock, uint32_t n)
{
    struct waiting w = outbox_pop(o, stock);
    assert_int_equal(w.mail.b, n);
    assert_int_equal(w.account, n + 1);
    assert_int_equal(w.bytes, 2 * n);
}

static void first_in_is_first_out_over_many_chunks(void **state)
{
    (void)state;
    struct chunks stock = {0};
    struct outbox o = {0};
    for (uint32_t n = 0; n < 5000; n++)
        push_numbered(&o, &stock, n);
    for (uint32_t n = 0; n < 5000; n++) {
        assert_int_equal(o.n, 5000 - n);
        pop_numbered(&o, &stock, n);
    }
    assert_true(outbox_empty(&o));
    chunks_fini(&stock);
}

/* Lengths 1 to 400 cross every place in a chunk, full and empty ones included. */
static void pushes_and_pops_may_alternate_at_any_length(void **state)
{
    (void)state;
    struct chunks stock = {0};
    for (uint32_t length = 1; length <= 400; length++) {
        struct outbox o = {0};
        uint32_t in = 0, out = 0;
        while (in < length)
            push_numbered(&o, &stock, in++);
        for (int i = 0; i < 400; i++) {
            pop_numbered(&o, &stock, out++);
            push_numbered(&o, &stock, in++);
        }
        while (!outbox_empty(&o))
            pop_numbered(&o, &stock, out++);
        assert_int_equal(in, out);
    }
    chunks_fini(&stock);
}

static void an_empty_outbox_holds_no_chunk(void **state)
{
    (void)state;
    struct chunks stock = {0};
    struct outbox o = {0};
    push_numbered(&o, &stock, 0);
    assert_non_null(o.first);
    assert_int_equal(stock.n, 0);
    pop_numbered(&o, &stock, 0);
    assert_null(o.first);
    assert_null(o.last);
    assert_int_equal(stock.n, 1);
    push_numbered(&o, &stock, 1);
    assert_int_equal(stock.n, 0);
    outbox_clear(&o, &stock);
    assert_true(outbox_empty(&o));
    assert_int_equal(stock.n, 1);
    chunks_fini(&stock);
    assert_int_equal(stock.n, 0);
}

static void the_stock_of_empty_chunks_is_bounded(void **state)
{
    (void)state;
    struct chunks stock = {0};
    struct outbox o = {0};
    for (uint32_t n = 0; n < 40000; n++)
        push_numbered(&o, &stock, n);
    for (uint32_t n = 0; n < 40000; n++)
        pop_numbered(&o, &stock, n);
    assert_int_equal(stock.n, 64);
    chunks_fini(&stock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_is_first_out_over_many_chunks),
        cmocka_unit_test(pushes_and_pops_may_alternate_at_any_length),
        cmocka_unit_test(an_empty_outbox_holds_no_chunk),
        cmocka_unit_test(the_stock_of_empty_chunks_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
