/* SPDX-License-Identifier: BSD-3-Clause */
/* access.h -- who may come in, and what they may do: the whole configuration, as one piece.
 *
 * The main thread makes it, complete or not at all; cores only read it. When the configuration is
 * read again a new one takes its place, core by core, and the old one goes with its last user,
 * which may be a login that is under way.
 *
 * Shared: `uses` is counted by all threads, for what is rare (a reload, a login that waits). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct access {
    _Atomic uint32_t uses;
};

/* An empty one, with one use: knows nobody, forbids nothing. NULL: no memory. */
struct access *access_new(void);

struct access *access_ref(struct access *a); /* NULL is passed on */
void access_unref(struct access **a);        /* nulls the pointer; the last one frees */

/* Is there any way to tell users apart, other than by certificate? */
bool access_knows_users(const struct access *a);
