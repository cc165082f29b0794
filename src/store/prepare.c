/* SPDX-License-Identifier: BSD-3-Clause */
/* prepare.c -- segments: the list of all, and those that are made before they are needed.
 *
 * A helper makes one at a time in steps of a megabyte, so that a commit of the same disk never
 * waits for long: zeros, header, sync, its name, the directory's sync. Two are kept ready: the
 * next, and one in reserve, into which only what frees something may be written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

/* ---- the list -------------------------------------------------------------------- */

struct segment *segment_find(const struct store *s, uint32_t seq)
{
    struct table_iter it = table_seek(&s->by_seq, hash_mix(seq));
    for (struct segment *g; (g = table_next(&s->by_seq, &it)) != NULL;)
        if (g->seq == seq) return g;
    return NULL;
}

int segment_add(struct store *s, const struct segment *like)
{
    struct segment *g = malloc(sizeof *g);
    if (!g) return -ERR_NOMEM;
    *g = *like;
    g->next = NULL;
    if (table_add(&s->by_seq, hash_mix(g->seq), g) < 0) {
        free(g);
        return -ERR_NOMEM;
    }
    ASSERT(!s->last || s->last->seq < g->seq);
    *(s->last ? &s->last->next : &s->first) = g;
    s->last = g;
    s->nsegments++;
    s->disk_bytes += g->capacity;
    if (g->state == SEGMENT_READY) s->nready++;
    return 0;
}

void segment_drop(struct store *s, struct segment *g)
{
    struct segment *before = NULL;
    for (struct segment *x = s->first; x != g; x = x->next)
        before = x;
    *(before ? &before->next : &s->first) = g->next;
    if (s->last == g) s->last = before;
    if (g->state == SEGMENT_READY) s->nready--;
    s->nsegments--;
    s->disk_bytes -= g->capacity;
    table_del(&s->by_seq, hash_mix(g->seq), g);
    if (g->fd >= 0) s->o.io->close(s->o.io->ctx, g->fd);
    free(g);
}

bool segment_is_reserve(const struct store *s)
{
    return s->in_reserve && s->nready == 0;
}

/* Why there is no segment to go on in. */
int segment_none(const struct store *s)
{
    return prepare_may_come(s) ? -ERR_AGAIN : -ERR_FULL;
}

int segment_rotate(struct store *s, bool reserve)
{
    struct segment *next = s->active->next;
    uint8_t seq[4];
    struct writer w = wr_of(seq, sizeof seq);
    const struct bytes body = bytes_of(seq, sizeof seq);
    const struct record_parts parts = {.part = &body, .nparts = 1};
    struct record seal = {.type = RECORD_SEAL};

    if (s->nready < (reserve ? 1 : READY_WANTED)) return segment_none(s);
    struct batch *b = batch_room(s, RECORD_SEAL_BYTES);
    if (!b) return -ERR_NOMEM;
    wr_u32be(&w, next->seq);
    batch_put(s, b, &seal, &parts);
    batch_seal(s);
    s->active->state = SEGMENT_SEALED;
    s->active = next;
    next->state = SEGMENT_ACTIVE;
    s->nready--;
    s->in_reserve = s->nready == 0;
    return 0;
}

/* ---- making one ------------------------------------------------------------------ */

static int failed(struct prepare *p, int64_t result, const char *step)
{
    p->step = step;
    return result < 0 ? (int)result : -ENOSPC; /* a short write */
}

static int open_file(struct prepare *p, const struct store_io *io)
{
    int err = io->unlink(io->ctx, p->dir, "prepare.tmp"); /* of an attempt that was cut short */
    if (err < 0 && err != -ENOENT) return failed(p, err, "unlink");
    if (p->old_fd >= 0) {
        err = io->rename(io->ctx, p->dir, p->old_name, "prepare.tmp");
        if (err < 0) return failed(p, err, "rename");
        p->fd = p->old_fd;
        p->old_fd = -1;
        p->written = p->capacity;
        return 0;
    }
    p->fd = io->open(io->ctx, p->dir, "prepare.tmp", IO_CREATE);
    return p->fd < 0 ? failed(p, p->fd, "open") : 0;
}

