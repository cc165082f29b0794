/* SPDX-License-Identifier: BSD-3-Clause */
/* order.c -- what the main thread asks of the cores. Each carries it out in a turn of its own,
 * so nothing that a core owns is touched from outside. */
#include "app/serve/serve.h"

/* On the core. */
static void on_order(struct helper_job *j)
{
    struct order *o = CONTAINER_OF(j, struct order, job);
    struct core_modules *m = CONTAINER_OF(o, struct core_modules, order);

    if (o->carry_out) o->carry_out(m, o->n);
    atomic_store_explicit(&o->connections, net_connections(m->net), memory_order_relaxed);
    atomic_store_explicit(&o->out, false, memory_order_release); /* the order is theirs again */
}

unsigned serve_order(struct serve *s, void (*carry_out)(struct core_modules *m, uint32_t n),
                     uint32_t n)
{
    unsigned late = 0;

    for (unsigned i = 0; i < s->started; i++) {
        struct order *o = &s->cores[i].order;
        if (atomic_load_explicit(&o->out, memory_order_acquire)) {
            late++;
            continue;
        }
        o->job = (struct helper_job){.done = on_order};
        o->carry_out = carry_out;
        o->n = n;
        atomic_store_explicit(&o->out, true, memory_order_relaxed);
        helper_post(s->helpers, i, &o->job);
    }
    return late;
}

uint64_t serve_connections(const struct serve *s)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < s->started; i++)
        n += atomic_load_explicit(&s->cores[i].order.connections, memory_order_relaxed);
    return n;
}
