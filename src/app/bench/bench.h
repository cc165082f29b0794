/* SPDX-License-Identifier: BSD-3-Clause */
/* bench.h -- the load generator: many MQTT clients on few threads.
 *
 * A worker is a thread with a reactor and its share of the links (client connections); a
 * scenario says what links do. The main thread conducts: it moves all workers
 * from phase to phase, reads their tallies, and never touches a link. What crosses threads is
 * atomic and stands in struct bench and in tallies.
 *
 * Owner: the main thread; links and buffers belong to their worker. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/bench/hist.h"
#include "app/bench/link.h"
#include "core/sock.h"
#include "proto/mqtt/mqtt.h"

struct bench;
struct scenario;
struct worker;

enum {
    BENCH_BUFFER = 1 << 20,
    BENCH_THREADS_MAX = 64,
    BENCH_FAILURE = 192,
    BENCH_NAME = 16,
    BENCH_ID = 48
};

enum phase { PHASE_CONNECT, PHASE_RUN, PHASE_DRAIN, PHASE_STOP };

/* What a worker has done; written by it alone. */
enum tally {
    TALLY_READY, /* links that may take part */
    TALLY_FAILED,
    TALLY_SENT,
    TALLY_ACKED,
    TALLY_RECEIVED,
    TALLY_DUPLICATE,
    TALLY_DISORDER, /* came after a later one of its publisher */
    TALLY_STALLS,   /* windows given up after a second without progress */
    TALLIES
};

struct tallies {
    uint64_t n[TALLIES];
};

struct bench_options {
    const struct scenario *scenario;
    struct sock_addr server;
    enum mqtt_version version;
    uint32_t qos;
    uint32_t publishers, subscribers;
    uint32_t count; /* links of idle and connrate; messages of retain, acks, drain (0: any) */
    uint32_t payload_bytes, window;
    uint32_t rate; /* messages a second; 0: closed loop */
    uint32_t measure_ms, warmup_ms;
    uint32_t threads;
    uint32_t broker_pid; /* 0: unknown */
    uint8_t transport;   /* enum wire_kind */
    bool resume;         /* TLS sessions, by links that come again */
    bool away;           /* sessions leave before messages come */
    bool json, progress;
    const char *name; /* NULL: one of its own */
};

struct scenario {
    const char *name;
    const char *what;
    size_t turn_bytes; /* of what each worker keeps for it, zeroed */
    /* Main thread, before workers start. 0, -ERR_NOMEM. */
    int (*prepare)(struct bench *b);
    void (*release)(struct bench *b);
    /* Main thread: the run, from first connection to report. An exit code. */
    int (*conduct)(struct bench *b);
    /* Worker: fills in what is to differ in CONNECT; room for a client id. May be NULL. */
    void (*on_greet)(const struct link *l, struct mqtt_connect *c, char id[BENCH_ID]);
    /* Worker: the broker has accepted the link; a packet that is not CONNACK; output that waited
     * has gone; the link has ended though nobody asked it to. Any may be NULL but on_up. */
    void (*on_up)(struct link *l);
    void (*on_packet)(struct link *l, const struct mqtt_frame *f);
    void (*on_drain)(struct link *l);
    void (*on_left)(struct link *l); /* the end that link_leave asked for */
    /* Worker: once per turn. Returns how long it may sleep. */
    uint64_t (*on_turn)(struct worker *w);
};

struct worker {
    struct bench *bench;
    struct reactor *reactor;
    uint64_t now_ns;
    uint8_t *in;    /* BENCH_BUFFER: what was received, and what came before it */
    uint8_t *out;   /* BENCH_BUFFER: packets being made */
    uint8_t *frame; /* the same in a frame; NULL without WebSocket */
    size_t in_room, out_room;
    uint32_t next, opening; /* links to open, links being opened */
    void *state;            /* the scenario's, turn_bytes of it */
    unsigned index;
    struct hist latency; /* ns */
    _Atomic uint64_t tally[TALLIES];
    pthread_t thread;
};

struct bench {
    const struct bench_options *options;
    const struct scenario *scenario;
    struct wire_rules wires;
    struct link *links;
    uint32_t nlinks;
    struct worker *workers;
    unsigned started;
    void *state;           /* the scenario's */
    double rss_before;     /* the broker's, before the first connection */
    char name[BENCH_NAME]; /* of this run, in client ids and topics */

    _Atomic int phase;
    _Atomic uint64_t measure_from_ns; /* latency counts of what was sent since; UINT64_MAX: none */
    pthread_mutex_t lock;
    char failure[BENCH_FAILURE]; /* the first; under `lock` */
};

static inline enum phase bench_phase(const struct bench *b)
{
    return (enum phase)atomic_load_explicit(&b->phase, memory_order_acquire);
}

static inline void tally_add(struct worker *w, enum tally t, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&w->tally[t], memory_order_relaxed);
    atomic_store_explicit(&w->tally[t], v + n, memory_order_release);
}

static inline bool bench_measures(const struct bench *b, uint64_t sent_ns)
{
    return sent_ns >= atomic_load_explicit(&b->measure_from_ns, memory_order_relaxed);
}

/* ---- worker.c: on workers ------------------------------------------------------------------ */

uint64_t bench_now_ns(void);
void *worker_main(void *worker);

/* A link takes part from now on (tallied), or never will. */
void worker_ready(struct link *l);
void worker_failed(struct link *l, const char *why);

/* ---- conduct.c: on the main thread ------------------------------------------------------------
 */

int bench_start(struct bench *b);
bool bench_wait_ready(struct bench *b); /* false: told why */
void bench_set_phase(struct bench *b, enum phase p);
struct tallies bench_tallies(const struct bench *b);
void bench_sleep(struct bench *b, uint32_t ms); /* with a progress line each second */
/* The same, or until `t` has come to `until`. */
void bench_sleep_until(struct bench *b, uint32_t ms, enum tally t, uint64_t until);
/* Waits until `t` has come to `until`, or has not moved for `patience_s`. */
void bench_wait_tally(struct bench *b, enum tally t, uint64_t until, double patience_s);
void bench_stop(struct bench *b); /* all workers have ended */
void bench_free(struct bench *b);

/* ---- report.c
 * ------------------------------------------------------------------------------------ */

/* One number of a report: "p99", 0.312, "ms". */
struct figure {
    const char *name;
    double value;
    const char *unit; /* NULL: a count */
};

/* Prints the figures of a run, aligned or (--json) as one line of JSON. */
void report_print(const struct bench *b, const struct figure *f, size_t n);

/* CPU seconds and resident bytes of the broker's process; 0 if unknown. */
double broker_cpu_s(const struct bench *b);
double broker_rss_bytes(const struct bench *b);

/* ---- scenarios ----------------------------------------------------------------------------------
 */

extern const struct scenario bench_pairs, bench_fan_out, bench_fan_in, bench_shared, bench_idle,
    bench_connrate, bench_retain, bench_acks, bench_drain;
