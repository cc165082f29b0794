/* SPDX-License-Identifier: BSD-3-Clause */
/* store.c -- see store.h: append, waits, the turn, the end. */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

enum {
    SEGMENT_BYTES = 16 << 20,
    BUFFER_BYTES = 64 << 20,
};

struct store *store_new(const struct store_options *o)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->o = *o;
    if (!s->o.segment_bytes) s->o.segment_bytes = SEGMENT_BYTES;
    if (!s->o.buffer_bytes_max) s->o.buffer_bytes_max = BUFFER_BYTES;
    if (!s->o.disk_bytes_max) s->o.disk_bytes_max = UINT64_MAX;
    ASSERT(s->o.segment_bytes >= STORE_SEGMENT_MIN && s->o.segment_bytes <= STORE_SEGMENT_MAX);
    ASSERT(s->o.segment_bytes % RECORD_ALIGN == 0);
    s->log_id = store_dir_log_id(o->dir, o->core, o->generation);
    s->seed = record_seed(s->log_id);
    s->dir = s->prepare.fd = s->prepare.old_fd = s->snapshot.fd = -1;
    s->newest = &s->oldest;
    s->last_wait = &s->waits;
    s->last_read = &s->reads;
    s->next_commit = 1;
    return s;
}

void store_start(struct store *s)
{
    ASSERT(s->state != STORE_NEW && !s->o.read_only);
    s->started = s->reclaim_due = true;
}

/* ---- failure ------------------------------------------------------------------- */

static void end_waits(struct store *s)
{
    struct store_wait *w = s->waits;
    s->waits = NULL;
    s->last_wait = &s->waits;
    s->stats.waits = 0;
    while (w) {
        struct store_wait *next = w->next;
        w->done(w, -ERR_STORAGE);
        w = next;
    }
}

void store_fail(struct store *s, int os_error, const char *what, const char *where)
{
    if (s->state == STORE_FAILED) return;
    s->state = STORE_FAILED;
    snprintf(
        s->why, sizeof s->why,
        "core %u: %s of %s failed: %s; nothing more is acknowledged from disk. Look at the disk, "
        "then restart: what was acknowledged is read back and checked",
        s->o.core, what, where, strerror(os_error));
    end_waits(s);
    if (s->o.owner.failed) s->o.owner.failed(s->o.owner.ctx, s->why);
}

/* ---- append --------------------------------------------------------------------- */

/* One record that is larger than half of what there may be is let in when the rest is small. */
static bool outruns_disk(const struct store *s, uint32_t bytes, bool reserve)
{
    uint64_t most = s->o.buffer_bytes_max + (reserve ? s->o.segment_bytes : 0);
    return s->buffered + bytes > most && s->buffered > s->o.buffer_bytes_max / 2;
}

/* An active segment in which `bytes` and the seal have room. */
static int make_room(struct store *s, uint32_t bytes, bool reserve)
{
    uint64_t most = s->o.segment_bytes - SEGMENT_HEAD - RECORD_SEAL_BYTES;
    if (bytes == 0 || bytes > most) return -ERR_TOO_LARGE;
    if (outruns_disk(s, bytes, reserve)) return -ERR_AGAIN;
    if (!reserve && segment_is_reserve(s)) return segment_none(s);
    /* One that was made with another size may be too small even when empty. */
    while ((uint64_t)s->active->used + bytes + RECORD_SEAL_BYTES > s->active->capacity) {
        int err = segment_rotate(s, reserve);
        if (err < 0) return err;
    }
    return 0;
}

int store_put(struct store *s, struct record *r, const struct store_put *p, struct store_ref *ref)
{
    const struct record_parts parts = {.key = p->key, .part = p->part, .nparts = p->nparts};

    if (s->state != STORE_OPEN || s->o.read_only) return -ERR_STORAGE;
    uint32_t bytes = record_size(r, &parts);
    int err = make_room(s, bytes, p->flags & STORE_RESERVE);
    if (err < 0) return err;
    struct batch *b = batch_room(s, bytes);
    if (!b) return -ERR_NOMEM;
    struct store_ref at = batch_put(s, b, r, &parts);
    if (!(p->flags & STORE_LAZY)) b->urgent = true;
    if (ref) *ref = at;
    return 0;
}

