/* SPDX-License-Identifier: BSD-3-Clause */
/* api_trace.c -- the packets of one client go to the log, for a time: {"seconds": 60}, 0 to end it.
 * GET clients/{id} tells how much of it is left. */
#include "admin/ask.h"
#include "admin/param.h"
#include "base/err.h"
#include "broker/access/json_in.h"

enum { TRACE_S_MAX = 3600, TRACE_DEPTH_MAX = 32 };

struct trace {
    struct ask ask;
    struct param_text id;
    uint32_t seconds;
    int status;
};

static struct trace *trace_of(struct ask *a)
{
    return CONTAINER_OF(a, struct trace, ask);
}

static void look(struct ask *a, struct broker *there)
{
    struct trace *t = trace_of(a);

    t->status = session_trace(there, 0, param_bytes(&t->id), t->seconds);
}

static void back(struct ask *a)
{
    if (trace_of(a)->status == 0)
        http_answer(a->x, &(struct http_answer){.status = 204});
    else
        admin_problem(a->x, 404, "id", "there is no such session");
    ask_done(a);
}

/* The body's only member. False: answered. */
static bool take_seconds(struct http_exchange *x, uint32_t *seconds)
{
    json_t *v = json_in(x->body, TRACE_DEPTH_MAX);
    const json_t *s = json_object_get(v, "seconds");
    json_int_t n = json_is_integer(s) && json_object_size(v) == 1 ? json_integer_value(s) : -1;
    bool good = n >= 0 && n <= TRACE_S_MAX;

    json_decref(v);
    if (good) *seconds = (uint32_t)n;
    if (!good) admin_problem(x, 400, "seconds", "expected it alone, a number from 0 to 3600");
    return good;
}

void admin_on_trace(struct http_exchange *x)
{
    static const struct ask_kind kind = {.bytes = sizeof(struct trace), .look = look, .back = back};
    struct ask *a = ask_new(x, &kind);

    if (!a) return;
    struct trace *t = trace_of(a);
    if (!param_known(x, "") || !param_segment(x, 3, "id", &t->id) ||
        !take_seconds(x, &t->seconds)) {
        ask_done(a);
        return;
    }
    ask_send(a, broker_home(a->admin->broker, 0, param_bytes(&t->id)));
}
