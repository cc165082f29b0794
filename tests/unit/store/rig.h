/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.h -- a store on a simulated disk, and what it gave back after a restart.
 *
 * Records are numbered: the key is the number, the body a pattern that the number and the length
 * determine, so that whatever comes back can be judged. */
#pragma once

#include "lib/sim_disk.h"
#include "store/store.h"
#include "unit/store/held_disk.h"

enum { RIG_SEEN = 4096, RIG_SEGMENT = 4096, RIG_FOUND = 64, RIG_TYPE = 7 };

struct rig {
    struct sim_disk *sim;          /* owned, unless borrowed */
    const struct held_kinds *held; /* NULL: the disk does at once what it is given */
    struct disk *disk;
    struct store_dir dir;
    struct clock clock;
    struct store *store;
    struct store_options options;

    /* What recovery gave. */
    unsigned nseen, nfound, wrong; /* wrong: bodies that are not what their keys say */
    uint32_t seen[RIG_SEEN];
    struct store_ref ref[RIG_SEEN];
    struct store_finding found[RIG_FOUND];
    uint64_t progress;
    bool failed; /* owner.failed was called */
};

/* Opens what is on `sim` (a new disk if NULL). The options may be changed in between. */
void rig_init(struct rig *r, struct sim_disk *sim);
int rig_open(struct rig *r); /* what store_recover says; the store is there in any case */
int rig_open_with(struct rig *r, const struct store_replay *replay);
void rig_fini(struct rig *r);

int rig_put(struct rig *r, uint32_t number, size_t bytes, uint8_t flags, struct store_ref *ref);
uint8_t rig_pattern(uint32_t number, size_t i); /* of its body, byte i */
bool rig_is(const struct store_record *rec, uint32_t *number);

/* Turns until nothing moves. */
void rig_settle(struct rig *r);

bool rig_saw(const struct rig *r, uint32_t number);
