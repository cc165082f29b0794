/* SPDX-License-Identifier: BSD-3-Clause */
/* test_image_history.c -- random histories of a log, and what a replay makes of them: once, twice,
 * and from snapshots that were taken a bit at a time while the history went on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "unit/journal/image_text.h"
#include "unit/journal/records.h"

enum { SIDS = 12, CLIENTS = 4, FILTERS = 5, TOPICS = 6, ORIGINS = 3, PACKETS = 6, LENGTH = 500 };

/* A broker, as far as its log is concerned: what it does next depends on what there is. */
struct world {
    struct rng rng;
    struct image now; /* what has been written so far says this */
    struct store_record *log;
    unsigned n, room;
    uint64_t sid, seq, pos;
    uint64_t serial[ORIGINS], lowest[ORIGINS];
};

static struct bytes text_of(const char *kind, uint64_t i)
{
    static char ring[32][24];
    static unsigned next;
    char *text = ring[next++ % 32];
    snprintf(text, sizeof ring[0], "%s%u", kind, (unsigned)i);
    return bytes_str(text);
}

static unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)rng_below(&w->rng, n);
}

static struct store_ref write_record(struct world *w, const struct record_buf *b, uint64_t moved)
{
    struct store_ref ref = {.pos = w->pos, .bytes = 64 + pick(w, 100)};
    w->pos += 128;
    if (w->n == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        w->log = realloc(w->log, w->room * sizeof w->log[0]);
        assert_non_null(w->log);
    }
    w->log[w->n] = record_stored(b, ref);
    w->log[w->n].moved_from = moved;
    assert_int_equal(image_apply(&w->now, &w->log[w->n]), 0);
    w->n++;
    return ref;
}

/* ---- what it does ---------------------------------------------------------------------- */

static struct image_session *any_session(struct world *w)
{
    unsigned skip = w->now.nsessions ? pick(w, (unsigned)w->now.nsessions) : 0;
    struct image_session *s = w->now.sessions;
    while (s && skip--)
        s = s->next;
    return s;
}

static struct image_entry *any_entry(struct world *w, struct image_session *s)
{
    unsigned skip = s->nentries ? pick(w, s->nentries) : 0;
    struct image_entry *e = s->entries;
    while (e && skip--)
        e = e->next;
    return e;
}

static void put_session(struct world *w, uint64_t sid, struct bytes client)
{
    const struct image_session *old = image_session_find(&w->now, sid);
    struct record_session r = {.client_id = client, .sid = sid, .expiry_s = pick(w, 1000)};
    struct record_buf b;
    if (old) {
        r.serial = old->r.serial;
        r.flight = old->r.flight;
    }
    r.gone_ms = pick(w, 2) ? 1000 + pick(w, 1000) : 0;
    r.named = pick(w, 2);
    if (r.named) r.user = text_of("user", pick(w, 3));
    r.has_will = pick(w, 2);
    if (r.has_will)
        r.will = (struct record_message){.topic = BYTES("w"), .payload = text_of("will", w->n)};
    record_put_session(&b, &r);
    write_record(w, &b, 0);
}

static void end_session(struct world *w, const struct image_session *s)
{
    const struct record_session r = s->r;
    struct record_buf b;
    record_put_session_end(&b, &r);
    write_record(w, &b, 0);
}

static void come(struct world *w)
{
    struct bytes client = text_of("client", pick(w, CLIENTS));
    for (struct image_session *s = w->now.sessions; s; s = s->next) {
        if (!bytes_eq(s->r.client_id, client)) continue;
        if (pick(w, 3)) {
            put_session(w, s->r.sid, client);
            return;
        }
        end_session(w, s);
        break;
    }
    if (w->sid < SIDS) put_session(w, ++w->sid, client);
}

static void subscribe(struct world *w, struct image_session *s)
{
    const struct record_subscription r = {.sid = s->r.sid,
                                          .filter = text_of("filter", pick(w, FILTERS)),
                                          .qos = (uint8_t)pick(w, 3),
                                          .no_local = pick(w, 2),
                                          .sub_id = pick(w, 5)};
    struct record_buf b;
    if (pick(w, 3))
        record_put_subscribed(&b, &r);
    else
        record_put_unsubscribed(&b, &r);
    write_record(w, &b, 0);
}

