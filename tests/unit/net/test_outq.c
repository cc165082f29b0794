/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "net/outq.h"

struct fixture {
    struct outq q;
    struct pool *homes[1];
    struct pool *pool;
    unsigned released;
    uint8_t out[1 << 20]; /* what was "sent" */
    size_t out_n;
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    if (!f) return -1;
    f->pool = pool_new(0, 1, f->homes);
    *state = f;
    return f->pool ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bool clean = pool_bytes_used(f->pool) == 0;
    pool_free_all(&f->pool);
    test_free(f);
    return clean ? 0 : -1;
}

static void put(struct fixture *f, const void *p, size_t n)
{
    uint8_t *at = outq_reserve(&f->q, f->pool, n);
    assert_non_null(at);
    memcpy(at, p, n);
    outq_commit(&f->q, n);
}

static void on_release(void *ctx, void *owner)
{
    struct fixture *f = ctx;
    assert_ptr_equal(owner, &f->released);
    f->released++;
}

static int share(struct fixture *f, const void *p, size_t n)
{
    struct shared s = {bytes_of(p, n), on_release, f, &f->released};
    return outq_share(&f->q, f->pool, &s);
}

/* Pretends that a socket took up to `n` bytes; returns how many there were. */
static size_t send_up_to(struct fixture *f, size_t n)
{
    struct iovec iov[OUTQ_IOV_MAX];
    int pieces = outq_pieces(&f->q, iov);
    size_t sent = 0;

    for (int i = 0; i < pieces && sent < n; i++) {
        size_t part = iov[i].iov_len < n - sent ? iov[i].iov_len : n - sent;
        memcpy(f->out + f->out_n, iov[i].iov_base, part);
        f->out_n += part;
        sent += part;
    }
    outq_sent(&f->q, f->pool, sent);
    return sent;
}

static void many_small_frames_leave_as_one_piece(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[OUTQ_IOV_MAX];

    for (int i = 0; i < 100; i++)
        put(f, "0123456", 7);
    assert_int_equal(f->q.bytes, 700);
    assert_int_equal(outq_pieces(&f->q, iov), 1);
    assert_int_equal(iov[0].iov_len, 700);
    outq_clear(&f->q, f->pool);
}

static void an_empty_queue_owns_nothing(void **state)
{
    struct fixture *f = *state;

    put(f, "abc", 3);
    assert_int_equal(send_up_to(f, 3), 3);
    assert_int_equal(pool_bytes_used(f->pool), 0);
    assert_null(f->q.head);
    assert_null(f->q.tail);
    assert_int_equal(f->q.bytes, 0);
}

static void chunks_double_so_that_a_megabyte_is_few_pieces(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[OUTQ_IOV_MAX];
    uint8_t frame[1000];

    memset(frame, 'x', sizeof frame);
    for (int i = 0; i < 1000; i++)
        put(f, frame, sizeof frame);
    assert_in_range(outq_pieces(&f->q, iov), 30, 40);
    assert_true(pool_bytes_used(f->pool) < 1100000);
    outq_clear(&f->q, f->pool);
}

static void the_largest_frame_fits_wherever_the_queue_stands(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[OUTQ_COPY_MAX];

    memset(frame, 'y', sizeof frame);
    put(f, frame, sizeof frame);
    put(f, "z", 1);
    assert_int_equal(share(f, "shared", 6), 0);
    put(f, frame, sizeof frame);
    assert_int_equal(f->q.bytes, 2 * sizeof frame + 7);
    outq_clear(&f->q, f->pool);
}

static void a_header_behind_a_shared_payload_costs_little(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(share(f, "payload", 7), 0);
    size_t before = pool_bytes_used(f->pool);
    put(f, "header", 6);
    assert_int_equal(pool_bytes_used(f->pool) - before, OUTQ_CHUNK_AFTER);
    outq_clear(&f->q, f->pool);
}

static void order_survives_every_way_to_cut_the_sends(void **state)
{
    struct fixture *f = *state;
    static const char whole[] = "head1:PAYLOAD1;head2:PAYLOAD2;tail";
    size_t n = sizeof whole - 1;

    for (size_t cut = 1; cut <= n; cut++) {
        f->out_n = 0;
        f->released = 0;
        put(f, whole, 6);
        assert_int_equal(share(f, whole + 6, 9), 0);
        put(f, whole + 15, 6);
        assert_int_equal(share(f, whole + 21, 9), 0);
        put(f, whole + 30, 4);
        while (f->q.bytes > 0)
            assert_true(send_up_to(f, cut) > 0);
        assert_int_equal(f->out_n, n);
        assert_memory_equal(f->out, whole, n);
        assert_int_equal(f->released, 2);
    }
}

