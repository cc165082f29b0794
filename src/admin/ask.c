/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/ask.h"

#include <stdlib.h>

void ask_done(struct ask *a)
{
    *a->link = a->next;
    if (a->next) a->next->link = a->link;
    a->admin->nasks--;
    if (a->kind->fini) a->kind->fini(a);
    free(a);
}

void ask_free_all(struct admin *a)
{
    while (a->asks)
        ask_done(a->asks);
}

static void run(struct errand *e, struct broker *there)
{
    struct ask *a = CONTAINER_OF(e, struct ask, errand);

    a->kind->look(a, there);
}

static void back(struct errand *e, struct broker *home)
{
    struct ask *a = CONTAINER_OF(e, struct ask, errand);

    (void)home;
    a->out = false;
    if (a->x)
        a->kind->back(a);
    else
        ask_done(a);
}

static void on_room(struct http_exchange *x)
{
    struct ask *a = x->work;

    a->kind->on_room(a);
}

static void on_cancel(struct http_exchange *x)
{
    struct ask *a = x->work;

    a->x = NULL;
    if (!a->out) ask_done(a);
}

struct ask *ask_new(struct http_exchange *x, const struct ask_kind *kind)
{
    static const struct http_later later = {.on_room = on_room, .on_cancel = on_cancel};
    struct admin *admin = admin_of(x);
    struct ask *a = admin->nasks < ASKS_MAX ? calloc(1, kind->bytes) : NULL;

    if (!a) {
        admin_refuse(x, 503, "out of memory, or too busy");
        return NULL;
    }
    a->errand = (struct errand){.run = run, .back = back};
    a->kind = kind;
    a->admin = admin;
    a->x = x;
    a->next = admin->asks;
    a->link = &admin->asks;
    if (a->next) a->next->link = &a->next;
    admin->asks = a;
    admin->nasks++;
    x->work = a;
    x->later = &later;
    return a;
}

void ask_send(struct ask *a, unsigned core)
{
    a->out = true;
    errand_send(a->admin->broker, core, &a->errand);
}

void ask_again(struct ask *a)
{
    http_more(a->x);
}