static void arrive(struct world *w, struct image_session *s)
{
    unsigned o = pick(w, ORIGINS);
    struct record_message m = {.topic = BYTES("t"), .qos = 2, .payload = text_of("p", w->n)};
    struct record_entry r = {.sid = s->r.sid, .seq = ++w->seq, .qos = 2};
    struct record_buf b;
    if (pick(w, 2)) { /* somebody's QoS 2 message; its ids are released now and then */
        m.origin = 100 + o;
        m.serial = ++w->serial[o];
        if (pick(w, 2)) w->lowest[o] += pick(w, (unsigned)(m.serial - w->lowest[o]) + 1);
        m.low_water = (uint16_t)(m.serial - w->lowest[o]);
    }
    record_put_body(&b, &m);
    r.body = write_record(w, &b, 0);
    r.message_bytes = pick(w, 100);
    r.nsub_ids = (uint8_t)pick(w, 4);
    for (unsigned i = 0; i < r.nsub_ids; i++)
        r.sub_id[i] = 1 + pick(w, 9);
    if (pick(w, 3) == 0) r.group = text_of("$share/g/", pick(w, 3));
    if (pick(w, 2)) {
        r.state = RECORD_SENT;
        r.flight = s->r.flight;
    }
    record_put_entry(&b, &r);
    write_record(w, &b, 0);
}

static void confirm(struct world *w, struct image_session *s)
{
    const struct image_entry *e = any_entry(w, s);
    struct record_flight_change r = {.sid = s->r.sid};
    struct record_buf b;
    if (!e) return;
    r.seq = e->seq;
    r.state = (uint8_t)(e->state + 1);
    r.flight = e->state == RECORD_WAITING ? s->r.flight : e->flight;
    if (r.state <= RECORD_CONFIRMED && pick(w, 3))
        record_put_flight(&b, &r);
    else
        record_put_done(&b, &r);
    write_record(w, &b, 0);
}

static void receive(struct world *w, struct image_session *s)
{
    struct record_received r = {.sid = s->r.sid,
                                .packet_id = (uint16_t)(1 + pick(w, PACKETS)),
                                .accepted = pick(w, 2),
                                .serial = s->r.serial + 1};
    struct record_buf b;
    if (pick(w, 2))
        record_put_received(&b, &r);
    else
        record_put_released(&b, &r);
    write_record(w, &b, 0);
}

static void retain(struct world *w)
{
    struct record_message m = {.topic = text_of("topic", pick(w, TOPICS)),
                               .retain = true,
                               .payload = text_of("retained", w->n)};
    struct record_buf b;
    if (pick(w, 3))
        record_put_retained(&b, &m);
    else
        record_put_cleared(&b, m.topic);
    write_record(w, &b, 0);
}

/* The store makes room: a body that somebody refers to is written again. */
static void move(struct world *w, struct image_session *s)
{
    struct image_entry *e = any_entry(w, s);
    const struct record_message m = {.topic = BYTES("t"), .payload = BYTES("moved")};
    struct record_buf b;
    if (!e) return;
    uint64_t from = e->body_pos;
    record_put_body(&b, &m);
    struct store_ref to = write_record(w, &b, from);
    e->body_pos = to.pos; /* as the broker's table of bodies does, for all that refer to it */
    e->body_bytes = to.bytes;
}

static void live(struct world *w)
{
    struct image_session *s = any_session(w);
    if (!s || pick(w, 8) == 0) {
        come(w);
        return;
    }
    switch (pick(w, 10)) {
    case 0: subscribe(w, s); break;
    case 1: retain(w); break;
    case 2: receive(w, s); break;
    case 3: move(w, s); break;
    case 4: put_session(w, s->r.sid, s->r.client_id); break;
    case 5:
        if (pick(w, 3) == 0) end_session(w, s);
        break;
    case 6:
    case 7: arrive(w, s); break;
    default: confirm(w, s); break;
    }
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){.pos = 128};
    rng_seed(&w->rng, seed);
    image_init(&w->now, 1);
}

static void world_fini(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++)
        record_stored_free(&w->log[i]);
    free(w->log);
    image_fini(&w->now);
}

/* ---- snapshots ------------------------------------------------------------------------- */

/* Puts thing number `i` of a session, if there is such: as it is now. */
static bool snapshot_part(const struct image_session *s, unsigned i, struct record_buf *b)
{
    if (i == 0) {
        record_put_session(b, &s->r);
        return true;
    }
    i--;
    for (const struct image_sub *x = s->subs; x; x = x->next) {
        if (i < FILTERS && bytes_eq(x->r.filter, text_of("filter", i))) {
            record_put_subscribed(b, &x->r);
            return true;
        }
    }
    for (const struct image_received *x = s->received; x; x = x->next) {
        if (i < FILTERS || x->packet_id != i - FILTERS) continue;
        const struct record_received r = {s->r.sid, x->packet_id, x->accepted, x->serial};
        record_put_received(b, &r);
        return true;
    }
    for (const struct image_entry *e = s->entries; e; e = e->next) {
        if (i < FILTERS + PACKETS + 1 || e->seq != i - FILTERS - PACKETS) continue;
        struct record_entry r = {.sid = s->r.sid,
                                 .seq = e->seq,
                                 .body = {e->body_pos, e->body_bytes},
                                 .qos = e->qos,
                                 .retain = e->retain,
                                 .state = e->state,
                                 .flight = e->flight,
                                 .message_bytes = e->message_bytes,
                                 .nsub_ids = e->nsub_ids};
        if (e->group) r.group = bytes_of(e->group->at, e->group->n);
        memcpy(r.sub_id, image_entry_ids(e), e->nsub_ids * sizeof r.sub_id[0]);
        record_put_entry(b, &r);
        return true;
    }
    return false;
}

