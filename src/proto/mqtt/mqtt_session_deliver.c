/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_deliver.c -- PUBLISH to a client: the sink that the broker delivers into.
 *
 * A message with many subscribers is encoded once per version and core: the first
 * subscriber gets it straight into his out-queue, the second one's copy is kept, and all
 * others get that, with the first byte and the packet id put right. Payloads from
 * SHARE_MIN on are not copied at all. */
#include "proto/mqtt/mqtt_session_internal.h"

/* A message of another core is copied to be kept up to MESSAGE_COPY_MAX: below, sharing
 * would only add a block to the copy. */
enum { SHARE_MIN = MESSAGE_COPY_MAX };

static uint8_t first_byte(const struct delivery *d)
{
    return (uint8_t)(MQTT_PUBLISH << 4 | d->dup << 3 | d->qos << 1 | d->retain);
}

static struct mqtt_publish_out packet_of(const struct mqtt *m, const struct delivery *d)
{
    const struct message *msg = d->m;
    struct mqtt_publish_out p = {
        .topic = message_topic(msg),
        .payload = message_payload(msg),
        .props = message_props(msg),
        .sub_ids = d->sub_ids,
        .nsub_ids = d->nsub_ids,
        .qos = d->qos,
        .retain = d->retain,
        .dup = d->dup,
        .packet_id = d->packet_id,
    };
    if (msg->flags & MESSAGE_EXPIRES) { /* what is left of it [MQTT-3.3.2-6] */
        uint32_t now_s = core_now_s(m->core->core);
        p.has_expiry = true;
        p.expiry_s = msg->expires_s > now_s ? msg->expires_s - now_s : 0;
    }
    return p;
}

/* ---- the bytes ---------------------------------------------------------------------------- */

static void unref(void *core, void *message)
{
    message_unref(core, message);
}

/* What stands before the payload, which is `n` bytes long. */
static void put_head(struct mqtt *m, const struct mqtt_publish_out *p, size_t n)
{
    enum mqtt_version v = (enum mqtt_version)m->version;

    if (n > OUTQ_COPY_MAX) {
        mqtt_encode_publish_head(m->core->scratch, v, p, NULL);
        conn_send(m->conn, bytes_of(m->core->scratch, n));
        return;
    }
    uint8_t *at = conn_reserve(m->conn, n);
    if (!at) return;
    mqtt_encode_publish_head(at, v, p, NULL);
    conn_commit(m->conn, n);
}

static void put_shared(struct mqtt *m, const struct mqtt_publish_out *p, size_t head,
                       struct message *msg)
{
    struct core *core = m->core->core;
    struct message *kept = message_keep(core, msg);

    if (!kept) {
        conn_close(m->conn, -ERR_NOMEM);
        return;
    }
    put_head(m, p, head);
    conn_send_shared(m->conn, message_payload(kept), unref, core, kept);
}

static void put_copied(struct mqtt *m, const struct mqtt_publish_out *p, size_t head)
{
    size_t n = head + p->payload.n;

    if (n > OUTQ_COPY_MAX) {
        put_head(m, p, head);
        conn_send(m->conn, p->payload);
        return;
    }
    uint8_t *at = conn_reserve(m->conn, n);
    if (!at) return;
    mqtt_encode_publish_head(at, (enum mqtt_version)m->version, p, NULL);
    if (p->payload.n) memcpy(at + head, p->payload.p, p->payload.n);
    conn_commit(m->conn, n);
}

/* Encodes for this client alone. Memory that runs out closes the connection: what is above
 * QoS 0 stays in flight and is sent again when the client comes back. */
static int put(struct mqtt *m, const struct mqtt_publish_out *p, struct message *msg)
{
    size_t n = mqtt_publish_size((enum mqtt_version)m->version, p);
    size_t head = n - p->payload.n;

    if (n > m->packet_max || head > m->core->scratch_bytes)
        return -ERR_TOO_LARGE; /* [MQTT-3.1.2-24] [MQTT-3.1.2-25] */
    if (p->payload.n < SHARE_MIN)
        put_copied(m, p, head);
    else
        put_shared(m, p, head, msg);
    return 0;
}

/* ---- aliases ----------------------------------------------------------------------------------
 */

static int put_with_alias(struct mqtt *m, struct mqtt_publish_out *p, struct message *msg)
{
    p->topic_alias = mqtt_alias_out_find(m, msg);
    if (p->topic_alias) {
        p->topic = bytes_of(NULL, 0);
        return put(m, p, msg);
    }
    p->topic_alias = mqtt_alias_out_next(m, msg);
    bool fits = mqtt_publish_size(MQTT_V5, p) <= m->packet_max;
    if (p->topic_alias && (!fits || !mqtt_alias_out_add(m, msg, p->topic_alias)))
        p->topic_alias = 0;
    return put(m, p, msg);
}

