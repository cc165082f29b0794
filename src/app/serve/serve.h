/* SPDX-License-Identifier: BSD-3-Clause */
/* serve.h -- the running broker: what all cores share, and the modules of each.
 *
 * The main thread starts the cores one after the other, each on its own thread, so that
 * each makes its memory where it runs; then it opens the gate for all of them and waits
 * for signals. Going down takes the same steps backwards: all cores drain, one thread turns
 * them until no mail is left, then all free their modules, then all free their pools,
 * since a message may be in use on any core until none of them runs.
 *
 * Owner: the main thread. What is here is written before the gate opens. */
#pragma once

#include <pthread.h>
#include <stdio.h>

#include "admin/admin.h"
#include "app/options/options.h"
#include "broker/access/door.h"
#include "core/cpu.h"

/* One core's table of modules; struct core's `modules` points to it. */
struct core_modules {
    struct core core;
    struct broker *broker;
    struct mqtt_core *mqtt;
    struct admin *admin; /* NULL: no listener is for it */
    struct net *net;
    struct serve *serve;
    pthread_t thread;
    unsigned cpu;
    bool pinned;
};

enum gate { GATE_SHUT, GATE_OPEN, GATE_NEVER };

/* What every thread has done before any goes on, when the broker ends. */
enum step { STEP_DRAINED, STEP_SETTLED, STEP_FREED, STEPS };

struct serve {
    const struct options *options;
    struct cpu_plan plan;
    uint64_t seed;
    struct mesh *mesh;
    struct helpers *helpers;
    struct pool *pools[CPU_CORES_MAX];
    mail_fn *handlers[BROKER_MAIL_KINDS];
    struct listener listener[NET_LISTENERS_MAX];
    struct tls_context *tls[NET_LISTENERS_MAX]; /* the newest of each listener; NULL: none */
    struct ws_options ws[NET_LISTENERS_MAX];
    struct access_door door[NET_LISTENERS_MAX];
    char door_name[NET_LISTENERS_MAX][SOCK_ADDR_TEXT];
    struct access *access; /* one use */
    struct admin_shared admin;
    bool has_admin;

    struct core_modules *cores; /* plan.cores of them */
    unsigned started;           /* threads that run */

    pthread_mutex_t lock; /* guards what follows, at start and end only */
    pthread_cond_t changed;
    unsigned reported; /* threads that have told how their start went */
    int start_err;     /* of the one that failed */
    char start_error[OPTIONS_ERROR];
    enum gate gate;
    unsigned passed[STEPS]; /* threads that have come to each step of the end */
};

/* ---- serve_core.c: on a core's thread ------------------------------------------------------ */

void *serve_core_main(void *core_modules);

/* The broker's handlers of mail and net's, all with the core's broker as their context. */
void serve_mail_handlers(mail_fn *handlers[BROKER_MAIL_KINDS]);

/* ---- serve.c -----------------------------------------------------------------------------------
 */

/* Starts all cores and lets them run. 0, or -ERR_X with a sentence in error[OPTIONS_ERROR]. */
int serve_start(struct serve *s, const struct options *o, char *error);

/* Writes why listener `i` can't listen to error[OPTIONS_ERROR]; returns err. */
int serve_refuse_address(const struct serve *s, unsigned i, int err, char *error);

/* Ends them and frees all. Also after a failed start. */
void serve_stop(struct serve *s);

/* ---- serve_listen.c ------------------------------------------------------------------------ */

/* Fills s->listener. 0, or -ERR_INVALID with a sentence in error[OPTIONS_ERROR]. */
int serve_listeners_make(struct serve *s, char *error);
void serve_listeners_free(struct serve *s);

/* Reads certificates, keys and lists again for connections to come. A listener whose files
 * are bad goes on as it was; both are logged. */
void serve_reload_tls(struct serve *s);

/* ---- serve_admin.c ------------------------------------------------------------------------- */

/* Fills s->admin, if a listener is for it. 0, or -ERR_X with a sentence in error[OPTIONS_ERROR]. */
int serve_admin_make(struct serve *s, char *error);

/* ---- banner.c
 * ------------------------------------------------------------------------------------ */

/* What has started, for a person: where it listens, on what it runs, what to try. */
void banner_print(const struct serve *s, FILE *out);

/* Does anyone but this machine reach that address? */
bool banner_is_loopback(const struct sock_addr *a);

/* ---- signals.c
 * ------------------------------------------------------------------------------------ */

/* Before any thread starts: signals come to signals_wait() alone, and a peer that went away
 * is an error of the write and no signal. */
void signals_init(void);

/* Waits for TERM or INT, whose number it returns. From then on a second one ends the process.
 * On HUP it calls `reload` and goes on waiting. */
int signals_wait(struct serve *s, void (*reload)(struct serve *s));
