/* SPDX-License-Identifier: BSD-3-Clause */
/* throttle.h -- who has been wrong too often waits longer for each answer.
 *
 * A small table by address (IPv6 by its /64, which is one customer): a newcomer takes the place
 * of whoever was there, so it is bounded, and forgetting costs an attacker's time at best.
 * Nobody is locked out: a right token is taken at once from anywhere, or else one could lock out
 * the operator.
 *
 * Owner: whoever embeds it; zeroed at first. */
#pragma once

#include <stdint.h>

enum { THROTTLE_SLOTS = 256, THROTTLE_FREE = 3, THROTTLE_S_MAX = 8, THROTTLE_FORGETS_S = 300 };

struct throttle {
    struct {
        uint8_t ip[16];
        uint32_t failures;
        uint32_t last_s;
    } slot[THROTTLE_SLOTS];
};

/* Notes a failure of `ip`; returns for how many seconds its answer is to be held back. */
uint32_t throttle_fail(struct throttle *t, const uint8_t ip[16], uint32_t now_s);
