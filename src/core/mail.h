/* SPDX-License-Identifier: BSD-3-Clause */
/* mail.h -- the one thing that crosses from core to core: sixteen bytes.
 *
 * src/broker/mail.def lists every kind and what its fields mean; here they are
 * only bytes. A pointer in a mail hands over what it points to, by the rule of
 * its kind (takes or shares). */
#pragma once

#include <assert.h>
#include <stdint.h>

struct mail {
    uint8_t kind;  /* row of mail.def; 0 is no mail */
    uint8_t flags; /* by kind */
    uint16_t a;    /* by kind */
    uint32_t b;    /* by kind */
    union {
        void *ptr;
        uint64_t c;
    };
};

static_assert(sizeof(struct mail) == 16, "four mails to a cache line");