static void answers_count_until_their_chunk_is_sent(void **state)
{
    struct fixture *f = *state;

    put(f, "other", 5);
    put(f, "answer", 6);
    outq_note_answer(&f->q, 6);
    assert_int_equal(share(f, "shared", 6), 0);
    put(f, "answer", 6);
    outq_note_answer(&f->q, 6);
    assert_int_equal(f->q.answers, 12);
    send_up_to(f, 10);
    assert_int_equal(f->q.answers, 12);
    send_up_to(f, 1);
    assert_int_equal(f->q.answers, 6);
    send_up_to(f, 6);
    assert_int_equal(f->q.answers, 6);
    outq_clear(&f->q, f->pool);
    assert_int_equal(f->q.answers, 0);
}

static void a_shared_piece_is_released_when_its_last_byte_is_sent(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(share(f, "abc", 3), 0);
    send_up_to(f, 2);
    assert_int_equal(f->released, 0);
    send_up_to(f, 1);
    assert_int_equal(f->released, 1);
    outq_clear(&f->q, f->pool);
    assert_int_equal(f->released, 1);
}

static void a_shared_piece_is_released_once_when_the_queue_is_cleared(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(share(f, "abc", 3), 0);
    send_up_to(f, 1);
    outq_clear(&f->q, f->pool);
    assert_int_equal(f->released, 1);
    assert_int_equal(f->q.bytes, 0);
}

static void without_memory_a_shared_piece_is_released_at_once(void **state)
{
    struct fixture *f = *state;

    pool_set_max(f->pool, 1);
    assert_int_equal(share(f, "abc", 3), -ERR_NOMEM);
    assert_int_equal(f->released, 1);
    assert_null(outq_reserve(&f->q, f->pool, 1));
    assert_int_equal(f->q.bytes, 0);
    assert_null(f->q.head);
}

static void what_is_reserved_but_not_committed_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[OUTQ_IOV_MAX];

    assert_non_null(outq_reserve(&f->q, f->pool, 10));
    assert_int_equal(outq_pieces(&f->q, iov), 0);
    assert_non_null(outq_reserve(&f->q, f->pool, OUTQ_COPY_MAX)); /* leaves an empty chunk behind */
    outq_commit(&f->q, 5);
    assert_int_equal(outq_pieces(&f->q, iov), 1);
    assert_int_equal(iov[0].iov_len, 5);
    assert_int_equal(send_up_to(f, 5), 5);
    assert_int_equal(pool_bytes_used(f->pool), 0);
}

static void a_sealed_queue_takes_nothing_more(void **state)
{
    struct fixture *f = *state;

    outq_seal(&f->q); /* harmless when empty */
    put(f, "abc", 3);
    assert_non_null(outq_room(&f->q, 1));
    outq_seal(&f->q);
    assert_null(outq_room(&f->q, 1));
    assert_int_equal(send_up_to(f, 3), 3);
}

static void more_pieces_than_one_send_takes_follow_later(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < OUTQ_IOV_MAX + 6; i++)
        assert_int_equal(share(f, "abc", 3), 0);
    assert_int_equal(send_up_to(f, SIZE_MAX), 3 * OUTQ_IOV_MAX);
    assert_int_equal(send_up_to(f, SIZE_MAX), 3 * 6);
    assert_int_equal(f->released, OUTQ_IOV_MAX + 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_small_frames_leave_as_one_piece),
        TEST(an_empty_queue_owns_nothing),
        TEST(chunks_double_so_that_a_megabyte_is_few_pieces),
        TEST(the_largest_frame_fits_wherever_the_queue_stands),
        TEST(a_header_behind_a_shared_payload_costs_little),
        TEST(order_survives_every_way_to_cut_the_sends),
        TEST(answers_count_until_their_chunk_is_sent),
        TEST(a_shared_piece_is_released_when_its_last_byte_is_sent),
        TEST(a_shared_piece_is_released_once_when_the_queue_is_cleared),
        TEST(without_memory_a_shared_piece_is_released_at_once),
        TEST(what_is_reserved_but_not_committed_is_not_sent),
        TEST(a_sealed_queue_takes_nothing_more),
        TEST(more_pieces_than_one_send_takes_follow_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
