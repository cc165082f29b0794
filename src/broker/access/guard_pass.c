/* SPDX-License-Identifier: BSD-3-Clause */
/* guard_pass.c -- how a core gets a place under names whose counts other cores keep.
 *
 * One errand per name, all sent at once. A pass that is dropped before all have come back waits for
 * them, gives back what they brought, and is freed by the last errand home. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "broker/access/guard.h"
#include "broker/errand.h"
#include "broker/internal.h"

struct place {
    struct errand errand;
    struct guard_pass *pass;
    uint64_t hash;
    uint32_t max;
    uint8_t kind;   /* enum guard_kind */
    uint8_t answer; /* enum guard_answer */
    bool held;
    bool failed; /* to tell with the way back */
};

struct guard_pass {
    struct broker *home;
    guard_done *done;
    void *asker;
    unsigned waiting; /* errands under way */
    bool sending;     /* more are being sent: those to this core come back at once */
    bool dropped;     /* nobody asks any more */
    bool failed;
    bool freeing; /* the places are on their way back */
    struct place place[GUARD_KINDS];
};

uint64_t guard_hash(const struct broker *b, enum guard_kind kind, struct bytes name)
{
    return hash_pair(hash_bytes(b->seed, name), (uint64_t)kind);
}

static void give_back(struct guard_pass *p);

static enum guard_answer answer_of(const struct guard_pass *p)
{
    for (unsigned i = 0; i < GUARD_KINDS; i++)
        if (p->place[i].answer != GUARD_OK) return p->place[i].answer;
    return GUARD_OK;
}

/* An errand is home. The last one says so, or ends what was dropped meanwhile. */
static void settle(struct guard_pass *p)
{
    if (--p->waiting || p->sending) return;
    if (p->freeing)
        free(p);
    else if (p->dropped)
        give_back(p);
    else
        p->done(p->asker, answer_of(p));
}

/* ---- errands ------------------------------------------------------------------------------ */

static void admit_there(struct errand *e, struct broker *there)
{
    struct place *x = CONTAINER_OF(e, struct place, errand);
    x->answer = (uint8_t)guard_admit(&there->guard, x->kind, x->hash, x->max);
}

static void admit_back(struct errand *e, struct broker *home)
{
    struct place *x = CONTAINER_OF(e, struct place, errand);
    (void)home;
    x->held = x->answer == GUARD_OK;
    settle(x->pass);
}

static void leave_there(struct errand *e, struct broker *there)
{
    struct place *x = CONTAINER_OF(e, struct place, errand);
    guard_leave(&there->guard, x->hash, x->failed);
}

static void leave_back(struct errand *e, struct broker *home)
{
    struct place *x = CONTAINER_OF(e, struct place, errand);
    (void)home;
    settle(x->pass);
}

static void send(struct place *x)
{
    struct broker *b = x->pass->home;
    x->pass->waiting++;
    errand_send(b, broker_owner(b, x->hash), &x->errand);
}

/* ---- asking and giving back ----------------------------------------------------------------- */

struct guard_pass *guard_pass_new(struct broker *b, guard_done *done, void *asker)
{
    struct guard_pass *p = calloc(1, sizeof *p);

    if (!p) return NULL;
    p->home = b;
    p->done = done;
    p->asker = asker;
    return p;
}

enum guard_answer guard_ask(struct guard_pass *p, const struct guard_request *r)
{
    ASSERT(p->waiting == 0);
    p->sending = true;
    for (unsigned i = 0; i < GUARD_KINDS; i++) {
        const struct guard_name *n = &r->name[i];
        struct place *x = &p->place[i];
        if (!n->wanted || x->held) continue;
        *x = (struct place){.errand = {.run = admit_there, .back = admit_back},
                            .pass = p,
                            .hash = n->hash,
                            .max = n->max,
                            .kind = (uint8_t)i};
        send(x);
    }
    p->sending = false;
    return p->waiting ? GUARD_ASKED : answer_of(p);
}

static void give_back(struct guard_pass *p)
{
    p->freeing = true;
    p->sending = true;
    for (unsigned i = 0; i < GUARD_KINDS; i++) {
        struct place *x = &p->place[i];
        if (!x->held) continue;
        x->errand = (struct errand){.run = leave_there, .back = leave_back};
        x->failed = p->failed && x->kind == GUARD_ADDRESS;
        send(x);
    }
    p->sending = false;
    if (p->waiting == 0) free(p);
}

void guard_drop(struct guard_pass **pp, bool failed)
{
    struct guard_pass *p = *pp;

    *pp = NULL;
    if (!p) return;
    p->failed = failed;
    p->dropped = true;
    if (p->waiting == 0) give_back(p);
}
