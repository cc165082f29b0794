/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "broker/journal/durability.h"
#include "unit/journal/records.h"

enum { SAMPLES = 17 };

static const struct record_message message = {.qos = 2,
                                              .retain = true,
                                              .expires_ms = 0x0102030405060708,
                                              .origin = 0xA1A2A3A4A5A6A7A8,
                                              .serial = 0x1112131415161718,
                                              .low_water = 0x2122,
                                              .topic = {(const uint8_t *)"a/b", 3},
                                              .props = {(const uint8_t *)"PROPS", 5},
                                              .payload = {(const uint8_t *)"payload", 7}};

static struct record_session session(bool named, bool has_will)
{
    struct record_session r = {.tenant = 3,
                               .client_id = BYTES("client"),
                               .sid = 0x0102030405060708,
                               .serial = 0x3132333435363738,
                               .flight = 0x41424344,
                               .expiry_s = UINT32_MAX,
                               .gone_ms = 0x5152535455565758,
                               .durability = DURABILITY_COMMIT,
                               .named = named,
                               .has_will = has_will};
    if (named) r.user = BYTES("user");
    if (has_will) {
        r.will_delay_s = 0x61626364;
        r.will = message;
    }
    return r;
}

static const struct record_subscription subscription = {
    .sid = 7,
    .filter = {(const uint8_t *)"$share/g/a/#", 12},
    .qos = 2,
    .no_local = true,
    .retain_as_published = true,
    .sub_id = 268435455};

static struct record_entry entry(unsigned nsub_ids)
{
    struct record_entry r = {.sid = 7,
                             .seq = 0x0102030405060708,
                             .body = {.pos = 0x1112131415161718, .bytes = 0x21222324},
                             .qos = 1,
                             .retain = true,
                             .state = RECORD_SENT,
                             .flight = 0x31323334,
                             .message_bytes = 15,
                             .nsub_ids = (uint8_t)nsub_ids};
    for (unsigned i = 0; i < nsub_ids; i++)
        r.sub_id[i] = i + 1;
    if (nsub_ids) r.group = BYTES("$share/g/a/#");
    return r;
}

static const uint8_t serials[] = {0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8};

/* Puts sample number `i`. */
static void put_sample(struct record_buf *b, unsigned i)
{
    static struct record_session plain, full; /* lent till the record is stored */
    static const struct record_flight_change flight = {
        .sid = 7, .seq = 99, .state = RECORD_CONFIRMED, .flight = 65540};
    static const struct record_received received = {
        .sid = 7, .packet_id = 65535, .accepted = true, .serial = 0x0102030405060708};
    static const struct record_origin origin = {.origin = 5, .nserials = 2, .serials = serials};
    static const struct record_message bare = {.topic = {(const uint8_t *)"t", 1}};
    struct record_entry small = entry(0), large = entry(RECORD_SUB_IDS);

    plain = session(false, false);
    full = session(true, true);
    switch (i) {
    case 0: record_put_session(b, &plain); break;
    case 1: record_put_session(b, &full); break;
    case 2: record_put_session_end(b, &plain); break;
    case 3: record_put_subscribed(b, &subscription); break;
    case 4: record_put_unsubscribed(b, &subscription); break;
    case 5: record_put_body(b, &message); break;
    case 6: record_put_body(b, &bare); break;
    case 7: record_put_entry(b, &small); break;
    case 8: record_put_entry(b, &large); break;
    case 9: record_put_flight(b, &flight); break;
    case 10: record_put_done(b, &flight); break;
    case 11: record_put_received(b, &received); break;
    case 12: record_put_released(b, &received); break;
    case 13: record_put_retained(b, &message); break;
    case 14: record_put_cleared(b, BYTES("a/b")); break;
    case 15: record_put_origin(b, &origin); break;
    default: record_put_origin(b, &(struct record_origin){.origin = 5}); break;
    }
}

static struct store_record sample(unsigned i)
{
    struct record_buf b;
    put_sample(&b, i);
    return record_stored(&b, (struct store_ref){.pos = 8, .bytes = 64});
}

static void same_message(const struct record_message *a, const struct record_message *b)
{
    assert_int_equal(a->qos, b->qos);
    assert_int_equal(a->retain, b->retain);
    assert_true(a->expires_ms == b->expires_ms && a->origin == b->origin);
    assert_true(a->serial == b->serial && a->low_water == b->low_water);
    assert_true(bytes_eq(a->topic, b->topic) && bytes_eq(a->props, b->props));
    assert_true(bytes_eq(a->payload, b->payload));
}

