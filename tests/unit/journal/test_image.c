/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "broker/journal/image.h"
#include "store/bytes64.h"
#include "unit/journal/records.h"

static void apply(struct image *im, const struct record_buf *b, struct store_ref ref,
                  uint64_t moved)
{
    struct store_record s = record_stored(b, ref);
    s.moved_from = moved;
    assert_int_equal(image_apply(im, &s), 0);
    record_stored_free(&s);
}

static void a_session_that_has_ended_takes_all_along(void **state)
{
    struct image im;
    struct record_buf b;
    const struct record_session session = {.client_id = BYTES("c"), .sid = 5};
    const struct record_subscription sub = {.sid = 5, .filter = BYTES("a/#")};
    const struct record_entry entry = {.sid = 5, .seq = 1, .body = {64, 64}, .qos = 1};
    const struct record_received received = {.sid = 5, .packet_id = 1, .serial = 1};
    (void)state;

    image_init(&im, 1);
    for (unsigned round = 0; round < 2; round++) { /* then they come again without it */
        record_put_session(&b, &session);
        if (round == 0) apply(&im, &b, (struct store_ref){8, 8}, 0);
        record_put_subscribed(&b, &sub);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
        record_put_entry(&b, &entry);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
        record_put_received(&b, &received);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
        assert_int_equal(im.nentries + im.nsubs + im.nreceived, round == 0 ? 3 : 0);
        record_put_session_end(&b, &session);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
    }
    assert_int_equal(im.nsessions + im.nsubs + im.nentries + im.nreceived, 0);
    assert_int_equal(im.sid, 5);
    image_fini(&im);
}

static void the_last_word_about_a_thing_counts(void **state)
{
    struct image im;
    struct record_buf b;
    const struct store_ref ref = {8, 8};
    struct record_subscription sub = {.sid = 5, .filter = BYTES("a/#"), .qos = 1};
    struct record_received received = {.sid = 5, .packet_id = 9, .serial = 3};
    struct record_flight_change change = {.sid = 5, .seq = 2, .state = RECORD_SENT, .flight = 7};
    struct record_message m = {.topic = BYTES("t"), .payload = BYTES("one")};
    (void)state;

    image_init(&im, 1);
    record_put_session(&b, &(struct record_session){.client_id = BYTES("c"), .sid = 5});
    apply(&im, &b, ref, 0);
    for (unsigned i = 0; i < 2; i++, sub.qos++, received.accepted = true) {
        record_put_subscribed(&b, &sub);
        apply(&im, &b, ref, 0);
        record_put_received(&b, &received);
        apply(&im, &b, ref, 0);
    }
    assert_int_equal(im.sessions->subs->r.qos, 2);
    assert_true(im.sessions->received->accepted && im.sessions->r.serial == 3);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        const struct record_entry e = {.sid = 5, .seq = seq, .body = {64, 64}, .qos = 1};
        record_put_entry(&b, &e);
        apply(&im, &b, ref, 0);
    }
    record_put_flight(&b, &change);
    apply(&im, &b, ref, 0);
    assert_int_equal(im.sessions->entries->next->state, RECORD_SENT);
    assert_int_equal(im.sessions->r.flight, 8); /* the next one */
    record_put_retained(&b, &m);
    apply(&im, &b, ref, 0);
    m.payload = BYTES("another");
    record_put_retained(&b, &m);
    apply(&im, &b, ref, 0);
    assert_int_equal(im.nretained, 1);
    assert_true(bytes_starts(bytes_skip(im.retained->copy->record.body, 32), BYTES("another")));

    record_put_unsubscribed(&b, &sub);
    apply(&im, &b, ref, 0);
    record_put_released(&b, &received);
    apply(&im, &b, ref, 0);
    record_put_done(&b, &change);
    apply(&im, &b, ref, 0);
    record_put_cleared(&b, m.topic);
    apply(&im, &b, ref, 0);
    assert_int_equal(im.nsubs + im.nreceived + im.nretained, 0);
    assert_int_equal(im.nentries, 1);
    assert_int_equal(im.sessions->entries->seq, 1);
    image_fini(&im);
}