int store_append(struct store *s, const struct store_put *p, struct store_ref *ref)
{
    ASSERT(p->type >= 1 && p->type <= STORE_TYPE_MAX && s->state != STORE_NEW);
    struct record r = {
        .type = p->type, .version = p->version, .flags = p->flags & STORE_KEEP ? RECORD_KEEP : 0};
    return store_put(s, &r, p, ref);
}

int store_together(struct store *s, uint32_t bytes, bool reserve)
{
    if (s->state != STORE_OPEN || s->o.read_only) return -ERR_STORAGE;
    return make_room(s, bytes, reserve);
}

int store_put_own(struct store *s, enum record_type type, struct bytes body, bool reserve,
                  struct store_ref *ref)
{
    struct record r = {.type = (uint8_t)type};
    const struct store_put p = {.flags = reserve ? STORE_RESERVE : 0, .part = &body, .nparts = 1};
    return store_put(s, &r, &p, ref);
}

static bool is_full(const struct store *s)
{
    return s->nready < READY_WANTED && !prepare_may_come(s);
}

bool store_has_room(const struct store *s)
{
    bool roomy = s->active->used < s->active->capacity / 2 && !segment_is_reserve(s);
    return s->state == STORE_OPEN && s->buffered <= s->o.buffer_bytes_max / 2 &&
           (s->nready >= READY_WANTED || roomy ||
            is_full(s)); /* waiting would not help: let appends say that it is full */
}

/* A copy of it, made when its segment is emptied, has 8 bytes more. */
uint32_t store_record_limit(uint32_t segment_bytes)
{
    if (!segment_bytes) segment_bytes = SEGMENT_BYTES;
    return segment_bytes - SEGMENT_HEAD - RECORD_SEAL_BYTES - RECORD_HEAD - 8;
}

uint32_t store_record_max(const struct store *s)
{
    return store_record_limit(s->o.segment_bytes);
}

int store_claim(struct store *s, struct store_ref ref)
{
    struct segment *g = segment_find(s, position_seq(ref.pos));
    ASSERT(!s->started);
    if (!g) return -ERR_ABSENT;
    g->live += ref.bytes;
    return 0;
}

void store_release(struct store *s, struct store_ref ref)
{
    struct segment *g = segment_find(s, position_seq(ref.pos));
    ASSERT(g && g->live >= ref.bytes);
    g->live -= ref.bytes;
    if (g->live == 0) s->reclaim_due = true;
    if (g->live < g->capacity / COMPACT_SPARSE) s->compact_due = true;
}

/* ---- waits ---------------------------------------------------------------------- */

uint64_t store_durable(const struct store *s)
{
    return s->durable;
}

uint64_t store_tail(const struct store *s)
{
    return s->active ? position_of(s->active->seq, s->active->used) : 0;
}

uint64_t store_committing(const struct store *s)
{
    const struct batch *b = s->oldest;
    return s->committing ? position_of(b->segment->seq, b->at + b->n) : s->durable;
}

void store_wait(struct store *s, struct store_wait *w)
{
    w->pos = store_tail(s);
    w->next = NULL;
    if (s->state == STORE_FAILED) {
        w->done(w, -ERR_STORAGE);
    } else if (!s->oldest && !s->waits) {
        w->done(w, 0);
    } else {
        if (s->filling) s->filling->urgent = true;
        *s->last_wait = w;
        s->last_wait = &w->next;
        s->stats.waits++;
    }
}

void store_call_waits(struct store *s)
{
    while (s->waits && s->waits->pos <= s->durable) {
        struct store_wait *w = s->waits;
        s->waits = w->next;
        if (!s->waits) s->last_wait = &s->waits;
        s->stats.waits--;
        w->done(w, 0);
    }
}

