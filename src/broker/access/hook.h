/* SPDX-License-Identifier: BSD-3-Clause */
/* hook.h -- asks a web service of the operator's: may this client come in, may it do that?
 *
 * A question is posted as JSON to one configured URL by a thread of its own (hook_thread.c), and
 * its answer comes back to the core that asked. Every question that is asked is answered exactly
 * once, later and never within hook_ask(), whatever goes wrong: no time, no room, no service,
 * no sense in the answer. Then the answer is the configured one, and says why.
 *
 *     q = hook_question_new(&text, core, done);  hook_ask(h, q);  ...
 *     done(q): read q->answer; hook_question_free(&q);
 *
 * A question that nobody waits for any more is hook_cancel()ed, after which it is the hook's.
 *
 * Owner: the main thread makes and frees it; cores share it. */
#pragma once

#include <stdatomic.h>

#include "broker/access/rules_json.h"
#include "core/counters.h"
#include "core/helper.h"

enum {
    HOOK_TEXT_MAX = 256,
    HOOK_REQUEST_MAX = 128 * 1024,
    HOOK_RESPONSE_MAX = 64 * 1024,
    HOOK_CONNECTIONS_MAX = 256,
};

enum hook_verdict { HOOK_DENY, HOOK_IGNORE, HOOK_ALLOW }; /* ignore: ask the next source */

struct hook_options {
    char url[HOOK_TEXT_MAX];         /* http or https; empty: no hook */
    char ca_file[HOOK_TEXT_MAX];     /* whom to trust; empty: whom the system trusts */
    char secret_file[HOOK_TEXT_MAX]; /* sent as a bearer token; empty: none */
    uint32_t timeout_ms;             /* from asking to answer, waiting included */
    uint32_t connections_max;        /* kept alive */
    uint32_t queue_max;              /* questions that wait for one of them */
    uint8_t on_failure;              /* enum hook_verdict */
    bool access;                     /* asked about topics, too */
    uint32_t cache_s;                /* how long an answer is used again; see hook_cache.h */
    uint32_t cache_denied_s;
    uint32_t cache_entries;
};

#define HOOK_OPTIONS_DEFAULT                                                                       \
    {                                                                                              \
        .timeout_ms = 5000, .connections_max = 8, .queue_max = 10000, .cache_s = 60,               \
        .cache_denied_s = 5, .cache_entries = 10000                                                \
    }

enum hook_action { HOOK_LOGIN, HOOK_PUBLISH, HOOK_SUBSCRIBE };

/* Where an answer comes from. */
enum hook_origin {
    HOOK_ANSWERED,
    HOOK_TIMEOUT,     /* the service took too long */
    HOOK_UNREACHABLE, /* no connection, or a broken one; TLS that does not hold */
    HOOK_BAD_ANSWER,  /* a status other than 200, no sense in the body, or too much of it */
    HOOK_BUSY,        /* the queue is full */
    HOOK_OPEN,        /* it failed too often lately; it is not asked for a while */
    HOOK_TOO_LARGE,   /* the question: denied, whatever is configured */
    HOOK_STOPPED,     /* the broker ends, or goes on with another hook */
    HOOK_ORIGINS
};

/* What is asked. Borrowed; p == NULL: there is none, and the question leaves it out. */
struct hook_text {
    enum hook_action action;
    struct bytes user, password, client_id, address, listener, certificate, topic;
};

struct hook_answer {
    enum hook_verdict verdict;
    enum hook_origin origin;
    struct bytes user;        /* owned; another name than the client's; empty: its own */
    struct rules_given rules; /* owned */
    int64_t expires_s;        /* since 1970; INT64_MAX: never */
};

struct hook_question {
    struct helper_job job;
    unsigned core;
    void (*done)(struct hook_question *q); /* on `core`; takes the question back */
    struct counters *counters;             /* of `core`; NULL: not counted */
    void *context;                         /* the asker's */
    void (*drop_context)(void *context);   /* of a question that was cancelled; may be NULL */

    struct hook_text text; /* owned copies */
    struct hook_answer answer;
    bool blamed; /* the service says that the question is at fault (status 4xx) */

    _Atomic bool gone;          /* cancelled */
    uint64_t deadline_ns;       /* the hook's */
    struct hook_question *next; /* the hook's */
};

struct hook;

/* Starts the thread: NULL with a sentence in error[n]. `helpers` must outlive the hook. */
struct hook *hook_new(const struct hook_options *o, struct helpers *helpers, char *error, size_t n);

const struct hook_options *hook_options(const struct hook *h);

/* Main thread. Lets what is under way end for at most `drain_ms`, then answers the rest, and all
 * that is asked later, with HOOK_STOPPED. Those answers are taken like all others, by
 * helper_take() of their cores. Harmless if `h` is NULL. */
void hook_stop(struct hook *h, uint32_t drain_ms);

/* Main thread, when no core can ask any more; hook_stop() first, if it has not been called. */
void hook_free(struct hook **h);

/* A question with copies of the texts; NULL: out of memory. */
struct hook_question *hook_question_new(const struct hook_text *text, unsigned core,
                                        void (*done)(struct hook_question *q));
void hook_question_free(struct hook_question **q);

/* On the question's core. Takes it till done(). */
void hook_ask(struct hook *h, struct hook_question *q);

/* On the question's core, between hook_ask() and done(): done() will not be called. */
void hook_cancel(struct hook_question *q);

/* "timeout" and so on, for logs and metrics. */
const char *hook_origin_word(enum hook_origin o);

void hook_answer_free(struct hook_answer *a);
