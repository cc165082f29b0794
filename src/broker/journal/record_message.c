/* SPDX-License-Identifier: BSD-3-Clause */
/* record_message.c -- messages, and the entries that refer to them. */
#include "broker/journal/record_message.h"

enum { FLAG_RETAIN = 1 };

/* ---- BODY, RETAINED, CLEARED --------------------------------------------------------- */

void record_message_put(struct record_writer *rw, const struct record_message *r)
{
    ASSERT(r->props.n <= UINT32_MAX);
    wr_u8(&rw->w, r->qos);
    wr_u8(&rw->w, r->retain ? FLAG_RETAIN : 0);
    wr_u64be(&rw->w, r->expires_ms);
    wr_u64be(&rw->w, r->origin);
    wr_u64be(&rw->w, r->serial);
    wr_u16be(&rw->w, r->low_water);
    wr_u32be(&rw->w, (uint32_t)r->props.n);
    record_cut(rw);
    record_lend(rw, r->props);
    record_lend(rw, r->payload);
}

bool record_message_get(struct reader *in, struct record_message *r)
{
    r->qos = rd_u8(in);
    uint8_t flags = rd_u8(in);
    r->retain = flags & FLAG_RETAIN;
    r->expires_ms = rd_u64be(in);
    r->origin = rd_u64be(in);
    r->serial = rd_u64be(in);
    r->low_water = rd_u16be(in);
    r->props = rd_take(in, rd_u32be(in));
    r->payload = rd_rest(in);
    return r->qos <= 2 && flags <= FLAG_RETAIN && r->topic.n > 0;
}

static void put_message(struct record_buf *b, enum record_type type, uint8_t flags,
                        const struct record_message *r)
{
    struct record_writer rw = record_begin(b, type, flags, r->topic);
    record_message_put(&rw, r);
}

void record_put_body(struct record_buf *b, const struct record_message *r)
{
    put_message(b, RECORD_BODY, STORE_KEEP, r);
}

void record_put_retained(struct record_buf *b, const struct record_message *r)
{
    put_message(b, RECORD_RETAINED, 0, r);
}

int record_get_message(const struct store_record *s, struct record_message *r)
{
    int err;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_BODY || s->type == RECORD_RETAINED);
    *r = (struct record_message){.topic = s->key};
    if (err < 0) return err;
    bool sound = record_message_get(&in, r);
    return record_close(&in, sound);
}

void record_put_cleared(struct record_buf *b, struct bytes topic)
{
    record_begin(b, RECORD_CLEARED, STORE_RESERVE, topic);
}

int record_get_cleared(const struct store_record *s, struct bytes *topic)
{
    int err;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_CLEARED);
    *topic = s->key;
    return err < 0 ? err : record_close(&in, topic->n > 0);
}

/* ---- ENTRY ------------------------------------------------------------------------------ */

void record_put_entry(struct record_buf *b, const struct record_entry *r)
{
    struct record_writer rw = record_begin(b, RECORD_ENTRY, 0, r->group);
    ASSERT(r->nsub_ids <= RECORD_SUB_IDS);
    wr_u64be(&rw.w, r->sid);
    wr_u64be(&rw.w, r->seq);
    wr_u64be(&rw.w, r->body.pos);
    wr_u32be(&rw.w, r->body.bytes);
    wr_u8(&rw.w, r->qos);
    wr_u8(&rw.w, r->retain ? FLAG_RETAIN : 0);
    wr_u8(&rw.w, r->state);
    wr_u32be(&rw.w, r->flight);
    wr_u32be(&rw.w, r->message_bytes);
    wr_u8(&rw.w, r->nsub_ids);
    for (unsigned i = 0; i < r->nsub_ids; i++)
        wr_u32be(&rw.w, r->sub_id[i]);
    record_cut(&rw);
}

int record_get_entry(const struct store_record *s, struct record_entry *r)
{
    int err;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_ENTRY);
    *r = (struct record_entry){.group = s->key};
    if (err < 0) return err;
    r->sid = rd_u64be(&in);
    r->seq = rd_u64be(&in);
    r->body.pos = rd_u64be(&in);
    r->body.bytes = rd_u32be(&in);
    r->qos = rd_u8(&in);
    uint8_t flags = rd_u8(&in);
    r->retain = flags & FLAG_RETAIN;
    r->state = rd_u8(&in);
    r->flight = rd_u32be(&in);
    r->message_bytes = rd_u32be(&in);
    r->nsub_ids = rd_u8(&in);
    if (r->nsub_ids > RECORD_SUB_IDS) return -ERR_CORRUPT;
    for (unsigned i = 0; i < r->nsub_ids; i++)
        r->sub_id[i] = rd_u32be(&in);
    bool has_body = r->body.pos != 0 && r->body.bytes != 0;
    bool done_with = r->state == RECORD_CONFIRMED && r->body.pos == 0 && r->body.bytes == 0;
    return record_close(&in, r->sid != 0 && (has_body || done_with) && r->qos <= 2 &&
                                 flags <= FLAG_RETAIN && r->state <= RECORD_CONFIRMED);
}
