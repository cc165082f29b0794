/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_bell.c -- see mesh_bell.h; model: tests/models/doorbell.pml.
 *
 * Why no wake-up is lost. S sends to R; [F] is a sequentially consistent fence.
 *
 *   S: tail = t          (ring_publish)       R: rung = 0       (bell_take, exchange)
 *      [F1]              (bell_fence)            [F2]
 *      if rung has S: done                       read tail
 *      rung += S         (seq_cst)
 *      if sleeping and we clear it: wake      R: sleeping = 1   (bell_sleep, seq_cst)
 *                                                [F3]
 *                                                if rung: don't sleep
 *
 * 1. S finds its bit set and goes: R will clear the bit after that look, so F1 comes
 *    before F2 and R reads the new tail. Without F1 the store of the tail may still
 *    sit in S's store buffer when S looks at the bit: R takes the old bit, reads the
 *    old tail and sleeps on undelivered mail.
 * 2. S sets its bit: it sets the bit and then looks at the flag, R sets the flag and
 *    then looks at the bit, all in the one order of seq_cst operations. One of the
 *    two sees the other.
 * 3. A bit that was set before R's flag went up is seen by R's look; who set it later
 *    did so by 2. So whoever finds its bit set needs not look at the flag.
 *
 * Ring-back is the same story with the roles changed: S, whose outbox waits for room,
 * sets its bit in R's `asked` [F3] and looks at R's head; R moves its head [F1] and
 * looks at `asked`. One of the two sees the other. */
#include "core/mesh_bell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"

int bell_open(struct bell *b, unsigned cores)
{
    b->words = (cores + 63) / 64;
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->fd >= 0) return 0;
    return errno == ENOMEM ? -ERR_NOMEM : -ERR_NOFILE;
}

void bell_close(struct bell *b)
{
    if (b->fd >= 0) close(b->fd);
    b->fd = -1;
}

/* True if we won the flag. A write can fail only when the counter is full: then the
 * descriptor is readable anyway. */
static bool wake(struct bell *b)
{
    if (!atomic_load(&b->sleeping) || !atomic_exchange(&b->sleeping, false)) return false;
    uint64_t one = 1;
    ssize_t written = write(b->fd, &one, sizeof one);
    (void)written;
    return true;
}

bool bell_ring(struct bell *b, unsigned from)
{
    _Atomic uint64_t *word = &b->rung[from / 64];
    uint64_t bit = 1ull << (from % 64);

    if (atomic_load_explicit(word, memory_order_relaxed) & bit) return false;
    atomic_fetch_or(word, bit);
    return wake(b);
}

void bell_ask(struct bell *b, unsigned from)
{
    atomic_fetch_or(&b->asked[from / 64], 1ull << (from % 64));
}

void bell_call(struct bell *b)
{
    int saved = errno;
    atomic_store(&b->called, true);
    wake(b);
    errno = saved;
}

/* Reads before it exchanges: a quiet bitmap stays in every cache. */
static bool take_bits(_Atomic uint64_t *from, unsigned words, struct cores *to)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < words; i++) {
        if (atomic_load_explicit(&from[i], memory_order_relaxed) == 0) continue;
        uint64_t w = atomic_exchange(&from[i], 0);
        to->word[i] |= w;
        all |= w;
    }
    return all != 0;
}

void bell_take(struct bell *b, struct cores *to)
{
    if (take_bits(b->rung, b->words, to)) bell_fence(); /* F2 */
}

void bell_take_asked(struct bell *b, struct cores *to)
{
    take_bits(b->asked, b->words, to);
}

static bool is_rung(struct bell *b)
{
    for (unsigned i = 0; i < b->words; i++)
        if (atomic_load(&b->rung[i])) return true;
    return false;
}

/* True if somebody called since we last asked; what he did before is then seen. */
static bool take_call(struct bell *b)
{
    return atomic_load(&b->called) && atomic_exchange(&b->called, false);
}

bool bell_sleep(struct bell *b)
{
    if (take_call(b)) return false; /* the turn that follows does what the call was for */
    b->raised = true;
    atomic_store(&b->sleeping, true);
    bell_fence(); /* F3 */
    if (!is_rung(b) && !atomic_load(&b->called)) return true;
    bell_awake(b);
    return false;
}

/* Who won the flag may not have written yet: its wake-up stays due, and the
 * descriptor, which would end every later sleep at once, is read until it has come. */
void bell_awake(struct bell *b)
{
    if (b->raised && !atomic_exchange(&b->sleeping, false)) b->due++;
    b->raised = false;
    take_call(b);
    if (b->due == 0) return;
    uint64_t written;
    if (read(b->fd, &written, sizeof written) != sizeof written) return;
    b->due -= written < b->due ? written : b->due;
}
