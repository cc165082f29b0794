/* SPDX-License-Identifier: BSD-3-Clause */
/* health.c -- is it alive, and may clients come? For whoever restarts it, or sends it clients. */
#include "admin/gather.h"

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

static void done(struct gather *g, void *owner)
{
    struct http_exchange *x = owner;
    unsigned silent = 0;

    for (unsigned i = 0; i < admin_of(x)->core->cores; i++)
        silent += !gather_slot(g, i);
    gather_release(&g);
    http_refuse(x, silent ? 503 : 200, silent ? "a core does not answer" : NULL);
}

void admin_on_health(struct http_exchange *x)
{
    static const struct gather_question question = {.slot_bytes = 1, .look = look, .done = done};
    struct gather *g = gather_new(admin_of(x), &question, x);

    if (!g) {
        http_refuse(x, 503, "out of memory");
        return;
    }
    x->work = g;
    x->later = &later;
    gather_send(g);
}

void admin_on_ready(struct http_exchange *x)
{
    bool ready = atomic_load_explicit(&admin_of(x)->shared->ready, memory_order_acquire);

    http_refuse(x, ready ? 200 : 503, ready ? NULL : "starting or ending");
}
