/* SPDX-License-Identifier: BSD-3-Clause */
/* helper.h -- a few threads for work that blocks (DNS, password hashes, files).
 *
 * A core submits a job and goes on; a helper thread runs job->work; the job comes
 * back to the core that submitted it, which calls job->done in its own turn. The
 * queue is bounded: a full one is answered with -ERR_FULL. Helpers are not
 * pinned and stay off the cores' CPUs where there are others.
 *
 * Owner: src/app. A job belongs to the submitter again once `done` is called. */
#pragma once

#include "core/mesh.h"

struct helper_job {
    void (*work)(struct helper_job *j); /* on a helper thread; touches only the job */
    void (*done)(struct helper_job *j); /* on the submitting core */
    struct helper_job *next;            /* helper's own */
    unsigned core;                      /* who submitted; helper's own */
};

struct helpers;

/* Starts `threads` threads for the cores of `mesh`, at most `jobs_max` jobs waiting. */
struct helpers *helpers_new(unsigned threads, unsigned jobs_max, struct mesh *mesh, unsigned cores,
                            int *err);
void helpers_free(
    struct helpers **h); /* finishes what runs, drops what waits (done is not called) */

int helper_submit(struct helpers *h, unsigned core, struct helper_job *j);

/* From any thread that is no core: calls j->done on `core` in its next turn. `work` is not
 * called. The job is the caller's till then, and must outlive the wait. */
void helper_post(struct helpers *h, unsigned core, struct helper_job *j);

/* On `core`: calls done() for every job that came back. Returns how many. */
unsigned helper_take(struct helpers *h, unsigned core);
