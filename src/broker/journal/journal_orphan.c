/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_orphan.c -- messages of share groups that have left one session and are not kept by
 * another yet. All that the log has of them is the entry of the session they left.
 *
 * That session may end meanwhile, and its client may begin a new one. So as long as some are under
 * way, its end in the log is a change of its name, to one that no client can have: the client's own
 * is free, and what is left in the log waits for members of the groups and for nobody else
 * (restore.c). SESSION_END follows when the last of them has been kept. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/journal/journal_internal.h"

/* ---- sessions that some have left ---------------------------------------------------------- */

static struct left *left_find(const struct journal *j, uint64_t sid)
{
    struct table_iter it = table_seek(&j->left, hash_mix(sid));
    for (struct left *l; (l = table_next(&j->left, &it)) != NULL;)
        if (l->sid == sid) return l;
    return NULL;
}

/* With one orphan more. NULL: no memory. */
static struct left *left_hold(struct journal *j, const struct session *s)
{
    struct left *l = left_find(j, s->sid);
    if (!l) {
        l = calloc(1, sizeof *l);
        if (!l || table_add(&j->left, hash_mix(s->sid), l) < 0) {
            free(l);
            return NULL;
        }
        l->sid = s->sid;
        l->tenant = s->tenant;
    }
    l->orphans++;
    return l;
}

static void put_end(struct journal *j, const struct left *l)
{
    struct record_session r;
    struct record_buf b;
    journal_left_record(l, &r);
    record_put_session_end(&b, &r);
    journal_put_surely(j, &b.put);
}

static void left_release(struct journal *j, struct left *l)
{
    if (--l->orphans) return;
    if (l->ended) put_end(j, l);
    table_del(&j->left, hash_mix(l->sid), l);
    free(l);
}

void journal_left_record(const struct left *l, struct record_session *r)
{
    *r = (struct record_session){.tenant = l->tenant,
                                 .client_id = bytes_of(l->name, sizeof l->name),
                                 .sid = l->sid,
                                 .expiry_s = ORPHANS_WAIT_S,
                                 .gone_ms = l->ended_ms,
                                 .durability = DURABILITY_COMMIT};
}

bool journal_left_end(struct journal *j, const struct session *s)
{
    struct left *l = left_find(j, s->sid);
    struct record_session r;
    struct record_buf b;
    char name[LEFT_NAME + 1];
    if (!l) return false;
    snprintf(name, sizeof name, "%c%016" PRIx64, RECORD_NOBODY, s->sid);
    memcpy(l->name, name, LEFT_NAME);
    l->ended = true;
    l->ended_ms = j->broker->core->clock.wall_ms;
    journal_left_record(l, &r);
    record_put_session(&b, &r);
    b.put.flags |= STORE_RESERVE; /* it takes the place of an end */
    journal_put_surely(j, &b.put);
    return true;
}

/* ---- orphans ------------------------------------------------------------------------------- */

static struct orphan *orphan_new(const struct session *s, const struct pending *p)
{
    struct journal *j = s->broker->journal;
    struct bytes group = journal_group_filter(s->broker, p->former ? 0 : p->group);
    struct left *l = left_hold(j, s);
    struct orphan *o = l ? malloc(sizeof *o + group.n) : NULL;
    if (!o) {
        if (l) left_release(j, l);
        return NULL;
    }
    *o = (struct orphan){.left = l,
                         .seq = p->seq,
                         .stored = p->stored,
                         .bytes = p->bytes,
                         .sub_id = p->nsub_ids == 1 ? p->sub_id : 0,
                         .group_bytes = (uint16_t)group.n,
                         .qos = p->qos,
                         .retain = p->retain};
    memcpy(o->group, group.p, group.n);
    return o;
}

uint32_t journal_orphan(const struct session *s, struct pending *p)
{
    struct journal *j = s->broker->journal;
    struct orphan *o = orphan_new(s, p);
    uint32_t number = o ? slots_add(&j->orphans, o, ORPHANS_MAX) : 0;
    if (!number) {
        if (o) left_release(j, o->left);
        free(o);
        return 0;
    }
    p->stored = NULL;
    p->seq = 0;
    return number;
}

void journal_orphan_record(const struct orphan *o, struct record_entry *r)
{
    *r = (struct record_entry){.sid = o->left->sid,
                               .seq = o->seq,
                               .body = o->stored->ref,
                               .qos = o->qos,
                               .retain = o->retain,
                               .message_bytes = o->bytes,
                               .nsub_ids = o->sub_id ? 1 : 0,
                               .sub_id = {o->sub_id},
                               .group = bytes_of(o->group, o->group_bytes)};
}

void journal_orphan_kept(struct journal *j, uint32_t number, int status)
{
    struct orphan *o = slots_find(&j->orphans, number);
    ASSERT(o);
    if (status < 0) return; /* only this log has it */
    slots_del(&j->orphans, number);
    journal_put_done(j, &(struct record_flight_change){.sid = o->left->sid, .seq = o->seq});
    left_release(j, o->left);
    journal_stored_unref(j, o->stored);
    free(o);
}

static void free_left(void *item, void *arg)
{
    (void)arg;
    free(item);
}

void journal_orphan_fini(struct journal *j)
{
    for (uint32_t i = 1; i < j->orphans.cap; i++)
        free(slots_find(&j->orphans, i));
    slots_fini(&j->orphans);
    table_each(&j->left, free_left, NULL);
    table_fini(&j->left);
}
