/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_message.c -- real threads as cores publish, share, keep, forward and give back
 * messages at random, and share a retained one again and again while old shares return.
 *
 * For ThreadSanitizer, and for itself: every body is checked whenever it is held, and at
 * the end not one block may be left anywhere. Usage: torture_message [turns [seed]] */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/message.h"

enum { CORES = 4, RING = 64, KEPT = 32, TAKE = 16, DRAIN_ROUNDS = 4, WATCHDOG_S = 240 };

/* Shares on their way from one core to another; no more ordering than the mesh gives. */
struct pipe {
    alignas(2 * CACHE_LINE) _Atomic uint32_t tail;
    alignas(2 * CACHE_LINE) _Atomic uint32_t head;
    struct message *slot[RING];
};

struct rig {
    struct pool *homes[CORES];
    struct pipe pipe[CORES][CORES]; /* from, to */
    pthread_barrier_t barrier;
    uint64_t turns, seed;
};

struct player {
    struct core core;
    struct rig *rig;
    pthread_t thread;
    struct message *retained;
    struct message *kept[KEPT];
    uint64_t published, taken;
    bool refused; /* a pipe was full in this turn: let the others run */
};

static bool pipe_push(struct pipe *p, struct message *m)
{
    uint32_t tail = atomic_load_explicit(&p->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&p->head, memory_order_acquire) == RING) return false;
    p->slot[tail % RING] = m;
    atomic_store_explicit(&p->tail, tail + 1, memory_order_release);
    return true;
}

static struct message *pipe_pop(struct pipe *p)
{
    uint32_t head = atomic_load_explicit(&p->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&p->tail, memory_order_acquire)) return NULL;
    struct message *m = p->slot[head % RING];
    atomic_store_explicit(&p->head, head + 1, memory_order_release);
    return m;
}

static uint64_t luck(struct player *p, uint64_t n)
{
    return rng_below(&p->core.rng, n);
}

/* Every byte of the payload is the last one of the topic's hash. */
static void check(const struct message *m)
{
    struct bytes b = message_payload(m);
    ASSERT(bytes_eq(message_topic(m), BYTES("t")));
    for (size_t i = 0; i < b.n; i += 61)
        ASSERT(b.p[i] == (uint8_t)m->topic_hash);
    ASSERT(b.p[b.n - 1] == (uint8_t)m->topic_hash);
}

static struct message *publish(struct player *p)
{
    uint8_t payload[3 * MESSAGE_COPY_MAX];
    size_t n = 1 + luck(p, luck(p, 2) ? 64 : sizeof payload);
    uint64_t hash = rng_u64(&p->core.rng) | 1;
    memset(payload, (uint8_t)hash, n);
    struct publication what = {
        .topic = BYTES("t"), .payload = bytes_of(payload, n), .topic_hash = hash};
    struct message *m = message_new(&p->core, &what, 1);
    ASSERT(m);
    p->published++;
    return m;
}

/* Mails a share that was made; what does not fit is given back. */
static void mail(struct player *p, struct message *m)
{
    unsigned to = (unsigned)luck(p, CORES); /* itself too */
    if (pipe_push(&p->rig->pipe[p->core.id][to], m)) return;
    p->refused = true;
    message_put(&p->core, m);
}

static void share_to_some(struct player *p, struct message *m)
{
    uint32_t n = (uint32_t)luck(p, CORES);
    message_share(&p->core, m, n);
    while (n-- > 0)
        mail(p, m);
}

/* Ends what the caller holds, in one of the ways there are. */
static void dispose(struct player *p, struct message *m)
{
    if (luck(p, 4) == 0) {
        message_hand_over(&p->core, m);
        mail(p, m);
    } else {
        message_put(&p->core, m);
    }
}

static void keep(struct player *p, struct message *m)
{
    struct message **place = &p->kept[luck(p, KEPT)];
    if (*place) {
        check(*place);
        if (luck(p, 2)) share_to_some(p, *place);
        message_unref(&p->core, *place);
    }
    *place = message_keep(&p->core, m);
    ASSERT(*place && (*place)->home == p->core.id);
}

