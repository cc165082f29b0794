/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/breaker.h"

enum breaker_way breaker_ask(struct breaker *b, uint64_t now_ns)
{
    if (!b->open) return BREAKER_ADMITS;
    if (b->probing || now_ns < b->until_ns) return BREAKER_REFUSES;
    b->probing = true;
    return BREAKER_PROBES;
}

static void open_for(struct breaker *b, uint64_t wait_ns, uint64_t now_ns)
{
    b->open = true;
    b->wait_ns = wait_ns < BREAKER_WAIT_MAX_NS ? wait_ns : BREAKER_WAIT_MAX_NS;
    b->until_ns = now_ns + b->wait_ns;
}

void breaker_tell(struct breaker *b, enum breaker_way way, bool good, uint64_t now_ns)
{
    if (good) { /* it is there again, whoever found out */
        *b = (struct breaker){.open = false};
    } else if (way == BREAKER_PROBES) {
        b->probing = false;
        open_for(b, 2 * b->wait_ns, now_ns);
    } else if (!b->open && ++b->failures >= BREAKER_FAILURES) {
        open_for(b, BREAKER_WAIT_MIN_NS, now_ns);
    } /* else it started before we opened, and tells nothing new */
}