static void a_session_comes_back_with_user_and_will(void **state)
{
    struct store_record s = sample(1);
    struct record_session r, was = session(true, true);
    (void)state;
    assert_int_equal(record_get_session(&s, &r), 0);
    assert_int_equal(r.tenant, 3);
    assert_true(bytes_eq(r.client_id, was.client_id) && bytes_eq(r.user, was.user));
    assert_true(r.sid == was.sid && r.serial == was.serial && r.gone_ms == was.gone_ms);
    assert_true(r.flight == was.flight && r.expiry_s == was.expiry_s);
    assert_true(r.durability == was.durability && r.named && r.has_will);
    assert_int_equal(r.will_delay_s, was.will_delay_s);
    same_message(&r.will, &was.will);
    record_stored_free(&s);
}

static void a_user_without_a_name_is_not_anonymous(void **state)
{
    struct record_session r = session(true, false);
    struct record_buf b;
    (void)state;
    r.user = bytes_of("", 0);
    record_put_session(&b, &r);
    struct store_record s = record_stored(&b, (struct store_ref){8, 64});
    assert_int_equal(record_get_session(&s, &r), 0);
    assert_true(r.named && r.user.n == 0);
    record_stored_free(&s);
}

static void an_entry_comes_back_with_all_its_ids(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= RECORD_SUB_IDS; n += RECORD_SUB_IDS) {
        struct store_record s = sample(n ? 8 : 7);
        struct record_entry r, was = entry(n);
        assert_int_equal(record_get_entry(&s, &r), 0);
        assert_true(r.sid == was.sid && r.seq == was.seq && r.body.pos == was.body.pos);
        assert_true(r.body.bytes == was.body.bytes && r.qos == 1 && r.retain);
        assert_true(r.state == was.state && r.flight == was.flight);
        assert_true(r.message_bytes == 15 && r.nsub_ids == n && bytes_eq(r.group, was.group));
        assert_memory_equal(r.sub_id, was.sub_id, sizeof r.sub_id);
        record_stored_free(&s);
    }
}

static void a_message_comes_back_by_its_topic(void **state)
{
    struct store_record s = sample(5);
    struct record_message r;
    (void)state;
    assert_true(s.kept);
    assert_int_equal(record_get_message(&s, &r), 0);
    same_message(&r, &message);
    record_stored_free(&s);
}

static void serials_of_an_origin_are_read_one_by_one(void **state)
{
    struct store_record s = sample(15);
    struct record_origin r;
    (void)state;
    assert_int_equal(record_get_origin(&s, &r), 0);
    assert_int_equal(r.nserials, 2);
    assert_true(record_serial(&r, 0) == 9 && record_serial(&r, 1) == 0x0102030405060708);
    record_stored_free(&s);
}

static bool same_record(const struct store_record *a, const struct store_record *b)
{
    return a->type == b->type && a->version == b->version && a->kept == b->kept &&
           bytes_eq(a->key, b->key) && bytes_eq(a->body, b->body);
}

/* What is written when it was read is what was read. */
static void every_record_makes_the_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct record_buf b;
        struct store_record s = sample(i);
        assert_int_equal(record_reencode(&s, &b), 0);
        struct store_record again = record_stored(&b, s.ref);
        assert_true(same_record(&s, &again));
        record_stored_free(&again);
        record_stored_free(&s);
    }
}

/* Its payload or a list ends where the record ends: a cut there is for the store to find. */
static bool ends_open(const struct store_record *s, size_t left)
{
    if (s->type == RECORD_BODY || s->type == RECORD_RETAINED) return left >= 32;
    if (s->type == RECORD_SESSION) return s->body.n - left <= message.payload.n;
    return s->type == RECORD_ORIGIN && left >= 8 && left % 8 == 0;
}

static void a_record_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct store_record s = sample(i);
        for (size_t n = 0; n < s.body.n; n++) {
            struct store_record cut = s;
            uint8_t *block = malloc(n ? n : 1);
            assert_non_null(block);
            memcpy(block, s.body.p, n);
            cut.body = bytes_of(block, n);
            int err = record_reencode(&cut, NULL);
            if (err == 0) assert_true(ends_open(&s, n));
            if (err < 0) assert_int_equal(err, -ERR_CORRUPT);
            free(block);
        }
        record_stored_free(&s);
    }
}

