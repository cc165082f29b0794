/* SPDX-License-Identifier: BSD-3-Clause */
/* image_finish.c -- what can be said only when the last record has been seen. */
#include <stdlib.h>

#include "broker/journal/image_internal.h"

/* ---- the order of entries ------------------------------------------------------------------
 *
 * A list of them comes in a few rising runs: what the snapshot had, and what followed. Runs are
 * merged in pairs until one is left, so it costs n for each doubling of their number, and no
 * memory. */

static struct image_entry *end_of_run(struct image_entry *e)
{
    while (e->next && e->next->seq > e->seq)
        e = e->next;
    return e;
}

/* Merges two that are not empty; returns the end of the result, whose next is unset. */
static struct image_entry *merge(struct image_entry **to, struct image_entry *a,
                                 struct image_entry *b)
{
    struct image_entry *last = NULL;
    while (a || b) {
        bool first = !b || (a && a->seq < b->seq);
        last = first ? a : b;
        if (first)
            a = a->next;
        else
            b = b->next;
        *to = last;
        to = &last->next;
    }
    return last;
}

/* Merges each two neighbours. True if there was but one. */
static bool merge_runs(struct image_entry **list)
{
    struct image_entry **to = list, *rest = *list;
    bool single = !rest || !end_of_run(rest)->next;
    while (rest && !single) {
        struct image_entry *a = rest, *end = end_of_run(a), *b = end->next;
        end->next = NULL;
        rest = NULL;
        if (b) {
            end = end_of_run(b);
            rest = end->next;
            end->next = NULL;
        }
        end = merge(to, a, b);
        end->next = rest;
        to = &end->next;
    }
    return single;
}

static void sort_entries(struct image_session *s)
{
    while (!merge_runs(&s->entries)) {
    }
    struct image_entry **link = &s->entries;
    for (; *link; link = &(*link)->next)
        (*link)->link = link;
    s->entries_end = link;
}

/* ---- what did not come to its end ---------------------------------------------------------- */

static int note_unfinished(struct image_unfinished *u, const struct image_entry *e)
{
    size_t bytes = (u->n + 1) * sizeof *u->entry;
    struct record_flight_change *entry = realloc(u->entry, bytes);
    if (!entry) return -ERR_NOMEM;
    u->entry = entry;
    u->entry[u->n++] = (struct record_flight_change){.sid = e->session->r.sid, .seq = e->seq};
    return 0;
}

/* The last delivery of the log, if only a part of it is there: its publisher has not been answered,
 * and publishes it again. */
static int take_unfinished(struct image *im)
{
    struct image_unfinished *u = &im->unfinished;
    for (struct image_session *s = im->sessions; s && u->body_pos; s = s->next)
        for (struct image_entry *next, *e = s->entries; e; e = next) {
            next = e->next;
            if (e->body_pos != u->body_pos) continue;
            if (note_unfinished(u, e) < 0) return -ERR_NOMEM;
            image_drop_entry(im, e);
        }
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------ */

static void place_bodies(const struct image *im, struct image_session *s)
{
    for (struct image_entry *e = s->entries; im->moved.used > 0 && e; e = e->next) {
        struct store_ref now = image_place(im, (struct store_ref){e->body_pos, e->body_bytes});
        e->body_pos = now.pos;
        e->body_bytes = now.bytes;
    }
}

/* An older one can be left only if the disk had no room to say that it has ended. */
static int keep_latest(struct image *im, struct table *clients, struct image_session *s)
{
    if (record_session_is_nobodys(&s->r)) return 0;
    uint64_t hash = hash_pair(hash_bytes(im->seed, s->r.client_id), s->r.tenant);
    struct table_iter it = table_seek(clients, hash);
    for (struct image_session *other; (other = table_next(clients, &it)) != NULL;) {
        if (other->r.tenant != s->r.tenant || !bytes_eq(other->r.client_id, s->r.client_id))
            continue;
        bool later = s->r.sid > other->r.sid;
        if (later) table_replace(clients, hash, other, s);
        image_session_drop(im, later ? other : s);
        return 0;
    }
    return table_add(clients, hash, s);
}

int image_finish(struct image *im)
{
    struct table clients = {0};
    int err = take_unfinished(im);
    for (struct image_session *next, *s = im->sessions; s && err == 0; s = next) {
        next = s->next;
        sort_entries(s);
        place_bodies(im, s);
        err = keep_latest(im, &clients, s);
    }
    table_fini(&clients);
    return err;
}
