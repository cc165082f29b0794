/* SPDX-License-Identifier: BSD-3-Clause */
/* rewrite.h -- the logs of one number of cores become those of another.
 *
 * All old logs are read, twice, and nothing in them is changed: first what there is, then the
 * bodies that are still referred to. What is live goes to new logs of another generation, each
 * thing to its new core. The old logs count till the caller has made the new ones count
 * (store_dir_switch); a crash before that leaves all as it was.
 *
 * Which QoS 2 messages were in the log (ORIGIN) was each old core's knowledge; a new core knows
 * what any of those knew whose sessions it has.
 *
 * Runs before any core does, on one thread; blocks. */
#pragma once

#include "store/store.h"

struct rewrite_found {
    uint64_t sessions, subscriptions, messages, retained;
    uint64_t lost; /* messages whose bodies were in a part that is lost (salvage) */
};

struct rewrite {
    const struct store_dir *dir; /* says how many logs there are, and their generation */
    uint32_t generation;         /* of the new ones: store_dir_next() */
    unsigned cores;
    uint64_t seed;          /* of all brokers: placement follows from it */
    uint32_t segment_bytes; /* of the new ones, as in store_options */
    uint64_t disk_bytes_max;
    bool salvage;
    const struct clock *clock;

    void *ctx;
    unsigned (*core_of)(void *ctx, uint64_t hash); /* of a client, of a topic: below `cores` */
    /* Both may be NULL. */
    void (*found)(void *ctx, const struct store_finding *f);
    void (*progress)(void *ctx, unsigned permille);

    char why[STORE_WHY]; /* of an error, for the operator */
};

/* 0, and the new logs are on disk; or what reading or writing answered. */
int journal_rewrite(struct rewrite *r, struct rewrite_found *found);
