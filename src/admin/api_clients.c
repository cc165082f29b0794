/* SPDX-License-Identifier: BSD-3-Clause */
/* api_clients.c -- clients: who there is, one in full, and how to be rid of one. Their home knows.
 */
#include "admin/list.h"
#include "base/err.h"
#include "broker/inspect.h"

enum { SUBSCRIPTIONS_SHOWN = 100 };

/* ---- what is told of each ------------------------------------------------------------------- */

static void put_summary(struct json_out *j, const struct inspect_client *c)
{
    json_out_text(j, "id", c->client_id);
    json_out_text(j, "user", c->user);
    json_out_bool(j, "connected", c->connected);
    json_out_time(j, "since", c->since_ms);
    if (c->connected) json_out_str(j, "peer", c->connection.peer);
    if (c->connection.protocol) json_out_str(j, "protocol", c->connection.protocol);
    if (c->connection.transport) json_out_str(j, "transport", c->connection.transport);
    json_out_number(j, "subscriptions", c->subscriptions);
    json_out_number(j, "queued", c->queued);
    json_out_number(j, "in_flight", c->in_flight);
}

static void put_rest(struct json_out *j, const struct inspect_client *c)
{
    json_out_number(j, "queued_bytes", c->queued_bytes);
    json_out_number(j, "retained_due", c->retained_due);
    json_out_bool(j, "has_will", c->has_will);
    json_out_number(j, "trace_seconds", c->trace_s);
    if (c->expiry_s == SESSION_NEVER_EXPIRES)
        json_out_null(j, "session_expiry_seconds");
    else
        json_out_number(j, "session_expiry_seconds", c->expiry_s);
    if (!c->connected) return;
    json_out_number(j, "keep_alive_seconds", c->connection.keep_alive_s);
    json_out_number(j, "unsent_bytes", c->connection.unsent_bytes);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static bool add_client(const struct inspect_client *c, void *arg)
{
    struct list *l = arg;

    if (l->with_state && c->connected != l->connected) return true;
    if (!bytes_starts(c->client_id, param_bytes(&l->text))) return true;
    json_out_open(&l->out, NULL, '{');
    put_summary(&l->out, c);
    json_out_close(&l->out, '}');
    return list_added(l);
}

static uint64_t step(struct list *l, struct broker *there)
{
    return inspect_clients(there, l->place, add_client, l);
}

static bool take(struct list *l)
{
    return param_text(l->ask.x, "prefix", &l->text) &&
           param_bool(l->ask.x, "connected", &l->with_state, &l->connected);
}

void admin_on_clients(struct http_exchange *x)
{
    static const struct list_kind kind = {
        .name = "clients", .params = " prefix connected", .take = take, .step = {step}};

    list_begin(x, &kind);
}

/* ---- one of them ---------------------------------------------------------------------------- */

struct one {
    struct ask ask;
    struct param_text id;
    struct json_out out;
    unsigned core;
    bool found, end_session;
};

static struct one *one_of(struct ask *a)
{
    return CONTAINER_OF(a, struct one, ask);
}

static void fini(struct ask *a)
{
    json_out_fini(&one_of(a)->out);
}

static bool put_subscription(const struct inspect_subscription *s, void *arg)
{
    struct json_out *j = arg;

    json_out_open(j, NULL, '{');
    json_out_text(j, "filter", s->filter);
    json_out_number(j, "qos", s->qos);
    if (s->id) json_out_number(j, "id", s->id);
    json_out_bool(j, "no_local", s->no_local);
    json_out_bool(j, "retain_as_published", s->retain_as_published);
    json_out_close(j, '}');
    return true;
}

static bool put_client(const struct inspect_client *c, void *arg)
{
    struct one *o = arg;

    json_out_number(&o->out, "core", o->core);
    put_summary(&o->out, c);
    put_rest(&o->out, c);
    return true;
}

static void look(struct ask *a, struct broker *there)
{
    struct one *o = one_of(a);
    struct bytes id = param_bytes(&o->id);

    json_out_open(&o->out, NULL, '{');
    o->found = inspect_client(there, id, put_client, o);
    json_out_open(&o->out, "filters", '[');
    inspect_subscriptions_of(there, id, SUBSCRIPTIONS_SHOWN, put_subscription, &o->out);
    json_out_close(&o->out, ']');
    json_out_close(&o->out, '}');
}

static void show(struct ask *a)
{
    struct one *o = one_of(a);
    struct http_answer answer = {
        .status = 200, .type = BYTES("application/json"), .body = json_out_bytes(&o->out)};

    if (!o->found)
        admin_problem(a->x, 404, "id", "there is no such session");
    else if (o->out.failed)
        admin_problem(a->x, 503, NULL, "out of memory");
    else
        http_answer(a->x, &answer);
    ask_done(a);
}

static void end(struct ask *a, struct broker *there)
{
    struct one *o = one_of(a);

    o->found = session_send_away(there, 0, param_bytes(&o->id), o->end_session) == 0;
}

static void ended(struct ask *a)
{
    if (one_of(a)->found)
        http_answer(a->x, &(struct http_answer){.status = 204});
    else
        admin_problem(a->x, 404, "id", "there is no such session");
    ask_done(a);
}

static void begin(struct http_exchange *x, const struct ask_kind *kind, const char *params)
{
    struct ask *a = ask_new(x, kind);
    bool given;

    if (!a) return;
    struct one *o = one_of(a);
    if (!param_known(x, params) || !param_segment(x, 3, "id", &o->id) ||
        (*params && !param_bool(x, params, &given, &o->end_session))) {
        ask_done(a);
        return;
    }
    o->core = broker_home(a->admin->broker, 0, param_bytes(&o->id));
    ask_send(a, o->core);
}

void admin_on_client(struct http_exchange *x)
{
    static const struct ask_kind kind = {
        .bytes = sizeof(struct one), .look = look, .back = show, .fini = fini};

    begin(x, &kind, "");
}

void admin_on_client_delete(struct http_exchange *x)
{
    static const struct ask_kind kind = {
        .bytes = sizeof(struct one), .look = end, .back = ended, .fini = fini};

    begin(x, &kind, "session");
}