static int write_zeros(struct prepare *p, const struct store_io *io)
{
    static const uint8_t zeros[65536];
    uint32_t until =
        p->capacity - p->written < PREPARE_STEP ? p->capacity : p->written + PREPARE_STEP;
    while (p->written < until) {
        size_t n = until - p->written < sizeof zeros ? until - p->written : sizeof zeros;
        int64_t done = io->pwrite(io->ctx, p->fd, zeros, n, p->written);
        if (done < (int64_t)n) return failed(p, done, "write");
        p->written += (uint32_t)n;
    }
    int err = io->sync(io->ctx, p->fd);
    return err < 0 ? failed(p, err, "sync") : 0;
}

/* The header, and an empty record behind it: whatever a used file holds, the segment is empty. */
static int name_it(struct prepare *p, const struct store_io *io)
{
    uint8_t head[SEGMENT_HEAD + RECORD_HEAD] = {0};
    char name[SEGMENT_NAME];
    const struct segment_head h = {
        .kind = SEGMENT_LOG, .seq = p->seq, .capacity = p->capacity, .log_id = p->log_id};

    segment_head_write(head, &h);
    int64_t done = io->pwrite(io->ctx, p->fd, head, sizeof head, 0);
    if (done < (int64_t)sizeof head) return failed(p, done, "write");
    int err = io->sync(io->ctx, p->fd);
    if (err < 0) return failed(p, err, "sync");
    segment_name(name, SEGMENT_LOG, p->seq);
    err = io->rename(io->ctx, p->dir, "prepare.tmp", name);
    if (err < 0) return failed(p, err, "rename");
    err = io->sync(io->ctx, p->dir);
    return err < 0 ? failed(p, err, "sync of the directory") : 1;
}

/* One step. 1: it is there; 0: there is more to do. */
static int prepare_step(struct prepare *p, const struct store_io *io)
{
    if (p->fd < 0) return open_file(p, io);
    return p->written < p->capacity ? write_zeros(p, io) : name_it(p, io);
}

static int64_t prepare_call(struct disk_op *op, const struct store_io *io)
{
    return prepare_step(CONTAINER_OF(op, struct prepare, op), io);
}

static void begin(struct store *s)
{
    struct prepare *p = &s->prepare;
    p->dir = s->dir;
    p->log_id = s->log_id;
    p->seq = s->last ? s->last->seq + 1 : 1;
    p->capacity = s->o.segment_bytes;
    p->written = 0;
    ASSERT(p->fd < 0 && p->seq < SNAPSHOT_SEQ);
}

static int end(struct store *s, int result)
{
    struct prepare *p = &s->prepare;
    const struct segment g = {.seq = p->seq,
                              .capacity = p->capacity,
                              .used = SEGMENT_HEAD,
                              .state = SEGMENT_READY,
                              .fd = p->fd};

    p->error = result < 0 ? -result : 0;
    if (result > 0 && segment_add(s, &g) < 0) p->error = ENOMEM;
    if (p->error) {
        if (p->fd >= 0) s->o.io->close(s->o.io->ctx, p->fd);
        if (p->old_fd >= 0) s->o.io->close(s->o.io->ctx, p->old_fd);
        p->retry_ns = s->o.clock->now_ns + NS_PER_S;
    }
    p->fd = p->old_fd = -1;
    return -p->error;
}

static void on_step(struct disk_op *op)
{
    struct store *s = CONTAINER_OF(op, struct store, prepare.op);
    if (op->result == 0) {
        disk_submit(s->o.disk, op);
        return;
    }
    s->prepare.under_way = false;
    end(s, (int)op->result);
}

bool prepare_is_allowed(const struct store *s)
{
    return s->disk_bytes + s->o.segment_bytes <= s->o.disk_bytes_max;
}

bool prepare_may_come(const struct store *s)
{
    return s->prepare.under_way || (prepare_is_allowed(s) && !s->prepare.error);
}

void prepare_start(struct store *s)
{
    struct prepare *p = &s->prepare;
    if (p->under_way || s->nready >= READY_WANTED || !prepare_is_allowed(s)) return;
    if (p->error && s->o.clock->now_ns < p->retry_ns && p->old_fd < 0) return;
    begin(s);
    p->under_way = true;
    p->op = (struct disk_op){.kind = DISK_CALL, .call = prepare_call, .done = on_step};
    disk_submit(s->o.disk, &p->op);
}

int prepare_now(struct store *s)
{
    int result;
    begin(s);
    while ((result = prepare_step(&s->prepare, s->o.io)) == 0)
        ;
    return end(s, result);
}