static void an_entry_finds_its_body_where_it_was_moved_last(void **state)
{
    struct image im;
    struct record_buf b;
    const struct record_session session = {.client_id = BYTES("c"), .sid = 5};
    const struct record_entry entry = {.sid = 5, .seq = 1, .body = {64, 64}, .qos = 1};
    const struct record_message m = {.topic = BYTES("t")};
    (void)state;

    image_init(&im, 1);
    record_put_session(&b, &session);
    apply(&im, &b, (struct store_ref){8, 8}, 0);
    record_put_entry(&b, &entry);
    apply(&im, &b, (struct store_ref){72, 8}, 0);
    record_put_body(&b, &m);
    apply(&im, &b, (struct store_ref){128, 72}, 64);
    apply(&im, &b, (struct store_ref){256, 72}, 128);
    assert_int_equal(image_finish(&im), 0);
    assert_int_equal(im.sessions->entries->body_pos, 256);
    assert_int_equal(im.sessions->entries->body_bytes, 72);
    image_fini(&im);
}

static void a_copy_that_is_before_its_original_is_damage(void **state)
{
    struct image im;
    struct record_buf b;
    (void)state;
    image_init(&im, 1);
    record_put_body(&b, &(struct record_message){.topic = BYTES("t")});
    struct store_record s = record_stored(&b, (struct store_ref){64, 64});
    s.moved_from = 64;
    assert_int_equal(image_apply(&im, &s), -ERR_CORRUPT);
    s.moved_from = 128;
    assert_int_equal(image_apply(&im, &s), -ERR_CORRUPT);
    record_stored_free(&s);
    image_fini(&im);
}

static void of_two_sessions_of_one_client_the_later_is_left(void **state)
{
    (void)state;
    for (unsigned turned = 0; turned < 2; turned++) {
        struct image im;
        struct record_buf b;
        struct record_session r = {.client_id = BYTES("c")};
        image_init(&im, 1);
        for (unsigned i = 0; i < 2; i++) {
            r.sid = (i ^ turned) ? 7 : 5;
            record_put_session(&b, &r);
            apply(&im, &b, (struct store_ref){8, 8}, 0);
        }
        r = (struct record_session){.client_id = BYTES("c"), .tenant = 1, .sid = 3};
        record_put_session(&b, &r);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
        assert_int_equal(image_finish(&im), 0);
        assert_int_equal(im.nsessions, 2);
        assert_non_null(image_session_find(&im, 7));
        assert_non_null(image_session_find(&im, 3));
        image_fini(&im);
    }
}

static void entries_are_sorted_however_they_came(void **state)
{
    struct rng rng;
    (void)state;
    rng_seed(&rng, 5);
    for (unsigned n = 0; n < 60; n++) {
        struct image im;
        struct record_buf b;
        image_init(&im, 1);
        record_put_session(&b, &(struct record_session){.client_id = BYTES("c"), .sid = 1});
        apply(&im, &b, (struct store_ref){8, 8}, 0);
        for (unsigned i = 0; i < n; i++) {
            const struct record_entry e = {
                .sid = 1, .seq = n % 3 ? rng_u64(&rng) % 40 : n - i, .body = {64, 64}};
            record_put_entry(&b, &e);
            apply(&im, &b, (struct store_ref){8, 8}, 0);
        }
        assert_int_equal(image_finish(&im), 0);
        unsigned seen = 0;
        for (struct image_entry *e = im.sessions->entries; e; e = e->next, seen++) {
            assert_true(*e->link == e);
            assert_true(!e->next || e->next->seq > e->seq);
        }
        assert_int_equal(seen, im.nentries);
        image_fini(&im);
    }
}

static void what_a_later_program_writes_is_refused(void **state)
{
    struct image im;
    struct store_record s = {.type = RECORD_ORIGIN + 1, .version = 1};
    (void)state;
    image_init(&im, 1);
    assert_int_equal(image_apply(&im, &s), -ERR_UNSUPPORTED);
    s.type = 0;
    assert_int_equal(image_apply(&im, &s), -ERR_UNSUPPORTED);
    s = (struct store_record){.type = RECORD_CLEARED, .version = 2, .key = BYTES("t")};
    assert_int_equal(image_apply(&im, &s), -ERR_UNSUPPORTED);
    image_fini(&im);
}

