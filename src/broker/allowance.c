/* SPDX-License-Identifier: BSD-3-Clause */
/* allowance.c -- see allowance.h. */
#include "broker/allowance.h"

#include <stdlib.h>

#include "base/assert.h"

static const uint32_t window_s[ALLOWANCE_WINDOWS] = {
    [ALLOWANCE_SECOND] = 1,
    [ALLOWANCE_MINUTE] = 60,
    [ALLOWANCE_HOUR] = 3600,
    [ALLOWANCE_DAY] = 86400,
};

/* ---- accounting ----------------------------------------------------------------------------- */

bool allowance_wanted(const struct allowance_limits *l)
{
    for (unsigned w = 0; w < ALLOWANCE_WINDOWS; w++)
        if (l->max[ALLOWANCE_MESSAGES][w] || l->max[ALLOWANCE_BYTES][w]) return true;
    return false;
}

static bool runs(const struct allowance *a, unsigned w, uint32_t now_s)
{
    bool begun = a->used[ALLOWANCE_MESSAGES][w] > 0;
    return begun && now_s - a->began_s[w] < window_s[w];
}

void allowance_spend(struct allowance *a, uint32_t now_s, uint32_t bytes)
{
    for (unsigned w = 0; w < ALLOWANCE_WINDOWS; w++) {
        if (!runs(a, w, now_s)) {
            a->began_s[w] = now_s;
            a->used[ALLOWANCE_MESSAGES][w] = a->used[ALLOWANCE_BYTES][w] = 0;
        }
        a->used[ALLOWANCE_MESSAGES][w]++;
        a->used[ALLOWANCE_BYTES][w] += bytes;
    }
}

static bool is_used_up(const struct allowance *a, const struct allowance_limits *l, unsigned u,
                       unsigned w)
{
    return l->max[u][w] && a->used[u][w] >= l->max[u][w];
}

struct allowance_end allowance_ended(const struct allowance *a, const struct allowance_limits *l,
                                     uint32_t now_s)
{
    for (unsigned w = ALLOWANCE_WINDOWS; w-- > 0;) {
        if (!runs(a, w, now_s)) continue;
        for (unsigned u = 0; u < ALLOWANCE_UNITS; u++)
            if (is_used_up(a, l, u, w))
                return (struct allowance_end){.wait_s = a->began_s[w] + window_s[w] - now_s,
                                              .unit = (enum allowance_unit)u,
                                              .window = (enum allowance_window)w};
    }
    return (struct allowance_end){.wait_s = 0};
}

const char *allowance_setting(const struct allowance_end *e)
{
    static const char *const names[ALLOWANCE_UNITS][ALLOWANCE_WINDOWS] = {
        [ALLOWANCE_MESSAGES] = {"rates.messages_per_second", "rates.messages_per_minute",
                                "rates.messages_per_hour", "rates.messages_per_day"},
        [ALLOWANCE_BYTES] = {"rates.bytes_per_second", "rates.bytes_per_minute",
                             "rates.bytes_per_hour", "rates.bytes_per_day"},
    };
    return names[e->unit][e->window];
}

/* ---- those that are gone ------------------------------------------------------------------------
 */

static void unlink_gone(struct allowances *all, struct allowance *a)
{
    *(a->older ? &a->older->newer : &all->oldest) = a->newer;
    *(a->newer ? &a->newer->older : &all->newest) = a->older;
    a->older = a->newer = NULL;
    all->gone--;
}

static void link_gone(struct allowances *all, struct allowance *a)
{
    a->older = all->newest;
    *(a->older ? &a->older->newer : &all->oldest) = a;
    all->newest = a;
    all->gone++;
}

static void forget(struct allowances *all, struct allowance *a)
{
    table_del(&all->by_key, a->key, a);
    free(a);
}

static struct allowance *make(struct allowances *all, uint64_t key)
{
    struct allowance *a = calloc(1, sizeof *a);

    if (!a) return NULL;
    a->key = key;
    a->held = true;
    if (table_add(&all->by_key, key, a) == 0) return a;
    free(a);
    return NULL;
}

struct allowance *allowance_hold(struct allowances *all, uint64_t key)
{
    struct table_iter it = table_seek(&all->by_key, key);
    struct allowance *a = table_next(&all->by_key, &it);

    /* One session has it at a time; a second is of another client whose hash is the same. */
    while (a && a->held)
        a = table_next(&all->by_key, &it);
    if (!a) return make(all, key);
    unlink_gone(all, a);
    a->held = true;
    return a;
}

void allowance_let_go(struct allowances *all, struct allowance *a, uint32_t now_s)
{
    bool counts = false;

    ASSERT(a->held);
    for (unsigned w = 0; w < ALLOWANCE_WINDOWS; w++)
        counts = counts || runs(a, w, now_s);
    if (!counts) {
        forget(all, a);
        return;
    }
    a->held = false;
    link_gone(all, a);
    if (all->gone <= ALLOWANCES_GONE_MAX) return;
    struct allowance *first = all->oldest;
    unlink_gone(all, first);
    forget(all, first);
}

static void free_one(void *item, void *arg)
{
    (void)arg;
    free(item);
}

void allowances_fini(struct allowances *all)
{
    table_each(&all->by_key, free_one, NULL);
    table_fini(&all->by_key);
    *all = (struct allowances){.gone = 0};
}
