/* SPDX-License-Identifier: BSD-3-Clause */
/* hold.c -- output that may not leave before the core's log is on disk.
 *
 * A connection that holds has a few marks in its out-queue: so many bytes are ahead of the mark,
 * and what is behind it waits until core->durable has come to the mark's position. Marks rise in
 * both, so the first that is not met bounds what may leave.
 *
 * A new position gets a mark of its own, or the last mark is raised to it, which makes what is
 * behind that one wait longer. Two rules keep that harmless. The first mark is never raised: so
 * what it stands for is as far from the disk as it was, whatever comes later, and then the
 * next is the first. And a mark whose position the commit under way will make durable is not
 * raised: so each commit releases all that depended on it. Since one commit is under way at a time
 * and the next takes what was appended till then, three marks are enough: the first, one
 * that was raised until its commit began, and one that is raised until the next begins. (Where a
 * commit takes only a part, what is behind the last mark may wait for one commit more.)
 *
 * Who holds is on a list of the net, which is walked once when core->durable has risen. A
 * connection that is closed while it holds leaves when it may: see hold_keeps().
 *
 * Owner: the connection; the block comes from the core's pool and goes with the last mark. */
#include "base/err.h"
#include "net/net_internal.h"

enum { MARKS = 3, LEAVE_S = 2 };

struct mark {
    size_t ahead; /* bytes of the out-queue that do not wait for `pos` */
    uint64_t pos;
};

enum leave {
    LEAVE_NOT,   /* not closed, or nobody has looked whether it holds something */
    LEAVE_WAITS, /* closed; its last words wait for the disk */
    LEAVE_OVER,  /* it has waited */
};

struct hold {
    struct conn *conn;
    struct hold *next, **link; /* of those of the net */
    struct timer limit;        /* armed while it waits to leave */
    uint8_t leave;             /* enum leave */
    uint8_t n;                 /* marks that are not met, as far as anybody has looked */
    struct mark mark[MARKS];
};

/* ---- marks ------------------------------------------------------------------------------- */

static struct hold *hold_new(struct conn *c)
{
    struct net *n = c->net;
    struct hold *h = pool_alloc(n->core->pool, sizeof *h);

    if (!h) return NULL;
    *h = (struct hold){.conn = c, .next = n->holds, .link = &n->holds};
    if (h->next) h->next->link = &h->next;
    n->holds = h;
    c->hold = h;
    return h;
}

void hold_free(struct conn *c)
{
    struct hold *h = c->hold;
    struct core *core = c->net->core;

    if (!h) return;
    wheel_cancel(&core->wheel, &h->limit);
    *h->link = h->next;
    if (h->next) h->next->link = h->link;
    c->hold = NULL;
    pool_free(core->pool, h, sizeof *h);
}

/* Forgets the marks that are met. */
static void settle(struct hold *h)
{
    uint64_t durable = h->conn->net->core->durable;
    uint8_t met = 0;

    while (met < h->n && h->mark[met].pos <= durable)
        met++;
    h->n = (uint8_t)(h->n - met);
    for (uint8_t i = 0; met > 0 && i < h->n; i++)
        h->mark[i] = h->mark[i + met];
}

static void add(struct hold *h, uint64_t pos)
{
    const struct conn *c = h->conn;
    struct mark *last = h->n > 0 ? &h->mark[h->n - 1] : NULL;

    if (last && pos <= last->pos) return;
    bool next_commit = h->n > 1 && last->pos > c->net->core->commit_pos;
    if (next_commit || h->n == MARKS)
        last->pos = pos;
    else
        h->mark[h->n++] = (struct mark){.ahead = c->out.bytes, .pos = pos};
}

void conn_hold(struct conn *c, uint64_t pos)
{
    struct net *n = c->net;

    if (n->core->durable >= pos || c->flags & CONN_CLOSING) return;
    if (n->log_ended) {
        conn_close(c, -ERR_STORAGE);
        return;
    }
    if (!c->hold && !hold_new(c)) {
        conn_close(c, -ERR_NOMEM);
        return;
    }
    settle(c->hold);
    add(c->hold, pos);
}

size_t hold_released(const struct conn *c)
{
    const struct hold *h = c->hold;
    uint64_t durable = c->net->core->durable;

    for (uint8_t i = 0; i < h->n; i++)
        if (h->mark[i].pos > durable) return h->mark[i].ahead;
    return c->out.bytes;
}

void hold_sent(struct conn *c, size_t n)
{
    struct hold *h = c->hold;

    settle(h);
    for (uint8_t i = 0; i < h->n; i++) {
        ASSERT(n <= h->mark[i].ahead);
        h->mark[i].ahead -= n;
    }
}

/* ---- the disk has answered, or never will -------------------------------------------------- */

/* It has waited long enough: net_flush buries it in this turn. */
static void leave(struct hold *h)
{
    struct conn *c = h->conn;

    if (h->leave != LEAVE_WAITS) return;
    h->leave = LEAVE_OVER;
    c->dead_next = c->net->dead;
    c->net->dead = c;
}

static void lift(struct hold *h)
{
    struct conn *c = h->conn;
    bool queued = c->flags & (CONN_FLUSH | CONN_WANT_WRITE | CONN_CLOSING);

    settle(h);
    if (!queued && conn_released(c) > 0) conn_flush_later(c);
    if (h->n > 0) return;
    leave(h);
    hold_free(c);
}

unsigned hold_lift(struct net *n)
{
    unsigned seen = 0;
    struct hold *next;

    n->durable_seen = n->core->durable;
    for (struct hold *h = n->holds; h; h = next) {
        next = h->next;
        lift(h);
        seen++;
    }
    return seen;
}

static void drop_all(struct net *n, int why)
{
    struct hold *next;

    hold_lift(n); /* what is on disk is not dropped */
    for (struct hold *h = n->holds; h; h = next) {
        next = h->next;
        if (h->leave == LEAVE_NOT) h->leave = LEAVE_OVER;
        conn_close(h->conn, why);
        leave(h);
    }
}

void hold_end_all(struct net *n, int why)
{
    n->log_ended = true;
    drop_all(n, why);
}

void net_drop_late(struct net *n)
{
    drop_all(n, -ERR_DISK_FULL);
}

void net_drop_held(struct net *n)
{
    hold_end_all(n, -ERR_STORAGE);
}

/* ---- closed while it holds ------------------------------------------------------------------ */

static void on_limit(struct timer *t)
{
    leave(CONTAINER_OF(t, struct hold, limit));
}

void hold_on_hangup(struct conn *c)
{
    if (c->hold->leave != LEAVE_WAITS) return;
    c->flags &= (uint16_t)~CONN_LAST_WORDS; /* nobody listens */
    leave(c->hold);
}

bool hold_keeps(struct conn *c)
{
    struct hold *h = c->hold;
    struct core *core = c->net->core;

    if (h->leave == LEAVE_OVER || c->net->log_ended) return false;
    if (!(c->flags & CONN_LAST_WORDS) || conn_released(c) == c->out.bytes) return false;
    if (reactor_set(core->reactor, &c->watch, 0) < 0) return false;
    h->leave = LEAVE_WAITS;
    h->limit.fire = on_limit;
    wheel_arm(&core->wheel, &h->limit, core_now_s(core) + LEAVE_S);
    return true;
}
