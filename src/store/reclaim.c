/* SPDX-License-Identifier: BSD-3-Clause */
/* reclaim.c -- segments whose records nobody needs.
 *
 * A segment before the start of the current snapshot, without live records, is declared free by a
 * record in the log. When that is on disk, recovery no longer asks for the segment, and its file
 * becomes the next one that is prepared, or is removed. */
#include <errno.h>
#include <string.h>

#include "store/bytes64.h"
#include "store/store_internal.h"

static int64_t remove_call(struct disk_op *op, const struct store_io *io)
{
    struct removal *r = CONTAINER_OF(op, struct removal, op);
    int err = io->unlink(io->ctx, r->dir, r->name);
    if (r->fd >= 0) io->close(io->ctx, r->fd);
    return err;
}

static void on_removed(struct disk_op *op)
{
    struct store *s = CONTAINER_OF(op, struct store, removal.op);
    s->removal.under_way = false; /* if it is still there, the next start removes it */
    s->reclaim_due = true;
}

void remove_file(struct store *s, const char *name, int fd)
{
    struct removal *r = &s->removal;
    ASSERT(!r->under_way);
    r->under_way = true;
    r->dir = s->dir;
    r->fd = fd;
    strcpy(r->name, name);
    r->op = (struct disk_op){.kind = DISK_CALL, .call = remove_call, .done = on_removed};
    disk_submit(s->o.disk, &r->op);
}

static bool is_done_with(const struct store *s, const struct segment *g)
{
    return g->state == SEGMENT_SEALED && g->live == 0 && g->readers == 0 &&
           g != s->compact.segment && g->seq < position_seq(s->snapshot.current_base);
}

static void declare_free(struct store *s, struct segment *g)
{
    uint8_t seq[4];
    struct writer w = wr_of(seq, sizeof seq);
    struct store_ref ref;

    wr_u32be(&w, g->seq);
    if (store_put_own(s, RECORD_FREE, bytes_of(seq, sizeof seq), true, &ref) < 0) return;
    g->state = SEGMENT_FREE;
    g->free_pos = ref.pos;
    s->nfree++;
}

/* The file goes to who prepares the next segment. */
static void use_again(struct store *s, struct segment *g)
{
    segment_name(s->prepare.old_name, SEGMENT_LOG, g->seq);
    s->prepare.old_fd = g->fd;
    g->fd = -1;
    s->nfree--;
    segment_drop(s, g);
    prepare_start(s);
}

static void discard(struct store *s, struct segment *g)
{
    char name[SEGMENT_NAME];
    int fd = g->fd;
    segment_name(name, SEGMENT_LOG, g->seq);
    g->fd = -1;
    s->nfree--;
    segment_drop(s, g);
    remove_file(s, name, fd);
}

void reclaim(struct store *s)
{
    if (!s->reclaim_due) return;
    s->reclaim_due = false;
    for (struct segment *g = s->first, *next; g; g = next) {
        next = g->next;
        if (is_done_with(s, g)) declare_free(s, g);
        if (g->state != SEGMENT_FREE || g->free_pos >= s->durable) continue;
        bool fits = g->capacity == s->o.segment_bytes;
        if (fits && s->nready < READY_WANTED && !s->prepare.under_way && s->prepare.fd < 0)
            use_again(s, g);
        else if (!s->removal.under_way && s->nready >= READY_WANTED)
            discard(s, g);
    }
}
