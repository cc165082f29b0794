/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_ended.c -- sessions whose end is not on disk yet: their clients may not hear before that
 * there is none, or they would find after a crash what they take for gone, and the log would take
 * their next messages for its own.
 *
 * They are few: whose end is on disk is forgotten when the next one ends. Once the log has failed
 * none is, and whoever had a durable session that has ended since then is not let in till the
 * restart; at most as many as there were durable sessions at the failure. */
#include <stdlib.h>

#include "broker/journal/journal_internal.h"

/* A session that has ended, by the hash of its name, and the position of its end. */
struct ended {
    struct ended *next; /* later */
    uint64_t hash, pos;
};

static void drop_first(struct ended_sessions *e)
{
    struct ended *x = e->first;
    e->first = x->next;
    table_del(&e->by_hash, x->hash, x);
    free(x);
}

static bool add(struct ended_sessions *e, uint64_t hash, uint64_t pos)
{
    struct ended *x = malloc(sizeof *x);
    if (!x) return false;
    *x = (struct ended){.hash = hash, .pos = pos};
    if (table_add(&e->by_hash, hash, x) < 0) {
        free(x);
        return false;
    }
    if (!e->first) e->end = &e->first;
    *e->end = x;
    e->end = &x->next;
    return true;
}

void ended_add(struct journal *j, uint64_t hash)
{
    struct ended_sessions *e = &j->ended;
    uint64_t pos = journal_tail(j);
    while (e->first && e->first->pos <= j->durable)
        drop_first(e);
    if (!add(e, hash, pos)) e->unknown = pos; /* without memory it may be anybody's */
}

uint64_t journal_ended(const struct journal *j, uint64_t hash)
{
    uint64_t last = j->ended.unknown;
    struct table_iter it = table_seek(&j->ended.by_hash, hash);
    for (const struct ended *x; (x = table_next(&j->ended.by_hash, &it)) != NULL;)
        if (x->pos > last) last = x->pos;
    return last;
}

void ended_fini(struct ended_sessions *e)
{
    while (e->first)
        drop_first(e);
    table_fini(&e->by_hash);
}
