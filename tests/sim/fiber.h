/* SPDX-License-Identifier: BSD-3-Clause */
/* fiber.h -- a core's own stack, so that it can sleep in the middle of a turn while the
 * others run, all in one thread.
 *
 * Owner: the world. Only the scheduler runs fibers, and only a fiber yields. */
#pragma once

struct fiber;

/* NULL: no memory. `fn` must never return. */
struct fiber *fiber_new(void (*fn)(void *arg), void *arg);
void fiber_free(struct fiber **f); /* wherever it is; its stack is dropped */

/* Runs it until it yields. */
void fiber_run(struct fiber *f);

/* Back to the scheduler, until it is run again. */
void fiber_yield(struct fiber *f);
