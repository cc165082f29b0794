/* SPDX-License-Identifier: BSD-3-Clause */
/* record_session.c -- what is written of a session and of its subscriptions. Keys are names of
 * clients' choosing; a name may fill a key, so numbers stand in the body. */
#include "broker/journal/durability.h"
#include "broker/journal/record_message.h"

enum { SESSION_NAMED = 1, SESSION_HAS_WILL = 2 };

/* ---- SESSION, SESSION_END ---------------------------------------------------------- */

static void put_will(struct record_writer *rw, const struct record_session *r)
{
    ASSERT(r->will.topic.n <= UINT16_MAX);
    wr_u32be(&rw->w, r->will_delay_s);
    wr_u16be(&rw->w, (uint16_t)r->will.topic.n);
    record_cut(rw);
    record_lend(rw, r->will.topic);
    record_message_put(rw, &r->will);
}

void record_put_session(struct record_buf *b, const struct record_session *r)
{
    struct record_writer rw = record_begin(b, RECORD_SESSION, 0, r->client_id);
    ASSERT(r->user.n <= UINT16_MAX);
    wr_u8(&rw.w, r->tenant);
    wr_u64be(&rw.w, r->sid);
    wr_u64be(&rw.w, r->serial);
    wr_u32be(&rw.w, r->flight);
    wr_u32be(&rw.w, r->expiry_s);
    wr_u64be(&rw.w, r->gone_ms);
    wr_u32be(&rw.w, r->cohort);
    wr_u8(&rw.w, r->durability);
    wr_u8(&rw.w, (uint8_t)((r->named ? SESSION_NAMED : 0) | (r->has_will ? SESSION_HAS_WILL : 0)));
    wr_u16be(&rw.w, (uint16_t)r->user.n);
    record_cut(&rw);
    record_lend(&rw, r->user);
    if (r->has_will) put_will(&rw, r);
}

void record_put_session_end(struct record_buf *b, const struct record_session *r)
{
    struct record_writer rw = record_begin(b, RECORD_SESSION_END, STORE_RESERVE, r->client_id);
    wr_u8(&rw.w, r->tenant);
    wr_u64be(&rw.w, r->sid);
    record_cut(&rw);
}

static bool get_will(struct reader *in, struct record_session *r)
{
    r->will_delay_s = rd_u32be(in);
    r->will.topic = rd_take(in, rd_u16be(in));
    return record_message_get(in, &r->will);
}

int record_get_session(const struct store_record *s, struct record_session *r)
{
    int err;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_SESSION || s->type == RECORD_SESSION_END);
    *r = (struct record_session){.client_id = s->key};
    if (err < 0) return err;
    r->tenant = rd_u8(&in);
    r->sid = rd_u64be(&in);
    if (s->type == RECORD_SESSION_END) return record_close(&in, r->sid != 0);

    r->serial = rd_u64be(&in);
    r->flight = rd_u32be(&in);
    r->expiry_s = rd_u32be(&in);
    r->gone_ms = rd_u64be(&in);
    r->cohort = rd_u32be(&in);
    r->durability = rd_u8(&in);
    uint8_t flags = rd_u8(&in);
    r->named = flags & SESSION_NAMED;
    r->has_will = flags & SESSION_HAS_WILL;
    r->user = rd_take(&in, rd_u16be(&in));
    bool sound = r->sid != 0 && r->durability <= DURABILITY_COMMIT &&
                 flags <= (SESSION_NAMED | SESSION_HAS_WILL) && (r->named || r->user.n == 0);
    if (r->has_will && !get_will(&in, r)) sound = false;
    return record_close(&in, sound);
}

/* ---- SUBSCRIBED, UNSUBSCRIBED -------------------------------------------------------- */

enum { OPTION_QOS = 3, OPTION_NO_LOCAL = 4, OPTION_AS_PUBLISHED = 8 }; /* as in MQTT 5.0 */

void record_put_subscribed(struct record_buf *b, const struct record_subscription *r)
{
    struct record_writer rw = record_begin(b, RECORD_SUBSCRIBED, 0, r->filter);
    wr_u64be(&rw.w, r->sid);
    wr_u8(&rw.w, (uint8_t)(r->qos | (r->no_local ? OPTION_NO_LOCAL : 0) |
                           (r->retain_as_published ? OPTION_AS_PUBLISHED : 0)));
    wr_u32be(&rw.w, r->sub_id);
    record_cut(&rw);
}

void record_put_unsubscribed(struct record_buf *b, const struct record_subscription *r)
{
    struct record_writer rw = record_begin(b, RECORD_UNSUBSCRIBED, STORE_RESERVE, r->filter);
    wr_u64be(&rw.w, r->sid);
    record_cut(&rw);
}

int record_get_subscription(const struct store_record *s, struct record_subscription *r)
{
    int err;
    uint8_t options = 0;
    struct reader in = record_open(s, &err);
    ASSERT(s->type == RECORD_SUBSCRIBED || s->type == RECORD_UNSUBSCRIBED);
    *r = (struct record_subscription){.filter = s->key};
    if (err < 0) return err;
    r->sid = rd_u64be(&in);
    if (s->type == RECORD_SUBSCRIBED) {
        options = rd_u8(&in);
        r->sub_id = rd_u32be(&in);
    }
    r->qos = options & OPTION_QOS;
    r->no_local = options & OPTION_NO_LOCAL;
    r->retain_as_published = options & OPTION_AS_PUBLISHED;
    bool known = options <= (OPTION_QOS | OPTION_NO_LOCAL | OPTION_AS_PUBLISHED);
    return record_close(&in, r->sid != 0 && known && r->qos <= 2 && r->filter.n > 0);
}
