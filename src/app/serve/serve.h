/* SPDX-License-Identifier: BSD-3-Clause */
/* serve.h -- the running broker: what all cores share, and the modules of each.
 *
 * The main thread starts all cores, each on its own thread, so that each makes its memory where it
 * runs, and reads back what it had on disk. When all have, it opens one gate after the other for
 * them, and at last waits for signals. Going down takes the same steps backwards: all cores drain,
 * one thread turns them until no mail is left, then all free their modules, then all free their
 * pools, since a message may be in use on any core until none of them runs.
 *
 * Owner: the main thread. What is here is written before the gate opens. */
#pragma once

#include <pthread.h>
#include <stdio.h>

#include "admin/admin.h"
#include "admin/sys.h"
#include "app/options/options.h"
#include "app/serve/notify.h"
#include "app/serve/privileges.h"
#include "app/serve/serve_data.h"
#include "broker/access/door.h"
#include "core/cpu.h"

struct settings;
struct core_modules;

/* What the main thread asks a core to do in its next turn, one thing at a time: it may give the
 * next order when `out` is false again. */
struct order {
    struct helper_job job;
    void (*carry_out)(struct core_modules *m, uint32_t n);
    uint32_t n;
    _Atomic uint32_t connections; /* that were left when it was carried out */
    _Atomic bool out;
};

/* One core's table of modules; struct core's `modules` points to it. */
struct core_modules {
    struct core core;
    struct broker *broker;
    struct mqtt_core *mqtt;
    struct admin *admin; /* NULL: no listener is for it */
    struct sys *sys;
    struct net *net;
    struct data_core data;
    struct serve *serve;
    struct settings *settings; /* in force here; NULL: those of the start */
    struct order order;
    pthread_t thread;
    unsigned cpu;
    bool pinned;
    bool made; /* its struct core */
    int err;   /* of its start, or of what it could not write at the end */
    char error[OPTIONS_ERROR];
};

/* How far the cores may go. */
enum gate {
    GATE_SHUT,   /* make all modules, read the log back */
    GATE_SETTLE, /* the first core turns all of them till no mail is left */
    GATE_LISTEN, /* listen, one after the other: the first finds a port for all */
    GATE_OPEN,
    GATE_NEVER,
};

/* What every thread has done before any goes on, when the broker ends. */
enum step { STEP_DRAINED, STEP_SETTLED, STEP_FREED, STEPS };

struct serve {
    const struct options *options;  /* of the start; what is running now may differ, see reload.c */
    const struct option_args *args; /* what they were made from; NULL: they can't be read again */
    struct settings *settings;      /* the newest; NULL: those of the start */
    struct log log;                 /* the main thread's */
    struct clock clock;
    struct notify notify;
    uint64_t end_by_ns; /* when all must be over; set before the cores are stopped */
    struct cpu_plan plan;
    uint64_t seed; /* of homes and owners: the data's, if there is any */
    uint64_t luck; /* of this run alone */
    struct mesh *mesh;
    struct helpers *helpers;
    struct pool *pools[CPU_CORES_MAX];
    struct memory memory;
    struct data_shared data;
    mail_fn *handlers[BROKER_MAIL_KINDS];
    struct listener listener[NET_LISTENERS_MAX];
    struct sock_file file[NET_LISTENERS_MAX];   /* of listeners that are one */
    struct tls_context *tls[NET_LISTENERS_MAX]; /* the newest of each listener; NULL: none */
    struct ws_options ws[NET_LISTENERS_MAX];
    int *handed[NET_LISTENERS_MAX]; /* plan.cores of them, if they are the service manager's */
    struct access_door door[NET_LISTENERS_MAX];
    char door_name[NET_LISTENERS_MAX][SOCK_ADDR_TEXT];
    uint64_t certificates_due_ns; /* when they are looked at again */
    struct access *access;        /* one use */
    struct hook *hook;            /* NULL: none */
    struct admin_shared admin;
    bool has_admin;
    struct sys_shared sys;

    struct core_modules *cores; /* plan.cores of them */
    unsigned started;           /* threads that run */

    pthread_mutex_t lock; /* guards what follows, at start and end only */
    pthread_cond_t changed;
    unsigned reported; /* threads that have told how they came through the gate's last part */
    enum gate gate;
    unsigned passed[STEPS]; /* threads that have come to each step of the end */
};

/* ---- serve_core.c: on a core's thread ------------------------------------------------------ */

void *serve_core_main(void *core_modules);

/* The broker's handlers of mail and net's, all with the core's broker as their context. */
void serve_mail_handlers(mail_fn *handlers[BROKER_MAIL_KINDS]);

/* ---- serve.c -----------------------------------------------------------------------------------
 */

/* Starts all cores and lets them run. Log lines go to `log_fd`, which is taken. 0, or -ERR_X with a
 * sentence in error[OPTIONS_ERROR]. */
int serve_start(struct serve *s, const struct options *o, int log_fd, char *error);