/* ---- encoding once ------------------------------------------------------------------------ */

static int put_encoded(struct mqtt *m, const struct delivery *d, const struct encoded *e)
{
    if (e->len > m->packet_max) return -ERR_TOO_LARGE; /* [MQTT-3.1.2-24] */
    uint8_t *at = conn_reserve(m->conn, e->len);
    if (!at) return 0;
    memcpy(at, e->bytes, e->len);
    at[0] = first_byte(d);
    if (d->qos) {
        at[e->id_at] = (uint8_t)(d->packet_id >> 8);
        at[e->id_at + 1] = (uint8_t)d->packet_id;
    }
    conn_commit(m->conn, e->len);
    return 0;
}

/* Keeps the packet for those who come after. False if it is not one to be copied. */
static bool encode(struct mqtt *m, const struct mqtt_publish_out *p, struct encoded *e)
{
    enum mqtt_version v = (enum mqtt_version)m->version;
    size_t n = mqtt_publish_size(v, p), id_at;

    if (n > sizeof e->bytes || p->payload.n >= SHARE_MIN) return false;
    size_t head = mqtt_encode_publish_head(e->bytes, v, p, &id_at);
    if (p->payload.n) memcpy(e->bytes + head, p->payload.p, p->payload.n);
    e->len = (uint32_t)n;
    e->id_at = (uint32_t)id_at;
    return true;
}

static int put_once_encoded(struct mqtt *m, const struct delivery *d)
{
    struct encoded *e = &m->core->encoded[mqtt_is_v5(m)][d->qos > 0];

    if (e->serial == d->serial && e->len) return put_encoded(m, d, e);
    struct mqtt_publish_out p = packet_of(m, d);
    bool second = e->serial == d->serial;
    e->serial = d->serial;
    e->len = 0;
    if (second && encode(m, &p, e)) return put_encoded(m, d, e);
    return put(m, &p, d->m);
}

/* Is the packet the same for every client of this version, but for first byte and id? */
static bool is_common(const struct mqtt *m, const struct delivery *d)
{
    if (!mqtt_is_v5(m)) return true;
    return d->nsub_ids == 0 && m->out_max == 0 && !(d->m->flags & MESSAGE_EXPIRES);
}

/* ---- struct sink_ops ---------------------------------------------------------------------- */

static void trace(const struct mqtt *m, const struct delivery *d)
{
    struct mqtt_traced p = {
        .topic = message_topic(d->m),
        .payload_bytes = d->m->payload_len,
        .packet_id = d->packet_id,
        .qos = d->qos,
        .retain = d->retain,
    };

    mqtt_trace_publish(m, MQTT_OUT, &p);
}

static int deliver(struct session *s, const struct delivery *d)
{
    struct mqtt *m = s->sink;

    /* As if it were gone already: what is above QoS 0 stays in flight. */
    if (UNLIKELY(m->conn->flags & CONN_CLOSING)) return 0;
    if (UNLIKELY(d->qos == 0 && conn_unsent(m->conn) >= m->core->out_bytes_max)) return -ERR_FULL;

    int err;
    if (LIKELY(is_common(m, d))) {
        err = put_once_encoded(m, d);
    } else {
        struct mqtt_publish_out p = packet_of(m, d);
        err = m->out_max ? put_with_alias(m, &p, d->m) : put(m, &p, d->m);
    }
    if (LIKELY(err == 0)) count(&m->core->core->counters, C_messages_sent);
    if (mqtt_is_traced(m)) trace(m, d);
    return err;
}

static bool ready(struct session *s)
{
    const struct mqtt *m = s->sink;

    return conn_unsent(m->conn) < m->core->out_bytes_max && !(m->conn->flags & CONN_CLOSING);
}

static_assert((int)SINK_PEER_TEXT >= (int)PEER_TEXT, "any address fits");

static void describe(const struct session *s, struct sink_facts *f)
{
    static const char *const names[] = {
        [MQTT_V31] = "MQTT 3.1", [MQTT_V311] = "MQTT 3.1.1", [MQTT_V5] = "MQTT 5.0"};
    const struct mqtt *m = s->sink;

    conn_peer_text(m->conn, f->peer);
    f->transport = conn_transport_text(m->conn);
    f->protocol = names[m->version];
    f->keep_alive_s = m->keep_alive_s;
    f->unsent_bytes = conn_unsent(m->conn);
}

static void hold(struct session *s, uint64_t pos)
{
    const struct mqtt *m = s->sink;

    conn_hold(m->conn, pos);
}

const struct sink_ops mqtt_sink_ops = {
    .send = deliver,
    .ready = ready,
    .release = mqtt_release,
    .accepted = mqtt_accepted,
    .kick = mqtt_kick,
    .describe = describe,
    .hold = hold,
};
