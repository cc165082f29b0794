/* SPDX-License-Identifier: BSD-3-Clause */
/* hook_internal.h -- the hook's thread, its queue and its slots: one HTTP request each.
 *
 * Cores put questions into one queue under a short lock; the hook's thread takes them out, when a
 * slot is free or their time is up, and posts them back. All have the same time to live, so the
 * first of the queue is always the first to run out of it. */
#pragma once

#include <curl/curl.h>
#include <pthread.h>

#include "base/clock.h"
#include "broker/access/breaker.h"
#include "broker/access/hook.h"

enum { HOOK_HEADER_MAX = 16 * 1024 };

struct hook_slot {
    CURL *easy; /* set up once */
    struct hook *hook;
    struct hook_slot *next; /* free */

    /* The request under way. */
    struct hook_question *q;
    enum breaker_way way;
    struct bytes request; /* owned; secret */
    uint8_t *response;    /* owned */
    size_t nresponse, room, nheader;
    bool too_much;
};

struct hook {
    /* Set once. */
    struct hook_options options;
    struct helpers *helpers;
    struct curl_slist *headers; /* one of them may be secret */
    CURLM *multi;
    pthread_t thread;
    bool has_thread, has_curl;

    /* Under the lock. */
    pthread_mutex_t lock;
    struct hook_question *first, **last;
    uint32_t waiting;
    bool stop;
    uint64_t stop_ns; /* while stopping: when to give up */

    /* The thread's. */
    struct clock clock;
    struct breaker breaker;
    struct hook_slot *slot, *free;
    unsigned busy;
};

/* hook_thread.c */
void *hook_thread(void *hook);

/* Gives the question back with the configured answer. Any thread. */
void hook_fail(struct hook *h, struct hook_question *q, enum hook_origin origin);

/* hook_http.c: one slot's request, by the thread (or before it runs). */
bool hook_slot_open(struct hook *h, struct hook_slot *s);
void hook_slot_close(struct hook_slot *s);

/* 0 once it is under way; else an error, and nothing is. */
int hook_slot_start(struct hook_slot *s, struct hook_question *q);

/* What came of it, into q->answer; did the service answer at all? */
bool hook_slot_judge(struct hook_slot *s, CURLcode result);

/* Forgets request and response. */
void hook_slot_clear(struct hook_slot *s);
