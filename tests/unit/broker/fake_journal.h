/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_journal.h -- a journal that only counts, so that a test says when what is on disk.
 *
 * The linker puts these before the journal's own (tests/CMakeLists.txt names them). A core's log is
 * a number that rises with each record; fake_commit() makes it durable and hands over what waited
 * for that, in order. */
#pragma once

#include "broker/journal/journal.h"
#include "unit/broker/cluster.h"

enum { FAKE_NOTICES = 8192, FAKE_ORPHANS = 16384 };

struct fake {
    struct broker *b;
    uint64_t tail, durable;
    bool failed, no_room;
    struct {
        uint64_t pos;
        unsigned to;
        struct mail mail;
    } notice[FAKE_NOTICES];
    unsigned head, end;
    int refuse;             /* what appending answers, if not 0 */
    uint64_t last_retainer; /* serial */
    unsigned retained, cleared, orphans, orphans_kept, received, released;
    int orphan_status[FAKE_ORPHANS + 1];
    bool knows;
    uint64_t knows_origin; /* no others, if not 0 */
};

static inline struct fake *fake_of(const struct journal *j)
{
    return (struct fake *)(uintptr_t)j;
}

/* Every core of `k` gets one; they last until the next fake_new(). */
static inline struct fake *fake_new(struct cluster *k)
{
    static struct fake f[CLUSTER_CORES];
    for (unsigned i = 0; i < k->cores; i++) {
        f[i] = (struct fake){.b = k->broker[i], .tail = 1, .durable = 1};
        k->broker[i]->journal = (struct journal *)&f[i];
        k->broker[i]->options.durability = DURABILITY_COMMIT;
        k->core[i].durable = f[i].durable;
    }
    return f;
}

static inline int fake_append(struct fake *f)
{
    if (f->failed) return -ERR_STORAGE;
    if (f->refuse) return f->refuse;
    f->tail++;
    return 0;
}

static inline void fake_hand_over(struct fake *f, unsigned to, const struct mail *m)
{
    mail_fn *handler[BROKER_MAIL_KINDS];
    broker_mail_handlers(handler);
    if (to == f->b->core->id)
        handler[m->kind](f->b, to, m);
    else
        mesh_send(f->b->core->mesh, to, *m, 0, 0);
}

/* All that was appended is on disk, or never will be. */
static inline unsigned fake_commit(struct fake *f)
{
    unsigned told = 0;
    f->durable = f->failed ? f->durable : f->tail;
    f->b->core->durable = f->failed ? UINT64_MAX : f->durable;
    for (; f->head != f->end && (f->failed || f->notice[f->head].pos <= f->durable); told++) {
        struct mail m = f->notice[f->head].mail;
        unsigned to = f->notice[f->head].to;
        f->head = (f->head + 1) % FAKE_NOTICES;
        if (f->failed) m.flags = ERR_STORAGE;
        fake_hand_over(f, to, &m);
    }
    return told;
}

/* Turns and commits until nothing is left to do. */
static inline void fake_settle(struct cluster *k, struct fake *f)
{
    for (unsigned told = 1; told;) {
        cluster_settle(k);
        told = 0;
        for (unsigned i = 0; i < k->cores; i++)
            told += fake_commit(&f[i]);
    }
}

/* ---- what the broker calls ------------------------------------------------------------------ */

uint64_t __wrap_journal_tail(const struct journal *j);
int __wrap_journal_tell(struct journal *j, unsigned to, struct mail mail);
bool __wrap_journal_has_room(const struct journal *j);
bool __wrap_journal_failed(const struct journal *j);
uint64_t __wrap_journal_queue_memory_max(const struct journal *j);
int __wrap_journal_session(struct session *s);
void __wrap_journal_session_end(struct session *s);
uint64_t __wrap_journal_ended(const struct journal *j, uint64_t hash);
int __wrap_journal_subscribed(const struct sub *sub);
void __wrap_journal_unsubscribed(const struct sub *sub);
int __wrap_journal_entry(struct session *s, struct pending *p, uint64_t serial,
                         const uint32_t *flight);
int __wrap_journal_flight(const struct session *s, const struct pending *p, uint32_t flight);
void __wrap_journal_done(const struct session *s, struct pending *p);
void __wrap_journal_forget(struct journal *j, struct pending *p);
uint32_t __wrap_journal_orphan(const struct session *s, struct pending *p);
void __wrap_journal_orphan_kept(struct journal *j, uint32_t number, int status);
int __wrap_journal_received(const struct session *s, uint16_t id, uint64_t serial, bool accepted);
int __wrap_journal_released(const struct session *s, uint16_t packet_id);
bool __wrap_journal_knows(const struct journal *j, uint64_t origin, uint64_t serial);
void __wrap_journal_deliver(struct journal *j, const struct message *m, uint32_t n);
void __wrap_journal_delivered(struct journal *j);
int __wrap_journal_retained(struct journal *j, struct message *m);
int __wrap_journal_cleared(struct journal *j, struct bytes topic);
int __wrap_journal_retained_by(struct journal *j, const struct message_logged *l);
bool __wrap_journal_was_retained(const struct journal *j, const struct message_logged *l);

