/* SPDX-License-Identifier: BSD-3-Clause */
/* guard.c -- the counts that this core keeps. An entry lives while somebody is counted under it,
 * and for a while longer, so that leaving and coming back does not clear its record. */
#include "broker/access/guard.h"

#include <stdlib.h>

#include "base/assert.h"

struct guarded {
    struct guard *guard;
    uint64_t hash;
    uint64_t next_ns; /* when the next connect would be on time, were they spread evenly */
    uint32_t count;
    uint32_t failures;
    uint32_t failing_since_s;
    uint32_t banned_until_s;
    struct timer forget; /* armed while count is 0 */
};

void guard_init(struct guard *g, struct core *c, const struct guard_limits *l)
{
    *g = (struct guard){.core = c, .limits = *l};
}

static struct guarded *guard_find(const struct guard *g, uint64_t hash)
{
    struct table_iter it = table_seek(&g->names, hash);
    return table_next(&g->names, &it);
}

static void forget(struct guarded *e)
{
    wheel_cancel(&e->guard->core->wheel, &e->forget);
    table_del(&e->guard->names, e->hash, e);
    free(e);
}

static void on_forget(struct timer *t)
{
    forget(CONTAINER_OF(t, struct guarded, forget));
}

static void forget_later(struct guarded *e)
{
    const struct guard_limits *l = &e->guard->limits;
    uint32_t keep_s = l->ban_s > l->failures_s ? l->ban_s : l->failures_s;
    uint32_t burst_s = l->connect_rate ? l->connect_burst / l->connect_rate : 0;

    if (burst_s > keep_s) keep_s = burst_s;
    wheel_arm(&e->guard->core->wheel, &e->forget, core_now_s(e->guard->core) + keep_s + 1);
}

static struct guarded *guard_make(struct guard *g, uint64_t hash)
{
    struct guarded *e = calloc(1, sizeof *e);

    if (!e || table_add(&g->names, hash, e) < 0) {
        free(e);
        return NULL;
    }
    e->guard = g;
    e->hash = hash;
    e->forget.fire = on_forget;
    forget_later(e);
    return e;
}

/* Spread evenly, connects would come 1/rate apart. Each moves the time at which the next would be
 * on time; who is ahead of it by more than the burst is too fast. */
static bool too_fast(struct guarded *e, uint64_t now_ns)
{
    const struct guard_limits *l = &e->guard->limits;
    if (!l->connect_rate) return false;

    uint64_t apart_ns = NS_PER_S / l->connect_rate;
    if (e->next_ns < now_ns) e->next_ns = now_ns;
    if (e->next_ns - now_ns > apart_ns * l->connect_burst) return true;
    e->next_ns += apart_ns;
    return false;
}

static enum guard_answer judge(struct guarded *e, enum guard_kind kind, uint32_t max)
{
    const struct core *c = e->guard->core;

    if (kind == GUARD_ADDRESS && core_now_s(c) < e->banned_until_s) return GUARD_BANNED;
    if (kind == GUARD_ADDRESS && too_fast(e, c->clock.now_ns)) return GUARD_TOO_FAST;
    return max && e->count >= max ? GUARD_TOO_MANY : GUARD_OK;
}

enum guard_answer guard_admit(struct guard *g, enum guard_kind kind, uint64_t hash, uint32_t max)
{
    struct guarded *e = guard_find(g, hash);

    if (!e) e = guard_make(g, hash);
    if (!e) return GUARD_NO_MEMORY;
    enum guard_answer answer = judge(e, kind, max);
    if (answer != GUARD_OK) return answer;
    if (e->count++ == 0) wheel_cancel(&g->core->wheel, &e->forget);
    return GUARD_OK;
}

static void note_failure(struct guarded *e)
{
    const struct guard_limits *l = &e->guard->limits;
    uint32_t now_s = core_now_s(e->guard->core);

    if (!l->failures) return;
    if (now_s - e->failing_since_s >= l->failures_s) {
        e->failing_since_s = now_s;
        e->failures = 0;
    }
    if (++e->failures < l->failures) return;
    e->failures = 0;
    e->banned_until_s = now_s + l->ban_s;
}

void guard_leave(struct guard *g, uint64_t hash, bool failed)
{
    struct guarded *e = guard_find(g, hash);

    ASSERT(e && e->count > 0);
    if (failed) note_failure(e);
    if (--e->count == 0) forget_later(e);
}

static void free_one(void *item, void *arg)
{
    struct guarded *e = item;
    (void)arg;
    wheel_cancel(&e->guard->core->wheel, &e->forget);
    free(e);
}

void guard_fini(struct guard *g)
{
    table_each(&g->names, free_one, NULL);
    table_fini(&g->names);
}
