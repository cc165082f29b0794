/* SPDX-License-Identifier: BSD-3-Clause */
/* guard.c -- the token at the door. Who brings none is told so; who brings a wrong one is counted,
 * logged, and answered the later the more often. */
#include <stdlib.h>

#include "admin/internal.h"

enum { PENALTIES_MAX = 64 };

/* An answer that is held back. */
struct penalty {
    struct timer timer;
    struct http_exchange *x;
    struct admin *admin;
    struct penalty *next, **link;
};

static void refuse(struct http_exchange *x)
{
    struct http_answer a = {
        .status = 401,
        .type = BYTES("text/plain; charset=utf-8"),
        .body = BYTES("Unauthorized: a token is needed (Authorization: Bearer ...)\n"),
    };

    a.extra[0].name = BYTES("WWW-Authenticate"); /* [RFC9110-15.5.2] */
    a.extra[0].value = BYTES("Bearer realm=\"admin\"");
    http_answer(x, &a);
}

/* ---- answers that wait ------------------------------------------------------------------- */

static void forget(struct penalty *p)
{
    wheel_cancel(&p->admin->core->wheel, &p->timer);
    *p->link = p->next;
    if (p->next) p->next->link = p->link;
    p->admin->npenalties--;
    free(p);
}

void admin_forget_penalties(struct admin *a)
{
    while (a->penalties)
        forget(a->penalties);
}

static void on_time(struct timer *t)
{
    struct penalty *p = CONTAINER_OF(t, struct penalty, timer);
    struct http_exchange *x = p->x;

    forget(p);
    refuse(x);
}

static void on_cancel(struct http_exchange *x)
{
    forget(x->work);
}

static const struct http_later later = {.on_cancel = on_cancel};

static void refuse_in(struct http_exchange *x, uint32_t seconds)
{
    struct admin *a = admin_of(x);
    struct penalty *p = a->npenalties < PENALTIES_MAX ? calloc(1, sizeof *p) : NULL;

    if (!p) { /* too many at a time: those are not told when to come back */
        http_refuse(x, 429, NULL);
        return;
    }
    *p = (struct penalty){.timer = {.fire = on_time}, .x = x, .admin = a};
    p->next = a->penalties;
    p->link = &a->penalties;
    if (p->next) p->next->link = &p->next;
    a->penalties = p;
    a->npenalties++;
    x->work = p;
    x->later = &later;
    wheel_arm(&a->core->wheel, &p->timer, core_now_s(a->core) + seconds + 1);
}

/* ---- tokens -------------------------------------------------------------------------------- */

/* "Bearer TOKEN" [RFC6750-2.1]; the scheme in any case [RFC9110-11.1]. */
static struct bytes token_of(struct bytes value)
{
    static const size_t n = sizeof "Bearer " - 1;

    if (value.n < n || !http_is_word(bytes_of(value.p, n - 1), "Bearer") || value.p[n - 1] != ' ')
        return bytes_of(NULL, 0);
    return http_trim(bytes_skip(value, n));
}

static void note_failure(struct admin *a, const struct conn *c, uint32_t wait_s)
{
    char peer[SOCK_ADDR_TEXT];

    count(&a->core->counters, C_admin_denied);
    LOG(&a->core->log, LOG_WARN, "admin_denied", F_STR("peer", conn_peer_text(c, peer)),
        F_STR("reason", "wrong token"), F_U64("wait_s", wait_s));
}

bool admin_let_in(struct http_exchange *x)
{
    struct admin *a = admin_of(x);
    struct bytes value = http_field(&x->head, "Authorization");

    if (value.n == 0) {
        refuse(x);
        return false;
    }
    const struct admin_tokens *known =
        atomic_load_explicit(&a->shared->tokens, memory_order_acquire);
    if (admin_tokens_know(known, token_of(value))) return true;
    const struct conn *c = http_conn(x);
    uint32_t wait = throttle_fail(&a->throttle, c->peer.ip, core_now_s(a->core));
    note_failure(a, c, wait);
    if (wait)
        refuse_in(x, wait);
    else
        refuse(x);
    return false;
}
