/* SPDX-License-Identifier: BSD-3-Clause */
/* answers.c -- a client that sends and does not take the answers is not read until half of those
 * that may wait have gone.
 *
 * A peer that never reads could make any number of PINGRESP or PUBACK wait for it; and while a disk
 * hangs, answers wait for it whatever the peer does. What others send to the peer does not count:
 * it may read only when its own write is done, and would wait for us as we for it. That has bounds
 * of its own.
 *
 * The count is looked at when input was handled, not with each answer: so it may pass the bound by
 * the answers to one read, and those that the broker still owed. */
#include "base/err.h"
#include "net/net_internal.h"

static uint32_t answers_max(const struct conn *c)
{
    uint32_t half = c->net->options.out_bytes_max / 2;

    return half > ANSWERS_MIN ? half : ANSWERS_MIN;
}

void answers_judge(struct conn *c)
{
    struct core *core = c->net->core;
    char peer[PEER_TEXT];

    if (c->out.answers <= answers_max(c) || c->flags & (CONN_ANSWERS | CONN_CLOSING)) return;
    c->flags |= CONN_ANSWERS;
    count(&core->counters, C_limited_answers);
    LOG(&core->log, LOG_WARN, "answers_wait", F_STR("peer", peer_text(&c->peer, peer)),
        F_STR("setting", "limits.output"), F_U64("bytes", c->out.answers));
    conn_rearm(c);
}

void answers_lift(struct conn *c)
{
    if (c->flags & CONN_CLOSING) return;
    c->last_rx_s = core_now_s(c->net->core); /* who takes some is alive */
    if (c->out.answers > answers_max(c) / 2) return;
    c->flags &= (uint16_t)~CONN_ANSWERS;
    conn_again(c); /* there may be unread bytes */
    conn_rearm(c);
}