static void take(struct player *p)
{
    for (unsigned from = 0; from < CORES; from++) {
        for (unsigned i = 0; i < TAKE; i++) {
            struct message *m = pipe_pop(&p->rig->pipe[from][p->core.id]);
            if (!m) break;
            p->taken++;
            check(m);
            if (luck(p, 2)) keep(p, m);
            if (luck(p, 8) == 0) share_to_some(p, m);
            dispose(p, m);
        }
    }
}

static void turn(struct player *p)
{
    take(p);

    struct message *m = publish(p);
    if (luck(p, 2)) share_to_some(p, m);
    if (luck(p, 4) == 0) keep(p, m);
    dispose(p, m);

    share_to_some(p, p->retained);
    /* A stand-in whose body's publisher has long let go: the receivers meet at its one share. */
    struct message *old = p->kept[luck(p, KEPT)];
    if (old) share_to_some(p, old);
    if (luck(p, 64) == 0) {
        message_unref(&p->core, p->retained);
        p->retained = publish(p);
    }

    pool_flush_home(p->core.pool);
    pool_take_home(p->core.pool, message_on_home, &p->core);
    if (p->refused) sched_yield();
    p->refused = false;
}

/* Nothing new; everything is given back. A stand-in that ends at home gives back its share of
 * another block, hence some rounds. */
static void drain(struct player *p)
{
    message_unref(&p->core, p->retained);
    for (unsigned i = 0; i < KEPT; i++)
        if (p->kept[i]) message_unref(&p->core, p->kept[i]);
    for (unsigned from = 0; from < CORES; from++)
        for (struct message *m; (m = pipe_pop(&p->rig->pipe[from][p->core.id])) != NULL;)
            message_put(&p->core, m);
    for (unsigned i = 0; i < DRAIN_ROUNDS; i++) {
        pool_flush_home(p->core.pool);
        pthread_barrier_wait(&p->rig->barrier);
        while (pool_take_home(p->core.pool, message_on_home, &p->core) > 0) {
        }
        pthread_barrier_wait(&p->rig->barrier);
    }
}

static void *play(void *arg)
{
    struct player *p = arg;
    p->retained = publish(p);
    pthread_barrier_wait(&p->rig->barrier);
    for (uint64_t i = 0; i < p->rig->turns; i++)
        turn(p);
    pthread_barrier_wait(&p->rig->barrier);
    drain(p);
    return NULL;
}

int main(int argc, char **argv)
{
    struct rig *rig = aligned_alloc(alignof(struct rig), sizeof *rig);
    struct player *players = aligned_alloc(alignof(struct player), CORES * sizeof *players);
    ASSERT(rig && players);
    alarm(WATCHDOG_S);
    memset(rig, 0, sizeof *rig);
    memset(players, 0, CORES * sizeof *players);
    rig->turns = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    rig->seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    ASSERT(pthread_barrier_init(&rig->barrier, NULL, CORES) == 0);

    for (unsigned i = 0; i < CORES; i++) {
        players[i].rig = rig;
        players[i].core.id = i;
        players[i].core.cores = CORES;
        players[i].core.pool = pool_new(i, CORES, rig->homes);
        ASSERT(players[i].core.pool);
        rng_seed(&players[i].core.rng, rig->seed * CORES + i);
    }
    for (unsigned i = 0; i < CORES; i++)
        ASSERT(pthread_create(&players[i].thread, NULL, play, &players[i]) == 0);
    for (unsigned i = 0; i < CORES; i++)
        ASSERT(pthread_join(players[i].thread, NULL) == 0);

    int lost = 0;
    for (unsigned i = 0; i < CORES; i++) {
        size_t left = pool_bytes_used(players[i].core.pool);
        printf("core %u: published %llu, taken %llu, bytes left %zu\n", i,
               (unsigned long long)players[i].published, (unsigned long long)players[i].taken,
               left);
        lost |= left != 0;
    }
    for (unsigned i = 0; i < CORES; i++)
        pool_free_all(&players[i].core.pool);
    pthread_barrier_destroy(&rig->barrier);
    free(players);
    free(rig);
    return lost;
}
