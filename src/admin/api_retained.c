/* SPDX-License-Identifier: BSD-3-Clause */
/* api_retained.c -- a topic's retained message, and its end. To clear one is to publish an empty
 * one [MQTT-3.3.1-6], so subscribers hear of it, and it happens in the topic's order. */
#include "admin/list.h"
#include "admin/topic.h"
#include "base/err.h"
#include "broker/access/acl.h"
#include "broker/inspect.h"

enum { PAYLOAD_SHOWN = 1 << 20 };

/* ---- one topic ------------------------------------------------------------------------------ */

struct one {
    struct ask ask;
    struct param_text topic;
    struct json_out out;
    int status;
    bool found;
};

static struct one *one_of(struct ask *a)
{
    return CONTAINER_OF(a, struct one, ask);
}

static void fini(struct ask *a)
{
    json_out_fini(&one_of(a)->out);
}

static bool put_message(const struct inspect_topic *t, void *arg)
{
    struct json_out *j = &((struct one *)arg)->out;
    struct bytes payload = message_payload(t->retained);

    json_out_open(j, NULL, '{');
    json_out_text(j, "topic", t->topic);
    json_out_number(j, "qos", t->retained->qos);
    json_out_number(j, "payload_bytes", payload.n);
    if (t->expires_in_s == UINT32_MAX)
        json_out_null(j, "expires_in_seconds");
    else
        json_out_number(j, "expires_in_seconds", t->expires_in_s);
    if (payload.n <= PAYLOAD_SHOWN) json_out_payload(j, "payload", payload);
    json_out_close(j, '}');
    return true;
}

static void look(struct ask *a, struct broker *there)
{
    struct one *o = one_of(a);

    o->found = inspect_retained_one(there, param_bytes(&o->topic), put_message, o);
}

static void show(struct ask *a)
{
    struct one *o = one_of(a);
    struct http_answer answer = {
        .status = 200, .type = BYTES("application/json"), .body = json_out_bytes(&o->out)};

    if (!o->found)
        admin_problem(a->x, 404, "topic", "it has no retained message");
    else if (o->out.failed)
        admin_problem(a->x, 503, NULL, "out of memory");
    else
        http_answer(a->x, &answer);
    ask_done(a);
}

static int clear(struct broker *there, struct bytes topic)
{
    struct publication p = {
        .topic = topic, .topic_hash = broker_topic_hash(there, topic), .retain = true};

    return broker_publish_here(there, &p);
}

static bool note(const struct inspect_topic *t, void *arg)
{
    (void)t;
    (void)arg;
    return true;
}

static void look_and_clear(struct ask *a, struct broker *there)
{
    struct one *o = one_of(a);
    struct bytes topic = param_bytes(&o->topic);

    o->found = inspect_retained_one(there, topic, note, NULL);
    if (o->found) o->status = clear(there, topic);
}

static void cleared(struct ask *a)
{
    const struct one *o = one_of(a);

    if (!o->found)
        admin_problem(a->x, 404, "topic", "it has no retained message");
    else if (o->status < 0)
        admin_problem(a->x, 503, NULL, err_text(o->status));
    else
        http_answer(a->x, &(struct http_answer){.status = 204});
    ask_done(a);
}

/* Reads the topic, which the broker alone may clear below $SYS. False: answered. */
static bool take_topic(struct http_exchange *x, struct param_text *t)
{
    if (!param_known(x, "") || !param_segment(x, 3, "topic", t)) return false;
    const char *fault = topic_fault(param_bytes(t));
    if (!fault && x->head.method == HTTP_DELETE && acl_reserved(param_bytes(t)))
        fault = "the broker alone writes to $SYS";
    return topic_good(x, "topic", fault);
}

static void begin(struct http_exchange *x, const struct ask_kind *kind)
{
    struct ask *a = ask_new(x, kind);

    if (!a) return;
    if (!take_topic(x, &one_of(a)->topic)) {
        ask_done(a);
        return;
    }
    const struct broker *b = a->admin->broker;
    struct bytes topic = param_bytes(&one_of(a)->topic);
    ask_send(a, broker_owner(b, broker_topic_hash(b, topic)));
}

void admin_on_retained_one(struct http_exchange *x)
{
    static const struct ask_kind kind = {
        .bytes = sizeof(struct one), .look = look, .back = show, .fini = fini};

    begin(x, &kind);
}

void admin_on_retained_one_delete(struct http_exchange *x)
{
    static const struct ask_kind kind = {
        .bytes = sizeof(struct one), .look = look_and_clear, .back = cleared, .fini = fini};

    begin(x, &kind);
}

/* ---- all that match a filter ---------------------------------------------------------------- */

enum { CLEAR_STEP = 64 };

/* Clears as it goes; the page holds the topics that were cleared. */
struct found {
    struct list *list;
    unsigned n;
    struct message *at[CLEAR_STEP];
};

static bool collect(const struct inspect_topic *t, void *arg)
{
    struct found *f = arg;

    if (acl_reserved(t->topic) || !name_matches(param_bytes(&f->list->text), t->topic)) return true;
    f->at[f->n] = (struct message *)(uintptr_t)t->retained; /* at home here: retained ones are */
    message_ref(f->at[f->n++]);
    json_out_text(&f->list->out, NULL, t->topic);
    return list_added(f->list) && f->n < CLEAR_STEP;
}

static uint64_t step(struct list *l, struct broker *there)
{
    struct found f = {.list = l};
    uint64_t place = inspect_retained(there, l->place, collect, &f);

    for (unsigned i = 0; i < f.n; i++) {
        if (clear(there, message_topic(f.at[i])) < 0) l->out.failed = true;
        message_unref(broker_core(there), f.at[i]);
    }
    return place;
}

static bool take(struct list *l)
{
    if (!param_text(l->ask.x, "filter", &l->text)) return false;
    return topic_good(l->ask.x, "filter", topic_filter_fault(param_bytes(&l->text)));
}

void admin_on_retained_delete(struct http_exchange *x)
{
    static const struct list_kind kind = {
        .name = "cleared", .params = " filter", .take = take, .step = {step}};

    list_begin(x, &kind);
}
