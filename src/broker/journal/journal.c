/* SPDX-License-Identifier: BSD-3-Clause */
/* journal.c -- the journal's life, its phase of the turn, and its failure.
 *
 * When the log fails, all who wait are told so and nothing durable is taken any more. What there is
 * goes on in memory: clients that are connected, and what needs no disk. What was acknowledged is
 * in the log, and comes back with a restart. */
#include "broker/journal/journal.h"

#include <stdlib.h>
#include <string.h>

#include "broker/journal/journal_internal.h"

enum {
    LATE_AGAIN_NS = NS_PER_S / 10, /* how often late records are tried, if the store is silent */
};

struct journal *journal_new(struct broker *b, const struct journal_options *o)
{
    struct journal *j = calloc(1, sizeof *j);
    if (!j) return NULL;
    j->broker = b;
    j->options = *o;
    broker_mail_handlers(j->handler);
    b->journal = j;
    b->core->durable = b->core->commit_pos = 0;
    return j;
}

void journal_free(struct journal **jp)
{
    struct journal *j = *jp;
    if (!j) return;
    ASSERT(!j->store);
    journal_notice_fini(j);
    journal_put_fini(j);
    journal_message_fini(j);
    origins_fini(&j->origins);
    ended_fini(&j->ended);
    free(j);
    *jp = NULL;
}

/* ---- failure ----------------------------------------------------------------------------- */

/* Who waits is told in the commit phase: this may come in the middle of anything. */
void journal_fail(struct journal *j, const char *why)
{
    if (j->failed) return;
    j->failed = true;
    strncpy(j->why, why, sizeof j->why - 1);
    LOG(&j->broker->core->log, LOG_ERROR, "storage_failed", F_STR("reason", j->why),
        F_STR("then", "nothing is acknowledged as durable any more; sessions go on in memory"));
    core_turn_again(j->broker->core);
}

static void on_failed(void *ctx, const char *why)
{
    journal_fail(ctx, why);
}

static unsigned tell_failure(struct journal *j)
{
    if (!j->failed || j->told) return 0;
    j->told = true;
    journal_notify_failed(j);
    if (j->options.failed) j->options.failed(j->options.ctx, j->why);
    return 1;
}

struct store_owner journal_owner(struct journal *j)
{
    return (struct store_owner){
        .ctx = j,
        .snapshot = journal_snapshot,
        .is_live = journal_is_live,
        .moved = journal_moved,
        .failed = on_failed,
    };
}

/* ---- the turn ---------------------------------------------------------------------------- */

unsigned journal_commit(void *journal)
{
    struct journal *j = journal;
    if (!j->store) return 0;
    unsigned work = journal_put_late(j);
    journal_mark(j);
    work += store_commit(j->store);
    work += tell_failure(j) + journal_notify(j);
    deliver_go_on(j->broker); /* what the disk has read or told of is for the phase before */
    return work;
}

uint64_t journal_due_ns(void *journal)
{
    const struct journal *j = journal;
    if (!j->store) return UINT64_MAX;
    if (j->failed && !j->told) return 0;
    if (journal_is_to_hurry(j)) return 0;
    uint64_t due = store_due_ns(j->store);
    uint64_t late = j->late ? j->broker->core->clock.now_ns + LATE_AGAIN_NS : UINT64_MAX;
    return late < due ? late : due;
}

int journal_close(struct journal *j)
{
    if (!j->store) return 0;
    for (unsigned work = 1; work;) { /* who is told may write more, but not for ever */
        work = journal_put_late(j);
        journal_mark(j);
        (void)store_flush(j->store);
        work += tell_failure(j) + journal_notify(j);
    }
    if (j->late)
        LOG(&j->broker->core->log, LOG_WARN, "records_lost", F_U64("records", j->nlate),
            F_STR("reason", "no room in the log; some messages may be delivered again"));
    int err = store_close(&j->store);
    j->failed = true; /* whoever still waits, waits in vain */
    journal_notify_failed(j);
    return err;
}

/* ---- what can be asked ------------------------------------------------------------------- */

bool journal_has_room(const struct journal *j)
{
    return j->failed || !j->store || store_has_room(j->store);
}

bool journal_failed(const struct journal *j)
{
    return j->failed;
}

struct store *journal_store_of(const struct journal *j)
{
    return j->store;
}

uint64_t journal_queue_memory_max(const struct journal *j)
{
    return j->options.queue_memory_max;
}

uint64_t journal_tail(const struct journal *j)
{
    return j->failed ? UINT64_MAX : j->written;
}

struct journal_stats journal_stats(const struct journal *j)
{
    struct journal_stats t = j->stats;
    t.records = j->written - j->nlate;
    if (j->store) t.bytes = store_stats(j->store).bytes;
    t.notices = j->notice_tail - j->notice_head;
    t.late = j->nlate;
    t.stored = j->kept.used;
    t.origins = j->origins.serials;
    return t;
}