enum { PARTS = 1 + FILTERS + PACKETS + 1 + LENGTH + 1 }; /* of a session */

/* The same for all there may ever be, in one order. */
static bool snapshot_thing(const struct world *w, unsigned i, struct record_buf *b)
{
    if (i < SIDS * PARTS) {
        const struct image_session *s = image_session_find(&w->now, 1 + i / PARTS);
        return s && snapshot_part(s, i % PARTS, b);
    }
    i -= SIDS * PARTS;
    for (const struct image_retained *x = w->now.retained; i < TOPICS && x; x = x->next) {
        struct record_message m;
        if (!bytes_eq(x->copy->record.key, text_of("topic", i))) continue;
        assert_int_equal(record_get_message(&x->copy->record, &m), 0);
        record_put_retained(b, &m);
        return true;
    }
    for (const struct image_origin *x = w->now.origins; i >= TOPICS && x; x = x->next) {
        static uint8_t serials[8 * LENGTH];
        struct writer out = wr_of(serials, sizeof serials);
        if (x->origin != 100 + i - TOPICS) continue;
        for (uint32_t k = 0; k < x->n; k++) {
            wr_u32be(&out, (uint32_t)(x->serial[k] >> 32));
            wr_u32be(&out, (uint32_t)x->serial[k]);
        }
        record_put_origin(b, &(struct record_origin){x->origin, x->n, serials});
        return true;
    }
    return false;
}

enum { THINGS = SIDS * PARTS + TOPICS + ORIGINS };

/* From now on: `steps` things, then a bit of life, and so on. What a restart would make of it. */
static void take_snapshot(struct world *w, struct image *from, unsigned steps)
{
    unsigned begin = w->n;
    for (unsigned i = 0; i < THINGS; i++) {
        struct record_buf b;
        if (!snapshot_thing(w, i, &b)) continue;
        struct store_record s = record_stored(&b, (struct store_ref){0});
        s.snapshot = true;
        assert_int_equal(image_apply(from, &s), 0);
        record_stored_free(&s);
        if (pick(w, steps) == 0) live(w);
    }
    for (unsigned i = 0; i < 20; i++)
        live(w);
    for (unsigned i = begin; i < w->n; i++)
        assert_int_equal(image_apply(from, &w->log[i]), 0);
}

static void assert_same(struct image *a, struct image *b)
{
    assert_int_equal(image_finish(a), 0);
    assert_int_equal(image_finish(b), 0);
    struct image_text *x = image_text_new(a, false), *y = image_text_new(b, false);
    assert_true(image_text_same(x, y));
    free(x);
    free(y);
}

/* What the plain history says, each record once. */
static void plain(const struct world *w, struct image *im)
{
    image_init(im, 2);
    for (unsigned i = 0; i < w->n; i++)
        assert_int_equal(image_apply(im, &w->log[i]), 0);
}

static void a_snapshot_of_any_moments_and_the_rest_is_the_whole_history(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct world w;
        struct image from, whole;
        world_init(&w, seed);
        unsigned before = pick(&w, LENGTH / 2);
        for (unsigned i = 0; i < before; i++)
            live(&w);
        image_init(&from, 3);
        take_snapshot(&w, &from, 1 + pick(&w, 8));
        plain(&w, &whole);
        assert_same(&from, &whole);
        image_fini(&from);
        image_fini(&whole);
        world_fini(&w);
    }
}

static void records_that_come_twice_do_no_harm(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct world w;
        struct image once, each_twice, all_twice;
        world_init(&w, 1000 + seed);
        for (unsigned i = 0; i < LENGTH; i++)
            live(&w);
        plain(&w, &once);
        plain(&w, &all_twice);
        image_init(&each_twice, 3);
        for (unsigned i = 0; i < w.n; i++) {
            assert_int_equal(image_apply(&all_twice, &w.log[i]), 0);
            assert_int_equal(image_apply(&each_twice, &w.log[i]), 0);
            assert_int_equal(image_apply(&each_twice, &w.log[i]), 0);
        }
        assert_same(&once, &each_twice);
        assert_same(&once, &all_twice);
        image_fini(&once);
        image_fini(&each_twice);
        image_fini(&all_twice);
        world_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_of_any_moments_and_the_rest_is_the_whole_history),
        cmocka_unit_test(records_that_come_twice_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
