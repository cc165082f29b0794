/* SPDX-License-Identifier: BSD-3-Clause */
/* api_topics.c -- topics: those with a retained message, and those somebody has subscribed to.
 * Their owners know. Payloads are not in the lists: api_retained.c shows one. */
#include "admin/list.h"
#include "admin/topic.h"
#include "broker/inspect.h"

static bool is_asked_for(const struct list *l, struct bytes topic)
{
    return l->text.n == 0 || name_matches(param_bytes(&l->text), topic);
}

static void put_retained(struct json_out *j, const struct inspect_topic *t)
{
    json_out_number(j, "qos", t->retained->qos);
    json_out_number(j, "payload_bytes", t->retained->payload_len);
    if (t->expires_in_s == UINT32_MAX)
        json_out_null(j, "expires_in_seconds");
    else
        json_out_number(j, "expires_in_seconds", t->expires_in_s);
}

static bool add_retained(const struct inspect_topic *t, void *arg)
{
    struct list *l = arg;

    if (!is_asked_for(l, t->topic)) return true;
    json_out_open(&l->out, NULL, '{');
    json_out_text(&l->out, "topic", t->topic);
    put_retained(&l->out, t);
    json_out_close(&l->out, '}');
    return list_added(l);
}

static bool add_topic(const struct inspect_topic *t, void *arg)
{
    struct list *l = arg;

    if (!is_asked_for(l, t->topic)) return true;
    json_out_open(&l->out, NULL, '{');
    json_out_text(&l->out, "topic", t->topic);
    json_out_bool(&l->out, "retained", t->retained != NULL);
    json_out_bool(&l->out, "subscribed", t->subscribed);
    json_out_close(&l->out, '}');
    return list_added(l);
}

static uint64_t step_retained(struct list *l, struct broker *there)
{
    return inspect_retained(there, l->place, add_retained, l);
}

static uint64_t step_topics(struct list *l, struct broker *there)
{
    return inspect_retained(there, l->place, add_topic, l);
}

static uint64_t step_interest(struct list *l, struct broker *there)
{
    return inspect_interest(there, l->place, add_topic, l);
}

/* A filter without wildcards is a topic, and has one owner. */
static bool take(struct list *l)
{
    const struct broker *b = l->ask.admin->broker;

    if (!param_text(l->ask.x, "filter", &l->text)) return false;
    struct bytes filter = param_bytes(&l->text);
    if (filter.n == 0) return true;
    if (!topic_good(l->ask.x, "filter", topic_filter_fault(filter))) return false;
    if (!name_has_wildcard(filter)) l->only = 1 + broker_owner(b, broker_topic_hash(b, filter));
    return true;
}

void admin_on_retained(struct http_exchange *x)
{
    static const struct list_kind kind = {
        .name = "retained", .params = " filter", .take = take, .step = {step_retained}};

    list_begin(x, &kind);
}

void admin_on_topics(struct http_exchange *x)
{
    static const struct list_kind kind = {
        .name = "topics", .params = " filter", .take = take, .step = {step_topics, step_interest}};

    list_begin(x, &kind);
}
