/* SPDX-License-Identifier: BSD-3-Clause */
/* session_received.c -- packet ids that the client has used at QoS 2 and not released. Home's. */
#include <stdlib.h>

#include "broker/internal.h"

enum { RECEIVED_WORDS = 65536 / 64 };

int session_receive(struct session *s, uint16_t packet_id)
{
    if (!s->received) s->received = calloc(RECEIVED_WORDS, sizeof *s->received);
    if (!s->received) return -ERR_NOMEM;
    uint64_t *word = &s->received[packet_id / 64], bit = 1ull << (packet_id % 64);
    if (*word & bit) return -ERR_EXISTS;
    *word |= bit;
    s->nreceived++;
    return 0;
}

int session_release(struct session *s, uint16_t packet_id)
{
    if (!s->received) return -ERR_ABSENT;
    uint64_t *word = &s->received[packet_id / 64], bit = 1ull << (packet_id % 64);
    if (!(*word & bit)) return -ERR_ABSENT;
    *word &= ~bit;
    s->nreceived--;
    return 0;
}
