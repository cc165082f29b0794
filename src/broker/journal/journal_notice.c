/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_notice.c -- word that waits until what was written before it is on disk. */
#include <stdlib.h>

#include "broker/journal/journal_internal.h"

enum { NOTICES_FIRST = 64, NOTICES_REST = 16384 };

static bool none(const struct journal *j)
{
    return j->notice_head == j->notice_tail;
}

static bool grow(struct journal *j)
{
    uint32_t cap = j->notice ? (j->notice_mask + 1) * 2 : NOTICES_FIRST;
    struct notice *at = cap ? malloc(cap * sizeof *at) : NULL;
    if (!at) return false;
    for (uint32_t i = j->notice_head; i != j->notice_tail; i++)
        at[i & (cap - 1)] = j->notice[i & j->notice_mask];
    free(j->notice);
    j->notice = at;
    j->notice_mask = cap - 1;
    return true;
}

static void hand_over(struct journal *j, unsigned to, const struct mail *mail)
{
    struct core *c = j->broker->core;
    if (to != c->id) {
        mesh_send(c->mesh, to, *mail, 0, 0);
        return;
    }
    ASSERT(mail->kind < BROKER_MAIL_KINDS && j->handler[mail->kind]);
    j->handler[mail->kind](j->broker, to, mail);
}

static void hand_over_failed(struct journal *j, unsigned to, struct mail mail, uint8_t why)
{
    mail.flags = why;
    hand_over(j, to, &mail);
}

int journal_tell(struct journal *j, unsigned to, struct mail mail)
{
    if (j->failed) {
        hand_over_failed(j, to, mail, ERR_STORAGE);
        return 0;
    }
    if (none(j) && j->durable == j->written) {
        hand_over(j, to, &mail);
        return 0;
    }
    if ((!j->notice || j->notice_tail - j->notice_head > j->notice_mask) && !grow(j))
        return -ERR_NOMEM;
    j->notice[j->notice_tail++ & j->notice_mask] =
        (struct notice){.written = j->written, .mail = mail, .to = to};
    return 0;
}

/* ---- the turn -------------------------------------------------------------------------- */

bool journal_is_to_hurry(const struct journal *j)
{
    return !none(j) && !j->hurrying && j->written - j->nlate != j->durable;
}

static void on_hurried(struct store_wait *w, int err)
{
    (void)err;
    CONTAINER_OF(w, struct journal, hurry)->hurrying = false;
}

void journal_mark(struct journal *j)
{
    uint64_t written = j->written - j->nlate;
    struct mark *last = &j->mark[(j->mark_tail - 1) & (MARKS - 1)];
    bool any = j->mark_head != j->mark_tail;
    if (written != (any ? last->written : j->durable)) {
        /* Without a place the last one is put off: what it had waits for the next commit. */
        if (j->mark_tail - j->mark_head < MARKS) last = &j->mark[j->mark_tail++ & (MARKS - 1)];
        *last = (struct mark){.pos = store_tail(j->store), .written = written};
    }
    if (!journal_is_to_hurry(j)) return;
    j->hurrying = true;
    j->hurry.done = on_hurried;
    store_wait(j->store, &j->hurry);
}

/* What is on disk, and what will be when the commit under way is. */
static void look(struct journal *j)
{
    uint64_t durable = store_durable(j->store), committing = store_committing(j->store);
    struct core *c = j->broker->core;

    while (j->mark_head != j->mark_tail) {
        const struct mark *m = &j->mark[j->mark_head & (MARKS - 1)];
        if (m->pos > durable) break;
        j->durable = m->written;
        j->mark_head++;
    }
    c->durable = c->commit_pos = j->durable;
    for (uint32_t i = j->mark_head; i != j->mark_tail; i++) {
        const struct mark *m = &j->mark[i & (MARKS - 1)];
        if (m->pos > committing) break;
        c->commit_pos = m->written;
    }
}

static struct notice take_first(struct journal *j)
{
    struct notice n = j->notice[j->notice_head++ & j->notice_mask];
    if (none(j) && j->notice_mask >= NOTICES_REST) {
        free(j->notice);
        j->notice = NULL;
        j->notice_head = j->notice_tail = j->notice_mask = 0;
    }
    return n;
}

unsigned journal_notify(struct journal *j)
{
    unsigned told = 0;
    if (j->failed) return 0;
    look(j);
    for (; !none(j) && j->notice[j->notice_head & j->notice_mask].written <= j->durable; told++) {
        struct notice n = take_first(j);
        hand_over(j, n.to, &n.mail);
    }
    return told;
}

void journal_notify_failed(struct journal *j)
{
    ASSERT(j->failed);
    while (!none(j)) {
        struct notice n = take_first(j);
        hand_over_failed(j, n.to, n.mail, ERR_STORAGE);
    }
}

/* Those that wait for records for which there is no room, once all others have been told. */
void journal_notify_full(struct journal *j)
{
    uint32_t n = j->notice_tail - j->notice_head; /* who is told may ask for more */
    for (; n && !none(j); n--) {
        if (j->notice[j->notice_head & j->notice_mask].written <= j->written - j->nlate) return;
        struct notice first = take_first(j);
        hand_over_failed(j, first.to, first.mail, ERR_FULL);
    }
}

void journal_notice_fini(struct journal *j)
{
    free(j->notice);
    j->notice = NULL;
}