/* Writes why listener `i` can't listen to error[OPTIONS_ERROR]; returns err. */
int serve_refuse_address(const struct serve *s, unsigned i, int err, char *error);

/* Ends them and frees all, in shutdown.timeout at most. Also after a failed start. -ERR_STORAGE
 * with a sentence in error[OPTIONS_ERROR] if not all that was acknowledged or is to be kept is on
 * disk.
 */
int serve_stop(struct serve *s, char *error);

/* The settings that are in force now, or will be when all cores have taken them. */
const struct options *serve_options(const struct serve *s);

/* The main thread's log, with the time of now. */
struct log *serve_log(struct serve *s);

/* ---- order.c --------------------------------------------------------------------------- */

/* Gives every core that is free to take it an order. Returns how many cores had not yet carried
 * out the one before, and got none. */
unsigned serve_order(struct serve *s, void (*carry_out)(struct core_modules *m, uint32_t n),
                     uint32_t n);

/* Connections that were open when each core last carried out an order. */
uint64_t serve_connections(const struct serve *s);

/* ---- serve_run.c ----------------------------------------------------------------------- */

/* What the main thread does while the cores run: answers signals until one of them ends the
 * broker, and has sent the clients away over shutdown.drain. */
void serve_run(struct serve *s);

/* ---- reload.c -------------------------------------------------------------------------- */

/* Reads and judges the whole configuration again; if all is good, every core takes it in a turn
 * of its own. What came of it is logged. */
void serve_reload(struct serve *s);
void settings_unref(struct settings **p); /* nulls the pointer; any thread; the last one frees */

/* ---- log_file.c ------------------------------------------------------------------------ */

/* Where lines go, as a file descriptor for struct log: the file `path`, or standard error if it is
 * empty. -1 with a sentence in error[OPTIONS_ERROR]. */
int log_file_open(const char *path, char *error);

/* The same behind the number that `fd` has now, for all threads at once. 0, or -ERR_OS. */
int log_file_reopen(int fd, const char *path, char *error);

/* ---- serve_listen.c ------------------------------------------------------------------------ */

/* Fills s->listener. 0, or -ERR_INVALID with a sentence in error[OPTIONS_ERROR]. */
int serve_listeners_make(struct serve *s, char *error);
void serve_listeners_free(struct serve *s);

/* New clients find no Unix socket any more, but for those that stay, and the next broker may make
 * its own. */
void serve_listeners_unlink(struct serve *s);

/* Reads the certificates, keys and lists that `o` names into fresh[NET_LISTENERS_MAX], NULL for
 * listeners that have none. -ERR_INVALID with a sentence in error[OPTIONS_ERROR], and nothing
 * read, if one of them is bad. */
int serve_tls_read(const struct serve *s, const struct options *o, struct tls_context **fresh,
                   char *error);

/* Puts them in force for connections to come. */
void serve_tls_take(struct serve *s, struct tls_context **fresh);

/* ---- certificates.c -------------------------------------------------------------------------- */

/* Once a day, or `now`: logs which certificates and lists have ended or soon will. Returns the
 * milliseconds until it should be called again. */
int serve_certificates_watch(struct serve *s, bool now);

/* ---- serve_admin.c ------------------------------------------------------------------------- */

/* Fills s->sys, and s->admin if a listener is for it. 0, or -ERR_X with a sentence in
 * error[OPTIONS_ERROR]. */
int serve_admin_make(struct serve *s, char *error);

/* Reads the tokens anew, for admin_set_tokens(); none, if no listener needs them. The same. */
int serve_admin_read(const struct serve *s, struct admin_tokens **tokens, char *error);

/* ---- serve_memory.c ------------------------------------------------------------------------ */

/* Sets what the process may have: limits.memory, or what that means if it is 0. */
void serve_memory_limit(struct serve *s, const struct options *o);

/* The most that one core's pool may have of it. */
size_t serve_pool_max(const struct serve *s);

/* ---- serve_access.c -----------------------------------------------------------------------------
 */

/* Starts the thread that asks the web service, if there is one. 0, or -ERR_INVALID with a sentence
 * in error[OPTIONS_ERROR]. */
int serve_hook_start(struct serve *s, char *error);

/* Who may come in and do what, as the options say; NULL with a sentence in error[OPTIONS_ERROR]. */
struct access *serve_access_new(const struct serve *s, const struct options *o, char *error);

/* ---- handed.c -------------------------------------------------------------------------- */

/* The sockets called `name`, which the service manager has opened, into fds[cores], one for each
 * core. -ERR_INVALID with a sentence in error[OPTIONS_ERROR]. */
int handed_take(const char *name, int *fds, unsigned cores, char *error);

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

/* Waits for the next signal, at most `wait_ms`; -1: as long as it takes. Its number, or 0 if none
 * came. */
int signals_next(int wait_ms);

/* From now on TERM and INT end the process at once. */
void signals_let_end(void);

/* They would end us in good order, but there is nothing yet to be put in order: ends the process if
 * one of them has come. */
void signals_look(void);
