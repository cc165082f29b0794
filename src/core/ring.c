/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.c -- see ring.h.
 *
 * Indexes run freely over 32 bits and are masked at the slot: tail - head is the
 * fill, also after they wrapped, and all slots can be used.
 *
 * Two edges carry all the order there is, each from a release to an acquire on one
 * index:
 *   slots written -> release -> tail ... tail -> acquire -> slots read
 *   slots read    -> release -> head ... head -> acquire -> slots written again
 * On x86 they cost nothing but a promise of the compiler. On ARM each is a barrier,
 * once per batch. The second edge orders loads before a store: a fence for stores
 * alone would let an ARM core hand back a slot that it has not read yet.
 *
 * ThreadSanitizer does not see inside ck_pr: this file is compiled without it and
 * tells it of the two edges. Copies of mail go through memcpy, which it intercepts. */
#include "core/ring.h"

#include <ck_pr.h>
#include <string.h>

#ifdef PINION_TSAN
#include <sanitizer/tsan_interface.h>
#define ACQUIRED(index) __tsan_acquire(index)
#define RELEASED(index) __tsan_release(index)
#else
#define ACQUIRED(index) ((void)(index))
#define RELEASED(index) ((void)(index))
#endif

enum { SLOTS_MAX = 1 << 20 };

static uint32_t load_acquire(uint32_t *index)
{
    uint32_t v = ck_pr_load_32(index);
    ck_pr_fence_acquire();
    ACQUIRED(index);
    return v;
}

static void store_release(uint32_t *index, uint32_t v)
{
    RELEASED(index);
    ck_pr_fence_release();
    ck_pr_store_32(index, v);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

size_t ring_bytes(uint32_t slots)
{
    size_t bytes = offsetof(struct ring, slot) + slots * sizeof(struct mail);
    return (bytes + 2 * CACHE_LINE - 1) & ~(size_t)(2 * CACHE_LINE - 1);
}

void ring_init(struct ring *r, uint32_t slots)
{
    ASSERT(slots >= 2 && slots <= SLOTS_MAX && (slots & (slots - 1)) == 0);
    memset(r, 0, offsetof(struct ring, slot));
    r->mask = slots - 1;
}

static uint32_t room_seen(const struct ring *r)
{
    return r->mask + 1 - (r->staged - r->head_seen);
}

uint32_t ring_room(struct ring *r)
{
    r->head_seen = load_acquire(&r->head);
    return room_seen(r);
}

uint32_t ring_stage(struct ring *r, const struct mail *m, uint32_t n)
{
    uint32_t room = room_seen(r);
    if (room < n) room = ring_room(r);
    n = least(n, room);

    uint32_t at = r->staged & r->mask;
    uint32_t before_wrap = least(n, r->mask + 1 - at);
    memcpy(&r->slot[at], m, before_wrap * sizeof *m);
    if (before_wrap < n) memcpy(r->slot, m + before_wrap, (n - before_wrap) * sizeof *m);
    r->staged += n;
    return n;
}

bool ring_publish(struct ring *r)
{
    if (r->staged == r->tail) return false;
    store_release(&r->tail, r->staged);
    return true;
}

uint32_t ring_take(struct ring *r, struct mail *m, uint32_t n)
{
    uint32_t head = r->head;
    if (r->tail_seen - head < n) r->tail_seen = load_acquire(&r->tail);
    n = least(n, r->tail_seen - head);
    if (n == 0) return 0;

    uint32_t at = head & r->mask;
    uint32_t before_wrap = least(n, r->mask + 1 - at);
    memcpy(m, &r->slot[at], before_wrap * sizeof *m);
    if (before_wrap < n) memcpy(m + before_wrap, r->slot, (n - before_wrap) * sizeof *m);
    store_release(&r->head, head + n);
    return n;
}

bool ring_waiting(struct ring *r)
{
    r->tail_seen = load_acquire(&r->tail);
    return r->tail_seen != r->head;
}