static void one_byte_too_many_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct store_record s = sample(i), more = s;
        uint8_t *block = malloc(s.body.n + 1);
        assert_non_null(block);
        memcpy(block, s.body.p, s.body.n);
        block[s.body.n] = 0;
        more.body = bytes_of(block, s.body.n + 1);
        bool open = i == 1 || s.type == RECORD_BODY || s.type == RECORD_RETAINED;
        assert_int_equal(record_reencode(&more, NULL), open ? 0 : -ERR_CORRUPT);
        free(block);
        record_stored_free(&s);
    }
}

/* Refused, or something else that is written as it was read. */
static void no_flipped_bit_does_harm(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct store_record s = sample(i);
        uint8_t *body = (uint8_t *)(uintptr_t)s.body.p;
        for (size_t bit = 0; bit < 8 * s.body.n; bit++) {
            struct record_buf b;
            body[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (record_reencode(&s, &b) == 0) {
                struct store_record again = record_stored(&b, s.ref);
                assert_true(same_record(&s, &again));
                record_stored_free(&again);
            }
            body[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        record_stored_free(&s);
    }
}

static void another_version_is_unsupported_and_not_damage(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct store_record s = sample(i);
        for (unsigned version = 0; version < 256; version++) {
            s.version = (uint8_t)version;
            assert_int_equal(record_reencode(&s, NULL), version == 1 ? 0 : -ERR_UNSUPPORTED);
        }
        record_stored_free(&s);
    }
}

static void what_frees_space_may_use_the_last_of_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct record_buf b;
        put_sample(&b, i);
        bool frees = b.put.type == RECORD_SESSION_END || b.put.type == RECORD_UNSUBSCRIBED ||
                     b.put.type == RECORD_DONE || b.put.type == RECORD_RELEASED ||
                     b.put.type == RECORD_CLEARED;
        assert_int_equal(frees, (b.put.flags & STORE_RESERVE) != 0);
        assert_int_equal(b.put.type == RECORD_BODY, (b.put.flags & STORE_KEEP) != 0);
        assert_int_equal(b.put.type == RECORD_DONE, (b.put.flags & STORE_LAZY) != 0);
    }
}

static void only_a_confirmed_entry_has_no_body(void **state)
{
    struct record_buf b;
    struct record_entry r = entry(0);
    (void)state;
    for (unsigned st = RECORD_WAITING; st <= RECORD_CONFIRMED; st++) {
        r.body = (struct store_ref){0};
        r.state = (uint8_t)st;
        record_put_entry(&b, &r);
        struct store_record s = record_stored(&b, (struct store_ref){8, 64});
        assert_int_equal(record_get_entry(&s, &r), st == RECORD_CONFIRMED ? 0 : -ERR_CORRUPT);
        record_stored_free(&s);
    }
}

static void names_are_those_of_the_document(void **state)
{
    (void)state;
    assert_string_equal(record_name(RECORD_SESSION), "SESSION");
    assert_string_equal(record_name(RECORD_ORIGIN), "ORIGIN");
    assert_string_equal(record_name(0), "unknown");
    assert_string_equal(record_name(RECORD_ORIGIN + 1), "unknown");
    assert_string_equal(record_name(255), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_comes_back_with_user_and_will),
        cmocka_unit_test(a_user_without_a_name_is_not_anonymous),
        cmocka_unit_test(an_entry_comes_back_with_all_its_ids),
        cmocka_unit_test(a_message_comes_back_by_its_topic),
        cmocka_unit_test(serials_of_an_origin_are_read_one_by_one),
        cmocka_unit_test(every_record_makes_the_round_trip),
        cmocka_unit_test(a_record_cut_at_any_byte_is_refused),
        cmocka_unit_test(one_byte_too_many_is_refused),
        cmocka_unit_test(no_flipped_bit_does_harm),
        cmocka_unit_test(another_version_is_unsupported_and_not_damage),
        cmocka_unit_test(what_frees_space_may_use_the_last_of_it),
        cmocka_unit_test(only_a_confirmed_entry_has_no_body),
        cmocka_unit_test(names_are_those_of_the_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