uint64_t __wrap_journal_tail(const struct journal *j)
{
    return fake_of(j)->tail;
}

int __wrap_journal_tell(struct journal *j, unsigned to, struct mail mail)
{
    struct fake *f = fake_of(j);
    if (f->failed) mail.flags = ERR_STORAGE;
    if (f->failed || (f->head == f->end && f->durable == f->tail)) {
        fake_hand_over(f, to, &mail);
        return 0;
    }
    f->notice[f->end].pos = f->tail;
    f->notice[f->end].to = to;
    f->notice[f->end].mail = mail;
    f->end = (f->end + 1) % FAKE_NOTICES;
    assert_int_not_equal(f->end, f->head);
    return 0;
}

bool __wrap_journal_has_room(const struct journal *j)
{
    return !fake_of(j)->no_room;
}

bool __wrap_journal_failed(const struct journal *j)
{
    return fake_of(j)->failed;
}

uint64_t __wrap_journal_queue_memory_max(const struct journal *j)
{
    (void)j;
    return UINT64_MAX;
}

int __wrap_journal_session(struct session *s)
{
    struct fake *f = fake_of(s->broker->journal);
    if (!s->sid && !s->expiry_s) return 0;
    int err = fake_append(f);
    if (err == 0 && !s->sid) s->sid = f->tail;
    return err;
}

void __wrap_journal_session_end(struct session *s)
{
    if (s->sid) fake_append(fake_of(s->broker->journal));
    s->sid = 0;
}

int __wrap_journal_subscribed(const struct sub *sub)
{
    return fake_append(fake_of(sub->session->broker->journal));
}

void __wrap_journal_unsubscribed(const struct sub *sub)
{
    fake_append(fake_of(sub->session->broker->journal));
}

int __wrap_journal_entry(struct session *s, struct pending *p, uint64_t serial,
                         const uint32_t *flight)
{
    (void)serial, (void)flight;
    int err = fake_append(fake_of(s->broker->journal));
    if (err < 0) return err;
    p->seq = ++s->seq;
    p->stored = calloc(1, sizeof *p->stored);
    return 0;
}

int __wrap_journal_flight(const struct session *s, const struct pending *p, uint32_t flight)
{
    (void)p, (void)flight;
    return fake_append(fake_of(s->broker->journal));
}

void __wrap_journal_done(const struct session *s, struct pending *p)
{
    fake_append(fake_of(s->broker->journal));
    free(p->stored);
    p->stored = NULL;
}

void __wrap_journal_forget(struct journal *j, struct pending *p)
{
    (void)j;
    free(p->stored);
    p->stored = NULL;
}

uint32_t __wrap_journal_orphan(const struct session *s, struct pending *p)
{
    struct fake *f = fake_of(s->broker->journal);
    assert_non_null(p->stored);
    free(p->stored);
    p->stored = NULL;
    assert_true(f->orphans < FAKE_ORPHANS);
    f->orphan_status[++f->orphans] = 1; /* not kept yet */
    return f->orphans;
}

void __wrap_journal_orphan_kept(struct journal *j, uint32_t number, int status)
{
    struct fake *f = fake_of(j);
    assert_in_range(number, 1, f->orphans);
    assert_int_equal(f->orphan_status[number], 1); /* once */
    f->orphan_status[number] = status;
    f->orphans_kept++;
}

int __wrap_journal_received(const struct session *s, uint16_t id, uint64_t serial, bool accepted)
{
    struct fake *f = fake_of(s->broker->journal);
    (void)id, (void)serial, (void)accepted;
    f->received++;
    return fake_append(f);
}

int __wrap_journal_released(const struct session *s, uint16_t packet_id)
{
    struct fake *f = fake_of(s->broker->journal);
    (void)packet_id;
    f->released++;
    return fake_append(f);
}

uint64_t __wrap_journal_ended(const struct journal *j, uint64_t hash)
{
    (void)hash;
    return fake_of(j)->tail;
}

void __wrap_journal_deliver(struct journal *j, const struct message *m, uint32_t n)
{
    (void)j, (void)m, (void)n;
}

void __wrap_journal_delivered(struct journal *j)
{
    (void)j;
}

bool __wrap_journal_knows(const struct journal *j, uint64_t origin, uint64_t serial)
{
    const struct fake *f = fake_of(j);
    assert_int_not_equal(serial, 0);
    return f->knows && (!f->knows_origin || f->knows_origin == origin);
}

int __wrap_journal_retained(struct journal *j, struct message *m)
{
    struct fake *f = fake_of(j);
    (void)m;
    int err = fake_append(f);
    f->retained += err == 0;
    return err;
}

int __wrap_journal_retained_by(struct journal *j, const struct message_logged *l)
{
    struct fake *f = fake_of(j);
    f->last_retainer = l->serial;
    return fake_append(f);
}

bool __wrap_journal_was_retained(const struct journal *j, const struct message_logged *l)
{
    return l->serial && fake_of(j)->last_retainer == l->serial;
}

int __wrap_journal_cleared(struct journal *j, struct bytes topic)
{
    struct fake *f = fake_of(j);
    (void)topic;
    int err = fake_append(f);
    f->cleared += err == 0;
    return err;
}
