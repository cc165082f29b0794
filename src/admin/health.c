/* SPDX-License-Identifier: BSD-3-Clause */
/* health.c -- is it alive, and may clients come? For whoever restarts it, or sends it clients.
 *
 * Anybody may ask, so asking is cheap: what was found within a second is not looked for again, and
 * a flood of questions can neither keep all cores busy nor make a healthy broker look ill. */
#include "admin/gather.h"

enum { FRESH_S = 1, ASKING_MAX = GATHERS_MAX / 2 };

static void on_cancel(struct http_exchange *x)
{
    struct gather *g = x->work;

    gather_release(&g);
}

static const struct http_later later = {.on_cancel = on_cancel};

static void look(void *slot, struct broker *there)
{
    (void)slot;
    (void)there; /* that it came here is the answer */
}

static void answer(struct http_exchange *x, bool healthy)
{
    http_refuse(x, healthy ? 200 : 503, healthy ? NULL : "a core does not answer");
}

static void done(struct gather *g, void *owner)
{
    struct http_exchange *x = owner;
    struct core *core = admin_of(x)->core;
    unsigned silent = 0;

    for (unsigned i = 0; i < core->cores; i++)
        silent += !gather_slot(g, i);
    gather_release(&g);
    if (!silent) admin_of(x)->healthy_s = core_now_s(core);
    answer(x, !silent);
}

static bool was_healthy(const struct admin *a, uint32_t within_s)
{
    return core_now_s(a->core) - a->healthy_s < within_s;
}

void admin_on_health(struct http_exchange *x)
{
    static const struct gather_question question = {.slot_bytes = 1, .look = look, .done = done};
    struct admin *a = admin_of(x);
    struct gather *g = NULL;

    if (was_healthy(a, FRESH_S)) {
        answer(x, true);
        return;
    }
    if (a->ngathers < ASKING_MAX) g = gather_new(a, &question, x);
    if (!g) { /* others are asking: what they will hear is not far from what was heard */
        answer(x, was_healthy(a, GATHER_S + FRESH_S));
        return;
    }
    x->work = g;
    x->later = &later;
    gather_send(g);
}

void admin_on_ready(struct http_exchange *x)
{
    struct admin_shared *s = admin_of(x)->shared;
    bool ready = atomic_load_explicit(&s->ready, memory_order_acquire);
    const char *why = atomic_load_explicit(&s->failed, memory_order_acquire);

    if (!ready) why = "starting or ending";
    http_refuse(x, why ? 503 : 200, why);
}
