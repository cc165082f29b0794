/* SPDX-License-Identifier: BSD-3-Clause */
/* record.c -- the small records: what was received, what was done with, what other cores' sessions
 * have sent here; and the names of all. */
#include "broker/journal/record.h"

#include "broker/journal/record_internal.h"

const char *record_name(uint8_t type)
{
    static const char *const names[] = {
        [RECORD_SESSION] = "SESSION",
        [RECORD_SESSION_END] = "SESSION_END",
        [RECORD_SUBSCRIBED] = "SUBSCRIBED",
        [RECORD_UNSUBSCRIBED] = "UNSUBSCRIBED",
        [RECORD_BODY] = "BODY",
        [RECORD_ENTRY] = "ENTRY",
        [RECORD_FLIGHT] = "FLIGHT",
        [RECORD_DONE] = "DONE",
        [RECORD_RECEIVED] = "RECEIVED",
        [RECORD_RELEASED] = "RELEASED",
        [RECORD_RETAINED] = "RETAINED",
        [RECORD_CLEARED] = "CLEARED",
        [RECORD_ORIGIN] = "ORIGIN",
    };
    return type < sizeof names / sizeof names[0] && names[type] ? names[type] : "unknown";
}

static const struct bytes no_key = {(const uint8_t *)"", 0};

/* ---- FLIGHT, DONE ------------------------------------------------------------------ */

void record_put_flight(struct record_buf *b, const struct record_flight_change *r)
{
    struct record_writer rw = record_begin(b, RECORD_FLIGHT, 0, no_key);
    wr_u64be(&rw.w, r->sid);
    wr_u64be(&rw.w, r->seq);
    wr_u8(&rw.w, r->state);
    wr_u32be(&rw.w, r->flight);
    record_cut(&rw);
}

void record_put_done(struct record_buf *b, const struct record_flight_change *r)
{
    struct record_writer rw = record_begin(b, RECORD_DONE, STORE_RESERVE | STORE_LAZY, no_key);
    wr_u64be(&rw.w, r->sid);
    wr_u64be(&rw.w, r->seq);
    record_cut(&rw);
}

int record_get_flight(const struct store_record *s, struct record_flight_change *r)
{
    int err;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_FLIGHT || s->type == RECORD_DONE);
    *r = (struct record_flight_change){0};
    if (err < 0) return err;
    r->sid = rd_u64be(&in);
    r->seq = rd_u64be(&in);
    if (s->type == RECORD_FLIGHT) {
        r->state = rd_u8(&in);
        r->flight = rd_u32be(&in);
    }
    return record_close(&in, r->sid != 0 && r->state <= RECORD_CONFIRMED && s->key.n == 0);
}

/* ---- RECEIVED, RELEASED -------------------------------------------------------------- */

void record_put_received(struct record_buf *b, const struct record_received *r)
{
    struct record_writer rw = record_begin(b, RECORD_RECEIVED, 0, no_key);
    wr_u64be(&rw.w, r->sid);
    wr_u16be(&rw.w, r->packet_id);
    wr_u8(&rw.w, r->accepted);
    wr_u64be(&rw.w, r->serial);
    record_cut(&rw);
}

void record_put_released(struct record_buf *b, const struct record_received *r)
{
    struct record_writer rw = record_begin(b, RECORD_RELEASED, STORE_RESERVE, no_key);
    wr_u64be(&rw.w, r->sid);
    wr_u16be(&rw.w, r->packet_id);
    record_cut(&rw);
}

int record_get_received(const struct store_record *s, struct record_received *r)
{
    int err;
    uint8_t accepted = 0;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_RECEIVED || s->type == RECORD_RELEASED);
    *r = (struct record_received){0};
    if (err < 0) return err;
    r->sid = rd_u64be(&in);
    r->packet_id = rd_u16be(&in);
    if (s->type == RECORD_RECEIVED) {
        accepted = rd_u8(&in);
        r->serial = rd_u64be(&in);
    }
    r->accepted = accepted == 1;
    return record_close(&in, r->sid != 0 && r->packet_id != 0 && accepted <= 1 && s->key.n == 0);
}

/* ---- ORIGIN ---------------------------------------------------------------------------- */

void record_put_origin(struct record_buf *b, const struct record_origin *r)
{
    struct record_writer rw = record_begin(b, RECORD_ORIGIN, 0, no_key);
    ASSERT(r->nserials <= RECORD_SERIALS);
    wr_u64be(&rw.w, r->origin);
    record_cut(&rw);
    record_lend(&rw, bytes_of(r->serials, 8 * (size_t)r->nserials));
}

int record_get_origin(const struct store_record *s, struct record_origin *r)
{
    int err;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_ORIGIN);
    *r = (struct record_origin){0};
    if (err < 0) return err;
    r->origin = rd_u64be(&in);
    struct bytes rest = rd_rest(&in);
    if (rest.n % 8 != 0 || rest.n / 8 > RECORD_SERIALS) return -ERR_CORRUPT;
    r->serials = rest.p;
    r->nserials = (uint32_t)(rest.n / 8);
    return record_close(&in, r->origin != 0 && s->key.n == 0);
}

uint64_t record_serial(const struct record_origin *r, uint32_t i)
{
    ASSERT(i < r->nserials);
    struct reader in = rd_of(bytes_of(r->serials + 8 * (size_t)i, 8));
    return rd_u64be(&in);
}
