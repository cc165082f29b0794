/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/inspect.h"

#include "broker/internal.h"
#include "broker/retain_node.h"

struct show {
    struct broker *broker;
    union {
        inspect_client_fn *client;
        inspect_subscription_fn *subscription;
        inspect_topic_fn *topic;
    } fn;
    void *arg;
};

/* ---- clients -------------------------------------------------------------------------------- */

static uint64_t wall_ms_of(const struct core *c, uint32_t at_s)
{
    int32_t ago_s = (int32_t)(core_now_s(c) - at_s); /* after a restart it may be modulo 2^32 */
    uint64_t part_ms = c->clock.now_ns / NS_PER_MS % 1000;

    return ago_s >= 0 ? c->clock.wall_ms - (uint64_t)ago_s * 1000 - part_ms : c->clock.wall_ms;
}

static bool show_client(void *item, void *arg)
{
    const struct session *s = item;
    const struct show *show = arg;
    struct inspect_client c = {
        .client_id = session_client_id(s),
        .user = identity_user(s->identity),
        .connected = s->ops != NULL,
        .since_ms = wall_ms_of(show->broker->core, s->ops ? s->come_s : s->gone_s),
        .subscriptions = s->nsubs,
        .queued = s->queue.tail - s->queue.head,
        .queued_bytes = s->queue_bytes,
        .in_flight = s->in_flight,
        .retained_due = s->retained_due,
        .expiry_s = s->expiry_s,
        .has_will = s->will != NULL,
    };

    uint32_t now_s = core_now_s(show->broker->core);
    if (s->trace_until_s > now_s) c.trace_s = s->trace_until_s - now_s;
    if (s->ops && s->ops->describe) s->ops->describe(s, &c.connection);
    return show->fn.client(&c, show->arg);
}

uint64_t inspect_clients(struct broker *b, uint64_t place, inspect_client_fn *fn, void *arg)
{
    struct show show = {.broker = b, .fn.client = fn, .arg = arg};

    return table_walk(&b->sessions, place, INSPECT_STEP, show_client, &show);
}

bool inspect_client(struct broker *b, struct bytes client_id, inspect_client_fn *fn, void *arg)
{
    struct show show = {.broker = b, .fn.client = fn, .arg = arg};
    struct session *s = session_find(b, 0, client_id);

    if (s) show_client(s, &show);
    return s != NULL;
}

/* ---- subscriptions -------------------------------------------------------------------------- */

static bool show_subscription(void *item, void *arg)
{
    const struct sub *x = item;
    const struct show *show = arg;
    struct inspect_subscription s = {
        .client_id = session_client_id(x->session),
        .filter = filter_entry_name(&x->filter->entry),
        .id = x->sub_id,
        .qos = x->qos,
        .no_local = x->no_local,
        .retain_as_published = x->retain_as_published,
    };

    return show->fn.subscription(&s, show->arg);
}

uint64_t inspect_subscriptions(struct broker *b, uint64_t place, inspect_subscription_fn *fn,
                               void *arg)
{
    struct show show = {.broker = b, .fn.subscription = fn, .arg = arg};

    return table_walk(&b->subs, place, INSPECT_STEP, show_subscription, &show);
}

void inspect_subscriptions_of(struct broker *b, struct bytes client_id, unsigned most,
                              inspect_subscription_fn *fn, void *arg)
{
    struct show show = {.broker = b, .fn.subscription = fn, .arg = arg};
    const struct session *s = session_find(b, 0, client_id);

    for (struct sub *x = s ? s->subs : NULL; x && most > 0; x = x->session_next, most--)
        if (!show_subscription(x, &show)) return;
}

/* ---- topics --------------------------------------------------------------------------------- */

static void note_match(struct filter_entry *e, void *arg)
{
    bool *any = arg;

    (void)e;
    *any = true;
}

static bool show_message(const struct message *m, const struct show *show)
{
    struct broker *b = show->broker;
    uint32_t now_s = core_now_s(b->core);
    struct inspect_topic t = {
        .topic = message_topic(m),
        .retained = m,
        .expires_in_s = m->flags & MESSAGE_EXPIRES ? m->expires_s - now_s : UINT32_MAX,
    };

    filters_match(&b->interest, t.topic, m->topic_hash, note_match, &t.subscribed);
    return show->fn.topic(&t, show->arg);
}

static bool show_node(void *item, void *arg)
{
    const struct retain_node *n = item;
    const struct show *show = arg;

    if (!n->message || message_expired(n->message, core_now_s(show->broker->core))) return true;
    return show_message(n->message, show);
}

uint64_t inspect_retained(struct broker *b, uint64_t place, inspect_topic_fn *fn, void *arg)
{
    struct show show = {.broker = b, .fn.topic = fn, .arg = arg};

    return table_walk(&b->retain.paths, place, INSPECT_STEP, show_node, &show);
}

bool inspect_retained_one(struct broker *b, struct bytes topic, inspect_topic_fn *fn, void *arg)
{
    struct show show = {.broker = b, .fn.topic = fn, .arg = arg};
    struct message *m = retain_get(&b->retain, topic, name_hash(b->seed, topic));

    if (m) show_message(m, &show);
    return m != NULL;
}

static bool show_interest(void *item, void *arg)
{
    const struct filter_entry *e = item;
    const struct show *show = arg;
    struct inspect_topic t = {.topic = filter_entry_filter(e), .subscribed = true};
    struct broker *b = show->broker;

    if (retain_get(&b->retain, t.topic, name_hash(b->seed, t.topic))) return true;
    return show->fn.topic(&t, show->arg);
}

uint64_t inspect_interest(struct broker *b, uint64_t place, inspect_topic_fn *fn, void *arg)
{
    struct show show = {.broker = b, .fn.topic = fn, .arg = arg};

    return table_walk(&b->interest.exact, place, INSPECT_STEP, show_interest, &show);
}
