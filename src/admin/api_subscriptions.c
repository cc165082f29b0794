/* SPDX-License-Identifier: BSD-3-Clause */
/* api_subscriptions.c -- who has subscribed to what. The homes of the sessions know. */
#include "admin/list.h"
#include "broker/inspect.h"

static bool add(const struct inspect_subscription *s, void *arg)
{
    struct list *l = arg;

    if (l->text.n > 0 && !bytes_eq(s->client_id, param_bytes(&l->text))) return true;
    json_out_open(&l->out, NULL, '{');
    json_out_text(&l->out, "client", s->client_id);
    json_out_text(&l->out, "filter", s->filter);
    json_out_number(&l->out, "qos", s->qos);
    if (s->id) json_out_number(&l->out, "id", s->id);
    json_out_bool(&l->out, "no_local", s->no_local);
    json_out_bool(&l->out, "retain_as_published", s->retain_as_published);
    json_out_close(&l->out, '}');
    return list_added(l);
}

static uint64_t step(struct list *l, struct broker *there)
{
    return inspect_subscriptions(there, l->place, add, l);
}

static bool take(struct list *l)
{
    if (!param_text(l->ask.x, "client", &l->text)) return false;
    if (l->text.n > 0) l->only = 1 + broker_home(l->ask.admin->broker, 0, param_bytes(&l->text));
    return true;
}

void admin_on_subscriptions(struct http_exchange *x)
{
    static const struct list_kind kind = {
        .name = "subscriptions", .params = " client", .take = take, .step = {step}};

    list_begin(x, &kind);
}
