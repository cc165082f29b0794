/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_net.c -- connections as pairs of byte queues, and the clients' side of them. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "core/reactor.h"
#include "machine.h"

enum { DELAY_MAX_NS = 20000000 };

/* Both ends of a connection; freed when neither is open. */
struct cable {
    struct end broker, client;
    uint8_t bytes[];
};

static struct machine the_machine;

struct machine *machine(void)
{
    return &the_machine;
}

void machine_init(uint64_t seed)
{
    struct machine *m = machine();
    memset(m, 0, sizeof *m);
    rng_seed(&m->rng, seed);
    m->now_ns = 1000 * NS_PER_S;
    m->calm = true;
}

bool mishap(unsigned n)
{
    struct machine *m = machine();
    return !m->calm && rng_below(&m->rng, n) == 0;
}

/* ---- pipes ------------------------------------------------------------------------------- */

uint32_t pipe_len(const struct pipe *p)
{
    return p->tail - p->head;
}

uint32_t pipe_room(const struct pipe *p)
{
    return p->cap - pipe_len(p);
}

uint32_t pipe_arrived(const struct pipe *p)
{
    const struct machine *m = machine();
    return m->now_ns < p->due_ns && !m->calm ? 0 : pipe_len(p);
}

/* Some of `n`, any number from 1 up. */
static uint32_t some_of(uint32_t n)
{
    struct machine *m = machine();
    if (n < 2 || !mishap(3)) return n;
    if (mishap(2)) n = n < 8 ? n : 8;
    return 1 + (uint32_t)rng_below(&m->rng, n);
}

uint32_t pipe_put(struct pipe *p, const uint8_t *from, uint32_t n)
{
    struct machine *m = machine();
    if (n > pipe_room(p)) n = pipe_room(p);
    n = some_of(n);
    if (pipe_len(p) == 0 && mishap(3)) p->due_ns = m->now_ns + rng_below(&m->rng, DELAY_MAX_NS);
    for (uint32_t i = 0; i < n; i++)
        p->at[p->tail++ & (p->cap - 1)] = from[i];
    return n;
}

uint32_t pipe_take(struct pipe *p, uint8_t *to, uint32_t n)
{
    uint32_t arrived = pipe_arrived(p);
    if (n > arrived) n = arrived;
    n = some_of(n);
    for (uint32_t i = 0; i < n; i++)
        to[i] = p->at[p->head++ & (p->cap - 1)];
    return n;
}

/* ---- ends -------------------------------------------------------------------------------- */

bool end_readable(const struct end *e)
{
    return e->broken || pipe_arrived(&e->in) > 0 || (e->in.end && pipe_len(&e->in) == 0);
}

bool end_writable(const struct end *e)
{
    return e->broken || !e->peer->open || pipe_room(&e->peer->in) > 0;
}

bool end_over(const struct end *e)
{
    return (e->broken || e->in.end) && pipe_len(&e->in) == 0;
}

/* The last bytes of a stream that breaks get lost, as many as luck will have it. */
static void lose_some(struct pipe *p)
{
    if (pipe_len(p)) p->tail -= (uint32_t)rng_below(&machine()->rng, pipe_len(p) + 1);
    p->due_ns = 0;
}

void end_break(struct end *e)
{
    lose_some(&e->in);
    lose_some(&e->peer->in);
    e->broken = e->peer->broken = true;
}

/* The other side finds out; unread input makes it the hard way, as TCP does. */
void end_close(struct end *e, bool abrupt)
{
    struct end *peer = e->peer;
    e->open = false;
    if (peer->open && (abrupt || pipe_len(&e->in) > 0)) {
        if (abrupt || mishap(2)) lose_some(&peer->in);
        peer->broken = true;
    }
    peer->in.end = true;
    if (peer->open) return;
    struct cable *c = peer < e ? (struct cable *)(void *)peer : (struct cable *)(void *)e;
    free(c);
}

uint32_t end_write(struct end *e, const uint8_t *p, uint32_t n)
{
    if (e->broken || !e->peer->open || mishap(8)) return 0;
    return pipe_put(&e->peer->in, p, n);
}

uint32_t end_read(struct end *e, uint8_t *p, uint32_t n)
{
    return pipe_take(&e->in, p, n);
}

static struct cable *cable_new(uint32_t cap)
{
    struct cable *c = calloc(1, sizeof *c + 2 * cap);
    ASSERT(c);
    c->broker = (struct end){.peer = &c->client, .open = true};
    c->client = (struct end){.peer = &c->broker, .open = true};
    c->broker.in = (struct pipe){.at = c->bytes, .cap = cap};
    c->client.in = (struct pipe){.at = c->bytes + cap, .cap = cap};
    return c;
}

/* The kernel picks a door without asking who is busy behind it. */
struct end *net_connect(uint32_t cap)
{
    struct machine *m = machine();
    struct file *door[FILES_MAX];
    unsigned doors = 0;
    for (unsigned i = 0; i < FILES_MAX; i++)
        if (m->file[i].kind == FILE_DOOR && m->file[i].nwaiting < BACKLOG_MAX)
            door[doors++] = &m->file[i];
    if (doors == 0) return NULL;
    struct file *f = door[rng_below(&m->rng, doors)];
    struct cable *c = cable_new(cap);
    f->waiting[f->nwaiting++] = &c->broker;
    return &c->client;
}

void net_break_all(void)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct file *f = &machine()->file[i];
        for (unsigned k = 0; f->kind == FILE_DOOR && k < f->nwaiting; k++)
            end_break(f->waiting[k]);
        if (f->kind == FILE_CONNECTION) end_break(f->end);
    }
}

/* ---- all of them --------------------------------------------------------------------------- */

struct file *file_at(int fd)
{
    ASSERT(fd >= FD_FIRST && fd < FD_FIRST + FILES_MAX);
    return &machine()->file[fd - FD_FIRST];
}

unsigned file_ready(int fd)
{
    struct file *f = file_at(fd);
    unsigned ready = 0;
    ASSERT(f->kind != FILE_FREE);
    if (f->kind == FILE_DOOR) return f->nwaiting ? READY_READ : 0;
    if (f->kind != FILE_CONNECTION) return 0;
    if (end_readable(f->end)) ready |= READY_READ;
    if (end_writable(f->end)) ready |= READY_WRITE;
    if (f->end->broken) ready |= READY_HANGUP;
    return ready;
}

bool net_quiet(void)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        const struct file *f = &machine()->file[i];
        if (f->kind == FILE_DOOR && f->nwaiting) return false;
        if (f->kind == FILE_CONNECTION && pipe_len(&f->end->in)) return false;
    }
    return true;
}

void machine_fini(void)
{
    struct machine *m = machine();
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct file *f = &m->file[i];
        for (unsigned k = 0; f->kind == FILE_DOOR && k < f->nwaiting; k++)
            end_close(f->waiting[k], true);
        if (f->kind == FILE_CONNECTION) end_close(f->end, true);
        f->kind = FILE_FREE;
    }
}
