/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_put.c -- records on their way to the store, and those it had no room for.
 *
 * The store refuses what comes faster than the disk writes, or when the disk is full. What adds
 * something is then refused to whoever wanted it. What frees something (DONE, RELEASED,
 * SESSION_END, UNSUBSCRIBED, CLEARED), or says how far a message is, has happened already: it is
 * kept here, and appended as soon as there is room. Its number it has at once, so that who waits
 * for it waits for the disk; and as long as there is one, nothing new is taken, so that records
 * keep their order.
 *
 * This cannot grow without end, since each of them ends something that was written before, or is
 * about it: two for each entry, one for each subscription, id and session. Where a session's own
 * state must be written, only its name is kept: it is written as it is by then.
 *
 * Bodies that late records free are released behind them: else the log could have lost a body to
 * which it has an entry. */
#include <stdlib.h>
#include <string.h>

#include "broker/journal/journal_internal.h"

enum {
    LATE_STEP = 4096,  /* appended in a turn */
    FULL_NS = NS_PER_S /* without room, until it is told */
};

/* A disk that is only behind may be given a little more, of what nobody can be asked to wait for:
 * the client would be refused. Deliveries wait (journal_has_room). */
static int append(struct journal *j, const struct store_put *p, struct store_ref *ref)
{
    int err = store_append(j->store, p, ref);
    bool waits = p->type == RECORD_BODY || p->type == RECORD_ENTRY;
    if (LIKELY(err != -ERR_AGAIN) || waits) return err;
    struct store_put more = *p;
    more.flags |= STORE_RESERVE;
    return store_append(j->store, &more, ref);
}

int journal_put(struct journal *j, const struct store_put *p, struct store_ref *ref)
{
    if (j->failed || !j->store) return -ERR_STORAGE;
    int err = j->late ? -ERR_AGAIN : append(j, p, ref);
    if (err == 0) {
        j->written++;
        return 0;
    }
    j->stats.refused++;
    return err == -ERR_AGAIN ? -ERR_FULL : err;
}

/* ---- late ones ------------------------------------------------------------------------- */

static size_t parts_bytes(const struct store_put *p)
{
    size_t n = 0;
    for (unsigned i = 0; i < p->nparts; i++)
        n += p->part[i].n;
    return n;
}

static struct late *late_new(struct journal *j, size_t bytes)
{
    struct late *l = calloc(1, sizeof *l + bytes);
    if (!l) {
        journal_fail(j, "no memory for a record that must not be lost");
        return NULL;
    }
    if (!j->late) j->late_end = &j->late;
    *j->late_end = l;
    j->late_end = &l->next;
    j->nlate++;
    j->written++;
    return l;
}

void journal_put_surely(struct journal *j, const struct store_put *p)
{
    if (j->failed || !j->store) return;
    int err = j->late ? -ERR_AGAIN : store_append(j->store, p, NULL);
    if (err == 0) {
        j->written++;
        return;
    }
    if (err == -ERR_STORAGE) return; /* the owner hears of it in the commit phase */
    ASSERT(err != -ERR_TOO_LARGE);   /* what it ends was larger */

    struct late *l = late_new(j, p->key.n + parts_bytes(p));
    if (!l) return;
    l->type = p->type;
    l->version = p->version;
    l->flags = p->flags;
    l->key_bytes = (uint32_t)p->key.n;
    l->body_bytes = (uint32_t)parts_bytes(p);
    struct writer w = wr_of(l->bytes, l->key_bytes + l->body_bytes);
    wr_bytes(&w, p->key);
    for (unsigned i = 0; i < p->nparts; i++)
        wr_bytes(&w, p->part[i]);
}

void journal_put_later(struct journal *j, struct session *s)
{
    if (s->write_due || j->failed || !j->store) return;
    struct late *l = late_new(j, 0);
    if (!l) return;
    l->session = s->id;
    l->sid = s->sid;
    s->write_due = true;
}

static int append_session(struct journal *j, const struct late *l)
{
    struct session *s = slots_find(&j->broker->session_ids, l->session);
    if (!s || s->dead || s->sid != l->sid) return 0; /* it has ended */
    struct record_session r;
    struct record_buf b;
    journal_session_record(s, &r);
    record_put_session(&b, &r);
    b.put.flags |= STORE_RESERVE;
    int err = store_append(j->store, &b.put, NULL);
    if (err == 0) s->write_due = false;
    return err;
}

static int append_late(struct journal *j, const struct late *l)
{
    if (l->session) return append_session(j, l);
    const struct bytes body = bytes_of(l->bytes + l->key_bytes, l->body_bytes);
    return store_append(j->store,
                        &(struct store_put){.type = l->type,
                                            .version = l->version,
                                            .flags = l->flags,
                                            .key = bytes_of(l->bytes, l->key_bytes),
                                            .part = &body,
                                            .nparts = 1},
                        NULL);
}

static void drop_first(struct journal *j)
{
    struct late *l = j->late;
    j->late = l->next;
    j->nlate--;
    free(l);
}

static void release(struct journal *j)
{
    while (j->unreleased) {
        struct kept *k = j->unreleased;
        j->unreleased = k->next;
        if (j->store) store_release(j->store, k->stored.ref);
        free(k);
    }
}

/* The store says that waiting will not help, as far as it knows. */
static void note_full(struct journal *j, bool full)
{
    uint64_t now_ns = j->broker->core->clock.now_ns;
    if (!full) j->full_ns = 0;
    if (full && !j->full_ns) j->full_ns = now_ns;
    if (!full || now_ns - j->full_ns < FULL_NS) return;
    j->full_ns = now_ns;
    journal_notify_full(j);
    if (j->options.full) j->options.full(j->options.ctx);
}

unsigned journal_put_late(struct journal *j)
{
    unsigned n = 0;
    int err = 0;
    while (j->late && !j->failed && n < LATE_STEP) {
        err = append_late(j, j->late);
        if (err < 0) break;
        drop_first(j);
        n++;
    }
    note_full(j, err == -ERR_FULL);
    if (!j->late) release(j);
    return n;
}

void journal_put_fini(struct journal *j)
{
    while (j->late)
        drop_first(j);
    release(j);
}