/* ---- the turn ------------------------------------------------------------------- */

unsigned store_poll(struct store *s)
{
    return disk_poll(s->o.disk) + read_answer(s);
}

unsigned store_commit(struct store *s)
{
    unsigned work = store_poll(s);
    if (s->state == STORE_OPEN) {
        if (s->started) {
            reclaim(s);
            work += snapshot_step(s) + compact_step(s);
            prepare_start(s);
        }
        commit_start(s);
    }
    read_start(s);
    disk_flush(s->o.disk);
    return work;
}

uint64_t store_due_ns(const struct store *s)
{
    const struct batch *b = s->filling;
    if (s->reads && s->reads->in_memory) return 0; /* asked for by who has just been answered */
    if (!b || s->committing || s->state != STORE_OPEN)
        return UINT64_MAX; /* its end wakes the core */
    return b->urgent ? 0 : b->begun_ns + s->o.lazy_ns;
}

int store_fd(const struct store *s)
{
    return s->o.disk->ops->fd(s->o.disk);
}

/* ---- the end -------------------------------------------------------------------- */

/* Till all that was appended is on disk, or is known not to be. */
int store_flush(struct store *s)
{
    while (s->state == STORE_OPEN && (s->oldest || s->prepare.under_way)) {
        if (s->filling) s->filling->urgent = true;
        store_commit(s);
        disk_drain(s->o.disk);
    }
    return s->state == STORE_FAILED ? -ERR_STORAGE : 0;
}

static void finish_reads(struct store *s)
{
    while (s->reads || s->nreads) {
        read_start(s);
        disk_drain(s->o.disk);
        read_answer(s);
    }
}

static void mark_end(struct store *s)
{
    if (s->state == STORE_OPEN && !s->o.read_only &&
        store_put_own(s, RECORD_MARK, bytes_of(NULL, 0), true, NULL) == 0)
        store_flush(s);
}

int store_close(struct store **sp)
{
    struct store *s = *sp;
    if (!s) return 0;
    s->started = false;
    disk_drain(s->o.disk);
    store_flush(s);
    finish_reads(s);
    mark_end(s); /* in a commit of its own: all before it is proved to have been on disk */
    disk_drain(s->o.disk);
    int err = s->state == STORE_FAILED ? -ERR_STORAGE : 0;
    end_waits(s);
    snapshot_free(s);
    compact_free(s);
    commit_free(s);
    while (s->first)
        segment_drop(s, s->first);
    table_fini(&s->by_seq);
    if (s->prepare.fd >= 0) s->o.io->close(s->o.io->ctx, s->prepare.fd);
    if (s->prepare.old_fd >= 0) s->o.io->close(s->o.io->ctx, s->prepare.old_fd);
    if (s->dir >= 0) s->o.io->close(s->o.io->ctx, s->dir);
    free(s);
    *sp = NULL;
    return err;
}

/* ---- what can be asked ------------------------------------------------------------ */

enum store_state store_state(const struct store *s)
{
    return s->state;
}

const char *store_why(const struct store *s)
{
    return s->why;
}

const char *store_engine(const struct store *s)
{
    return s->o.disk->ops->name;
}

const struct store_latency *store_latency(const struct store *s)
{
    return &s->latency;
}

struct store_stats store_stats(const struct store *s)
{
    struct store_stats t = s->stats;
    t.segments = s->nsegments;
    t.disk_bytes = s->disk_bytes + s->snapshot.current_bytes;
    t.log_bytes = t.live_bytes = 0;
    for (const struct segment *g = s->first; g; g = g->next) {
        if (g->state != SEGMENT_READY) t.log_bytes += g->used;
        t.live_bytes += g->live;
    }
    for (const struct store_read *r = s->reads; r; r = r->next)
        t.reads_waiting++;
    t.reads_waiting += s->nreads;
    return t;
}
