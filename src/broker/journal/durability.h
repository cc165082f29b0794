/* SPDX-License-Identifier: BSD-3-Clause */
/* durability.h -- what an acknowledgement means: chosen per listener and by rules of topics. */
#pragma once

#include <stdint.h>

enum durability {
    DURABILITY_MEMORY,   /* nothing is written: a restart forgets it */
    DURABILITY_INTERVAL, /* written soon: acknowledged at once, on disk within data.interval */
    DURABILITY_COMMIT,   /* acknowledged means on disk */
};
