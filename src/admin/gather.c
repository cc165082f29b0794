/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/gather.h"

#include <stdalign.h>
#include <stdlib.h>

struct part {
    alignas(2 * CACHE_LINE) struct errand errand;
    struct gather *gather;
    bool answered; /* in time */
    alignas(16) unsigned char slot[];
};

struct gather {
    struct admin *admin;
    const struct gather_question *question;
    void *owner;                 /* NULL: released */
    struct gather *next, **link; /* on admin->gathers */
    struct timer limit;
    size_t part_bytes;
    unsigned waiting; /* errands that have not come back */
    bool over;        /* done() was called */
    unsigned char *parts;
};

static struct part *part_at(const struct gather *g, unsigned core)
{
    return (struct part *)(void *)(g->parts + core * g->part_bytes);
}

static void destroy(struct gather *g)
{
    wheel_cancel(&g->admin->core->wheel, &g->limit);
    g->admin->ngathers--;
    *g->link = g->next;
    if (g->next) g->next->link = g->link;
    free(g->parts);
    free(g);
}

static void finish(struct gather *g)
{
    wheel_cancel(&g->admin->core->wheel, &g->limit);
    g->over = true;
    if (g->owner) g->question->done(g, g->owner);
}

static void on_limit(struct timer *t)
{
    finish(CONTAINER_OF(t, struct gather, limit));
}

/* On the core that was asked: touches its own part only. */
static void run(struct errand *e, struct broker *there)
{
    struct part *p = CONTAINER_OF(e, struct part, errand);

    p->gather->question->look(p->slot, there);
}

static void back(struct errand *e, struct broker *home)
{
    struct part *p = CONTAINER_OF(e, struct part, errand);
    struct gather *g = p->gather;

    (void)home;
    p->answered = !g->over;
    if (--g->waiting > 0) return;
    if (!g->owner)
        destroy(g);
    else if (!g->over)
        finish(g);
}

struct gather *gather_new(struct admin *a, const struct gather_question *q, void *owner)
{
    struct gather *g = a->ngathers < GATHERS_MAX ? calloc(1, sizeof *g) : NULL;
    size_t align = 2 * CACHE_LINE;
    size_t part = (sizeof(struct part) + q->slot_bytes + align - 1) / align * align;

    if (!g) return NULL;
    g->parts = aligned_alloc(align, part * a->core->cores);
    if (!g->parts) {
        free(g);
        return NULL;
    }
    memset(g->parts, 0, part * a->core->cores);
    g->admin = a;
    g->question = q;
    g->owner = owner;
    g->part_bytes = part;
    g->limit.fire = on_limit;
    g->next = a->gathers;
    g->link = &a->gathers;
    if (g->next) g->next->link = &g->next;
    a->gathers = g;
    a->ngathers++;
    return g;
}

void gather_send(struct gather *g)
{
    struct core *core = g->admin->core;
    struct broker *broker = g->admin->broker;
    unsigned cores = core->cores, self = core->id;

    g->waiting = cores;
    wheel_arm(&core->wheel, &g->limit, core_now_s(core) + GATHER_S);
    for (unsigned i = 0; i < cores; i++) {
        struct part *p = part_at(g, i);
        p->gather = g;
        p->errand = (struct errand){.run = run, .back = back};
        if (i != self) errand_send(broker, i, &p->errand);
    }
    errand_send(broker, self, &part_at(g, self)->errand); /* at once; may end and free `g` */
}

const void *gather_slot(const struct gather *g, unsigned core)
{
    const struct part *p = part_at(g, core);

    return p->answered ? p->slot : NULL;
}

void gather_release(struct gather **gp)
{
    struct gather *g = *gp;

    if (!g) return;
    *gp = NULL;
    g->owner = NULL;
    if (g->waiting == 0)
        destroy(g);
    else
        wheel_cancel(&g->admin->core->wheel, &g->limit);
}

void gather_free_all(struct admin *a)
{
    while (a->gathers)
        destroy(a->gathers);
}
