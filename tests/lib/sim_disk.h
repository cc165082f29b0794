/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_disk.h -- a disk in memory that forgets what was not synced, and fails when told to.
 *
 * Every change is kept as a step. A crash state is what a disk may hold after the first n steps:
 * all that was synced, and of the rest any part, in any order, torn at 512 bytes. sim_disk_crash()
 * makes one from a seed; seeds 0 and 1 are the extremes, nothing and all of it.
 *
 * Failpoints: the n-th call of a kind fails, is short, or is the last that the process makes.
 *
 * Used by the store's unit tests and by the simulator of the broker. */
#pragma once

#include "base/rng.h"
#include "store/io.h"

enum {
    SIM_FILES = 4096,
    SIM_FDS = 2048,
    SIM_SECTOR = 512,
};

enum sim_call {
    SIM_OPEN,
    SIM_WRITE,
    SIM_SYNC,
    SIM_READ,
    SIM_RENAME,
    SIM_UNLINK,
    SIM_LIST,
    SIM_CALLS
};

struct sim_inode {
    bool used, is_dir;
    bool gone;     /* it has no name any more, and nobody has it open */
    uint8_t *data; /* as the program sees it */
    size_t size, room;
    uint8_t *base; /* what was there before the first step */
    size_t base_size, base_room;
};

/* A name in a directory. */
struct sim_name {
    int dir, inode; /* indexes; inode < 0: the name is gone */
    char name[48];
};

struct sim_step {
    enum sim_step_kind { STEP_WRITE, STEP_SYNC, STEP_NAME } kind;
    int inode; /* written or synced */
    uint64_t offset;
    uint8_t *data;
    size_t n;
    struct sim_name name;
};

struct sim_disk {
    struct store_io io;
    struct sim_inode inode[SIM_FILES];
    struct sim_name name[SIM_FILES], base_name[SIM_FILES];
    unsigned nbase;
    unsigned ninodes, nnames;
    int fd[SIM_FDS]; /* inode, or -1 */
    struct sim_step *step;
    unsigned nsteps, steps_room;
    uint64_t bytes, bytes_max; /* of files that are there; 0: no limit */

    /* The n-th call of `fail_call` from now (1 is the next) gives this error; 0: never. All
     * later ones too, if `fail_all`. fail_short: a write writes half. */
    enum sim_call fail_call;
    unsigned fail_at;
    int fail_errno;
    bool fail_all, fail_short;
    unsigned failed;           /* how often it did */
    unsigned calls[SIM_CALLS]; /* made */
};

struct sim_disk *sim_disk_new(void);
void sim_disk_free(struct sim_disk **d);

/* The disk after a crash behind the first `steps` steps. */
struct sim_disk *sim_disk_crash(const struct sim_disk *d, unsigned steps, uint64_t seed);

/* Forgets the steps that no crash can undo any more. The others are counted anew. */
void sim_disk_fold(struct sim_disk *d);

/* A file's bytes, to look at and to damage, both as seen and as kept. NULL: no such file. */
struct sim_inode *sim_disk_file(struct sim_disk *d, const char *dir, const char *name);
void sim_disk_flip(struct sim_inode *f, uint64_t bit);
