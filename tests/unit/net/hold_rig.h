/* SPDX-License-Identifier: BSD-3-Clause */
/* hold_rig.h -- a rig whose core has a log that the test moves by hand: what has been appended,
 * what is being committed, what is on disk. */
#pragma once

#include "net/net_internal.h"
#include "unit/net/rig.h"

/* A log of which nothing is on disk yet. */
static inline struct rig *hold_rig(void)
{
    struct rig *r = rig_default();
    r->core[0].durable = r->core[0].commit_pos = 0;
    return r;
}

/* A commit of all before `pos` begins. */
static inline void disk_begins(struct rig *r, uint64_t pos)
{
    r->core[0].commit_pos = pos;
}

/* It is done, and a turn passes. */
static inline void disk_has(struct rig *r, uint64_t pos)
{
    struct core *c = &r->core[0];
    c->durable = pos;
    if (c->commit_pos < pos) c->commit_pos = pos;
    rig_turn(r, 1);
}

static inline void send_text(struct conn *c, const char *text)
{
    assert_int_equal(conn_send(c, bytes_str(text)), 0);
}

static inline void send_behind(struct conn *c, uint64_t pos, const char *text)
{
    conn_hold(c, pos);
    send_text(c, text);
}

/* What has come since the last call, and nothing else, is `wanted`. */
static inline void assert_hears(int fd, const char *wanted)
{
    char got[256] = "";
    long n = rig_hear(fd, got, sizeof got - 1);
    assert_true(n >= -1);
    assert_string_equal(got, wanted);
}

static inline void assert_hears_the_end(int fd)
{
    char byte;
    assert_int_equal(rig_hear(fd, &byte, 1), 0);
}

/* Nothing is left to do, nobody asks for another turn. */
static inline void assert_at_rest(struct rig *r)
{
    assert_int_equal(rig_turn(r, 1), 0);
    assert_null(r->net[0]->flush);
    assert_null(r->net[0]->dead);
    assert_false(r->core[0].again);
}
