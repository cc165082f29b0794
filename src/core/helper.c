/* SPDX-License-Identifier: BSD-3-Clause */
/* helper.c -- see helper.h. Cores and helper threads meet in one short lock on
 * the way in; on the way back each core has a stack that helpers push to and the
 * core empties with one exchange, and is rung for. */
#include "core/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"

/* Finished jobs of one core, newest first. */
struct finished {
    alignas(2 * CACHE_LINE) struct helper_job *_Atomic top;
};

struct helpers {
    /* Under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct helper_job *first, **last;
    unsigned waiting;
    bool stop;

    /* Set once. */
    unsigned jobs_max, cores, threads;
    struct mesh *mesh;
    pthread_t *thread;
    struct finished *finished;
};

/* The next job, waiting for it; NULL when it is time to stop. */
static struct helper_job *next_job(struct helpers *h)
{
    pthread_mutex_lock(&h->lock);
    while (!h->first && !h->stop)
        pthread_cond_wait(&h->wake, &h->lock);
    struct helper_job *j = h->stop ? NULL : h->first;
    if (j) {
        h->first = j->next;
        if (!h->first) h->last = &h->first;
        h->waiting--;
    }
    pthread_mutex_unlock(&h->lock);
    return j;
}

static void give_back(struct helpers *h, struct helper_job *j)
{
    struct finished *f = &h->finished[j->core];
    unsigned core = j->core; /* the job is no longer ours once it is on the stack */
    struct helper_job *top = atomic_load_explicit(&f->top, memory_order_relaxed);
    do {
        j->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&f->top, &top, j, memory_order_release,
                                                    memory_order_relaxed));
    mesh_ring(mesh_port_at(h->mesh, core));
}

static void *help(void *arg)
{
    struct helpers *h = arg;
    for (struct helper_job *j; (j = next_job(h)) != NULL;) {
        j->work(j);
        give_back(h, j);
    }
    return NULL;
}

/* Signals are for the threads that ask for them. */
static int start_threads(struct helpers *h, unsigned threads)
{
    sigset_t all, before;
    int err = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (h->threads < threads && !err) {
        err = pthread_create(&h->thread[h->threads], NULL, help, h);
        if (!err) h->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err ? -ERR_NOMEM : 0;
}

struct helpers *helpers_new(unsigned threads, unsigned jobs_max, struct mesh *mesh, unsigned cores,
                            int *err)
{
    ASSERT(threads > 0 && jobs_max > 0 && cores > 0);
    *err = -ERR_NOMEM;
    struct helpers *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->jobs_max = jobs_max;
    h->cores = cores;
    h->mesh = mesh;
    h->last = &h->first;
    pthread_mutex_init(&h->lock, NULL); /* these two can't fail on Linux */
    pthread_cond_init(&h->wake, NULL);
    h->thread = calloc(threads, sizeof *h->thread);
    h->finished = aligned_alloc(alignof(struct finished), cores * sizeof *h->finished);
    if (!h->thread || !h->finished) goto out;
    for (unsigned i = 0; i < cores; i++)
        atomic_init(&h->finished[i].top, NULL);
    *err = start_threads(h, threads);
out:
    if (*err < 0) helpers_free(&h);
    return h;
}

void helpers_free(struct helpers **hp)
{
    struct helpers *h = *hp;
    if (!h) return;
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_cond_broadcast(&h->wake);
    pthread_mutex_unlock(&h->lock);
    for (unsigned i = 0; i < h->threads; i++)
        pthread_join(h->thread[i], NULL);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    free(h->thread);
    free(h->finished);
    free(h);
    *hp = NULL;
}

int helper_submit(struct helpers *h, unsigned core, struct helper_job *j)
{
    ASSERT(core < h->cores && j->work && j->done);
    j->core = core;
    j->next = NULL;
    pthread_mutex_lock(&h->lock);
    bool room = h->waiting < h->jobs_max;
    if (room) {
        *h->last = j;
        h->last = &j->next;
        h->waiting++;
        pthread_cond_signal(&h->wake);
    }
    pthread_mutex_unlock(&h->lock);
    return room ? 0 : -ERR_FULL;
}

void helper_post(struct helpers *h, unsigned core, struct helper_job *j)
{
    ASSERT(core < h->cores && j->done);
    j->core = core;
    give_back(h, j);
}

/* The stack is newest first; jobs are done in the order they were finished. */
static struct helper_job *reversed(struct helper_job *j)
{
    struct helper_job *first = NULL;
    while (j) {
        struct helper_job *next = j->next;
        j->next = first;
        first = j;
        j = next;
    }
    return first;
}

unsigned helper_take(struct helpers *h, unsigned core)
{
    ASSERT(core < h->cores);
    struct finished *f = &h->finished[core];
    if (!atomic_load_explicit(&f->top, memory_order_relaxed)) return 0;

    unsigned taken = 0;
    struct helper_job *j = reversed(atomic_exchange_explicit(&f->top, NULL, memory_order_acquire));
    while (j) {
        struct helper_job *next = j->next; /* `done` may free the job */
        j->done(j);
        j = next;
        taken++;
    }
    return taken;
}