static void put_origin(struct record_buf *b, uint64_t origin, uint64_t serial)
{
    static uint8_t bytes[8];
    struct writer w = wr_of(bytes, sizeof bytes);
    wr_u64be(&w, serial);
    record_put_origin(b,
                      &(struct record_origin){.origin = origin, .nserials = 1, .serials = bytes});
}

/* A body at 64 and entries of two sessions for it, then, if `all`, that these were all, and another
 * delivery at 128, if `more`. */
static void replay_delivery(struct image *im, bool all, bool more)
{
    struct record_buf b;
    const struct record_message m = {.topic = BYTES("t"), .origin = 9, .serial = 4};
    const struct record_message unnamed = {.topic = BYTES("t")};
    image_init(im, 1);
    for (uint64_t sid = 1; sid <= 2; sid++) {
        record_put_session(&b,
                           &(struct record_session){.client_id = bytes_of("xy", sid), .sid = sid});
        apply(im, &b, (struct store_ref){8, 8}, 0);
    }
    record_put_body(&b, &m);
    apply(im, &b, (struct store_ref){64, 8}, 0);
    for (uint64_t sid = 1; sid <= 2; sid++) {
        record_put_entry(&b,
                         &(struct record_entry){.sid = sid, .seq = 7, .body = {64, 8}, .qos = 2});
        apply(im, &b, (struct store_ref){8, 8}, 0);
    }
    put_origin(&b, 9, 4);
    if (all) apply(im, &b, (struct store_ref){8, 8}, 0);
    record_put_body(&b, &unnamed);
    if (more) apply(im, &b, (struct store_ref){128, 8}, 0);
    assert_int_equal(image_finish(im), 0);
}

static void a_delivery_that_was_cut_off_counts_for_nobody_and_is_not_known(void **state)
{
    struct image im;
    (void)state;
    replay_delivery(&im, false, false);
    assert_int_equal(im.nentries, 0);
    assert_int_equal(im.unfinished.n, 2);
    assert_int_equal(im.unfinished.entry[1].sid + im.unfinished.entry[0].sid, 3);
    assert_int_equal(im.unfinished.entry[0].seq, 7);
    assert_int_equal(im.origins->n, 0);
    image_fini(&im);

    replay_delivery(&im, true, false);
    assert_int_equal(im.nentries, 2);
    assert_int_equal(im.unfinished.n, 0);
    assert_int_equal(im.origins->n, 1);
    image_fini(&im);

    replay_delivery(&im, false, true); /* damage: nothing was cut off behind it */
    assert_int_equal(im.nentries, 2);
    image_fini(&im);
}

static void serials_of_an_origin_stay_few(void **state)
{
    struct image im;
    (void)state;
    image_init(&im, 1);
    for (uint64_t i = 1; i <= 3 * RECORD_SERIALS; i++) {
        struct record_buf b;
        const struct record_message m = {
            .topic = BYTES("t"), .origin = 9, .serial = i, .low_water = UINT16_MAX};
        record_put_body(&b, &m);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
        put_origin(&b, 9, i);
        apply(&im, &b, (struct store_ref){8, 8}, 0);
    }
    assert_int_equal(im.origins->n, RECORD_SERIALS);
    assert_int_equal(im.origins->serial[RECORD_SERIALS - 1], 3 * RECORD_SERIALS);
    image_fini(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_has_ended_takes_all_along),
        cmocka_unit_test(the_last_word_about_a_thing_counts),
        cmocka_unit_test(an_entry_finds_its_body_where_it_was_moved_last),
        cmocka_unit_test(a_copy_that_is_before_its_original_is_damage),
        cmocka_unit_test(of_two_sessions_of_one_client_the_later_is_left),
        cmocka_unit_test(entries_are_sorted_however_they_came),
        cmocka_unit_test(what_a_later_program_writes_is_refused),
        cmocka_unit_test(a_delivery_that_was_cut_off_counts_for_nobody_and_is_not_known),
        cmocka_unit_test(serials_of_an_origin_stay_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
