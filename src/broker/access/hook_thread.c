/* SPDX-License-Identifier: BSD-3-Clause */
/* hook_thread.c -- takes questions out of the queue, and answers them. */
#include "base/assert.h"
#include "base/err.h"
#include "broker/access/hook_internal.h"

enum { POLL_MS = 1000 };

/* ---- out of the queue
 * ---------------------------------------------------------------------------- */

/* Is there anything to do for the first question now? Under the lock. */
static bool is_due(const struct hook *h, const struct hook_question *q)
{
    return h->free || h->clock.now_ns >= q->deadline_ns ||
           atomic_load_explicit(&q->gone, memory_order_relaxed);
}

static struct hook_question *next_due(struct hook *h)
{
    pthread_mutex_lock(&h->lock);
    struct hook_question *q = h->first;
    if (q && is_due(h, q)) {
        h->first = q->next;
        if (!h->first) h->last = &h->first;
        h->waiting--;
    } else {
        q = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    return q;
}

/* How long there is nothing to do but to wait for the network. */
static int idle_ms(struct hook *h)
{
    uint64_t until_ns = h->clock.now_ns + POLL_MS * NS_PER_MS;

    pthread_mutex_lock(&h->lock);
    if (h->first && is_due(h, h->first)) until_ns = 0;
    if (h->first && h->first->deadline_ns < until_ns) until_ns = h->first->deadline_ns;
    if (h->stop && h->stop_ns < until_ns) until_ns = h->stop_ns;
    pthread_mutex_unlock(&h->lock);
    return until_ns <= h->clock.now_ns ? 0 : (int)((until_ns - h->clock.now_ns) / NS_PER_MS) + 1;
}

/* Is it time to end? All is done, or there was time enough for it. */
static bool is_over(struct hook *h)
{
    pthread_mutex_lock(&h->lock);
    bool over = h->stop && ((!h->first && h->busy == 0) || h->clock.now_ns >= h->stop_ns);
    pthread_mutex_unlock(&h->lock);
    return over;
}

/* ---- into a slot and out of it
 * -------------------------------------------------------------------- */

static void release(struct hook *h, struct hook_slot *s)
{
    hook_slot_clear(s);
    s->next = h->free;
    h->free = s;
    h->busy--;
}

static void start(struct hook *h, struct hook_question *q)
{
    struct hook_slot *s = h->free;
    enum breaker_way way = breaker_ask(&h->breaker, h->clock.now_ns);

    if (way == BREAKER_REFUSES) {
        hook_fail(h, q, HOOK_OPEN);
        return;
    }
    int err = hook_slot_start(s, q);
    if (err < 0) {
        /* The service had no part in it; a probe has to be made by somebody else. */
        if (way == BREAKER_PROBES) h->breaker.probing = false;
        hook_fail(h, q, err == -ERR_TOO_LARGE ? HOOK_TOO_LARGE : HOOK_BUSY);
        return;
    }
    s->way = way;
    h->free = s->next;
    h->busy++;
}

static void take_questions(struct hook *h)
{
    struct hook_question *q;

    while ((q = next_due(h)) != NULL) {
        if (atomic_load_explicit(&q->gone, memory_order_relaxed))
            hook_fail(h, q, HOOK_STOPPED); /* only to be freed by its core */
        else if (h->clock.now_ns >= q->deadline_ns)
            hook_fail(h, q, HOOK_TIMEOUT);
        else
            start(h, q);
    }
}

static void finish(struct hook *h, struct hook_slot *s, CURLcode result)
{
    struct hook_question *q = s->q;
    bool alive = hook_slot_judge(s, result);

    curl_multi_remove_handle(h->multi, s->easy);
    breaker_tell(&h->breaker, s->way, alive, h->clock.now_ns);
    release(h, s);
    if (q->answer.origin != HOOK_ANSWERED)
        hook_fail(h, q, q->answer.origin);
    else
        helper_post(h->helpers, q->core, &q->job);
}

static void take_results(struct hook *h)
{
    CURLMsg *m;
    int more;

    while ((m = curl_multi_info_read(h->multi, &more)) != NULL) {
        struct hook_slot *s = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode result = m->data.result; /* the message goes with its handle */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
        finish(h, s, result);
    }
}

/* ---- the thread ---------------------------------------------------------------------------------
 */

static void give_up(struct hook *h)
{
    struct hook_question *q;

    for (unsigned i = 0; i < h->options.connections_max; i++) {
        struct hook_slot *s = &h->slot[i];
        if (!(q = s->q)) continue;
        curl_multi_remove_handle(h->multi, s->easy);
        release(h, s);
        hook_fail(h, q, HOOK_STOPPED);
    }
    pthread_mutex_lock(&h->lock);
    q = h->first;
    h->first = NULL;
    h->last = &h->first;
    h->waiting = 0;
    pthread_mutex_unlock(&h->lock);
    while (q) {
        struct hook_question *next = q->next;
        hook_fail(h, q, HOOK_STOPPED);
        q = next;
    }
}

void *hook_thread(void *hook)
{
    struct hook *h = hook;
    int running;

    clock_tick(&h->clock);
    while (!is_over(h)) {
        take_questions(h);
        curl_multi_perform(h->multi, &running);
        take_results(h);
        curl_multi_poll(h->multi, NULL, 0, idle_ms(h), NULL);
        clock_tick(&h->clock);
    }
    give_up(h);
    return NULL;
}
