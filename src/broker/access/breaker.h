/* SPDX-License-Identifier: BSD-3-Clause */
/* breaker.h -- leaves a service alone that does not answer, so that nobody waits for it.
 *
 * Closed, it lets everything through. After BREAKER_FAILURES failures in a row it opens: nothing
 * passes for a second. Then one probe may pass: if that succeeds it closes, if not the wait
 * doubles, up to half a minute.
 *
 * Owner: whoever embeds it; one thread. All zero is closed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { BREAKER_FAILURES = 5 };

#define BREAKER_WAIT_MIN_NS NS_PER_S
#define BREAKER_WAIT_MAX_NS (30 * NS_PER_S)

struct breaker {
    unsigned failures; /* in a row, while closed */
    bool open, probing;
    uint64_t wait_ns, until_ns; /* while open: not before then */
};

enum breaker_way { BREAKER_REFUSES, BREAKER_ADMITS, BREAKER_PROBES };

/* May a request pass? The result of every one that did must be told. */
enum breaker_way breaker_ask(struct breaker *b, uint64_t now_ns);

/* How a request went that passed by that way. */
void breaker_tell(struct breaker *b, enum breaker_way way, bool good, uint64_t now_ns);
