/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_origin.c -- QoS 2 messages that this log has, or had: so that none comes twice.
 *
 * A publisher's home that crashed before it knew a message to be kept publishes it again, with the
 * same serial and in doubt. A core that had it on disk must not give it to its durable sessions
 * again, even if they have had it and its body is gone. So each body with a serial is remembered:
 *
 * while running   here, because a snapshot must name what is only in the log before it;
 * on disk         by ORIGIN, behind the last entry of its delivery, and in snapshots. A body with a
 *                 serial at the end of the log and without that: entries have been cut off, so
 *                 none of the delivery counts (image_finish.c);
 * after a restart only what was there then counts (OLD): what is written later is no repetition.
 *
 * Forgotten is what its publisher has released, as its later messages say that come to this core
 * (low water), and whatever is beyond the limits below, of the publishers first that were silent
 * longest: such a message, in doubt after a crash, may come twice. */
#include <stdlib.h>
#include <string.h>

#include "broker/journal/journal_internal.h"

enum {
    OLD = 1, /* in the last bit; a serial stands above it */
    ROOM_FIRST = 4,
    ORIGINS_MAX = 1 << 16,
    SERIALS_MAX = 1 << 19, /* of all origins: 4 MiB */
};

static struct origin *find(const struct origins *o, uint64_t origin)
{
    struct table_iter it = table_seek(&o->by_origin, hash_mix(origin));
    for (struct origin *x; (x = table_next(&o->by_origin, &it)) != NULL;)
        if (x->origin == origin) return x;
    return NULL;
}

static void unlink_origin(struct origins *o, struct origin *x)
{
    *(x->newer ? &x->newer->older : &o->newest) = x->older;
    *(x->older ? &x->older->newer : &o->oldest) = x->newer;
}

static void link_newest(struct origins *o, struct origin *x)
{
    x->newer = NULL;
    x->older = o->newest;
    *(x->older ? &x->older->newer : &o->oldest) = x;
    o->newest = x;
}

static void drop(struct origins *o, struct origin *x)
{
    unlink_origin(o, x);
    table_del(&o->by_origin, hash_mix(x->origin), x);
    o->serials -= x->n;
    free(x->serial);
    free(x);
}

static struct origin *find_or_make(struct origins *o, uint64_t origin)
{
    struct origin *x = find(o, origin);
    if (x) {
        unlink_origin(o, x);
        link_newest(o, x);
        return x;
    }
    x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->origin = origin;
    if (table_add(&o->by_origin, hash_mix(origin), x) < 0) {
        free(x);
        return NULL;
    }
    link_newest(o, x);
    return x;
}

/* ---- serials of one origin, rising --------------------------------------------------------- */

/* The place of the first that is not below. */
static uint32_t place_of(const struct origin *x, uint64_t serial)
{
    uint32_t low = 0, high = x->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (x->serial[middle] >> 1 < serial)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget_first(struct origins *o, struct origin *x, uint32_t n)
{
    if (n == 0) return;
    memmove(x->serial, x->serial + n, (x->n - n) * sizeof *x->serial);
    x->n -= n;
    o->serials -= n;
}

static bool make_room(struct origin *x)
{
    if (x->n < x->room) return true;
    uint32_t room = x->room ? x->room * 2 : ROOM_FIRST;
    uint64_t *serial = realloc(x->serial, room * sizeof *serial);
    if (!serial) return false;
    x->serial = serial;
    x->room = room;
    return true;
}

static int insert(struct origins *o, struct origin *x, uint64_t serial, unsigned old)
{
    uint32_t at = place_of(x, serial);
    if (at < x->n && x->serial[at] >> 1 == serial) return 0;
    if (x->n == RECORD_SERIALS) {
        if (at == 0) return 0;
        forget_first(o, x, 1);
        at--;
    }
    if (!make_room(x)) return -ERR_NOMEM;
    memmove(x->serial + at + 1, x->serial + at, (x->n - at) * sizeof *x->serial);
    x->serial[at] = serial << 1 | old;
    x->n++;
    o->serials++;
    return 0;
}

/* ---- the verbs ------------------------------------------------------------------------------- */

void origins_add(struct origins *o, uint64_t origin, uint64_t serial, uint16_t low_water)
{
    struct origin *x = find_or_make(o, origin);
    if (!x) return; /* without memory it is as if it were beyond the limits */
    forget_first(o, x, place_of(x, serial > low_water ? serial - low_water : 0));
    (void)insert(o, x, serial, 0);
    while (o->oldest != x && (o->serials > SERIALS_MAX || o->by_origin.used > ORIGINS_MAX))
        drop(o, o->oldest);
}

int origins_restore(struct origins *o, uint64_t origin, uint64_t serial)
{
    struct origin *x = find_or_make(o, origin);
    return x ? insert(o, x, serial, OLD) : -ERR_NOMEM;
}

bool origins_know(const struct origins *o, uint64_t origin, uint64_t serial)
{
    const struct origin *x = find(o, origin);
    if (!x) return false;
    uint32_t at = place_of(x, serial);
    return at < x->n && x->serial[at] == (serial << 1 | OLD);
}

bool journal_knows(const struct journal *j, uint64_t origin, uint64_t serial)
{
    return origins_know(&j->origins, origin, serial);
}

void origins_fini(struct origins *o)
{
    while (o->oldest)
        drop(o, o->oldest);
    table_fini(&o->by_origin);
}
