/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/errand.h"

#include "broker/broker.h"

enum { ERRAND_GO = 0, ERRAND_BACK = 1 };

static void post(struct broker *b, unsigned to, struct errand *e, uint8_t way)
{
    struct mail mail = {.kind = MAIL_ERRAND, .flags = way, .ptr = e};
    mesh_send(broker_core(b)->mesh, to, mail, 0, 0);
}

void errand_send(struct broker *b, unsigned to, struct errand *e)
{
    if (to != broker_core(b)->id) {
        post(b, to, e, ERRAND_GO);
        return;
    }
    e->run(e, b);
    e->back(e, b);
}

void errand_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    struct errand *e = m->ptr;

    if (m->flags == ERRAND_BACK) {
        e->back(e, b);
        return;
    }
    e->run(e, b);
    post(b, from, e, ERRAND_BACK);
}
