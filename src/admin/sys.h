/* SPDX-License-Identifier: BSD-3-Clause */
/* sys.h -- what the broker tells of itself under $SYS/broker/, to those who may read it.
 *
 * Each core publishes its own figures, and the first one those of the whole broker, which it reads
 * in the counters of the others: no mail is needed. They are retained messages like any other, so
 * that a subscriber has them at once; a value that has not changed is not published again, so a
 * quiet broker is quiet here too. No client may write there (acl_reserved).
 *
 * Owner: the application makes one on each core, and frees it before the broker. */
#pragma once

#include "broker/broker.h"

struct sys;

/* What all of them share: each core puts in its counters before any of them runs. */
struct sys_shared {
    const struct counters *counters[MESH_CORES_MAX];
    const char *version;
    uint64_t began_ms;   /* wall clock */
    uint32_t interval_s; /* 0: nothing is told */
};

/* NULL: no memory. */
struct sys *sys_new(struct core *c, struct broker *b, struct sys_shared *s);
void sys_free(struct sys **s);
