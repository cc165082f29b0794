/* SPDX-License-Identifier: BSD-3-Clause */
/* login_internal.h -- what the files of a login share: its steps, one function each.
 *
 * A step answers at once, and the next one follows, or it waits; what it waits for calls
 * login_run() when it is there. */
#pragma once

#include "broker/access/guard.h"
#include "broker/access/hook.h"
#include "broker/access/login_source.h"
#include "broker/access/scram.h"
#include "broker/internal.h"

enum step {
    STEP_PLACES, /* of the listener and the address */
    STEP_WHO,
    STEP_HOOK,     /* a web service is asked */
    STEP_EXCHANGE, /* the client proves itself, message by message */
    STEP_PLACE_OF_USER,
    STEP_TAKEN,
    STEP_DONE,
};

enum next { NEXT_GO_ON, NEXT_WAIT };

struct login {
    struct helper_job job; /* while `at_work` */
    struct broker *broker;
    struct access *access; /* one use: what held when it began */
    struct login_claim claim;
    struct login_answer answer;
    struct source_answer source;
    struct hook_question *question; /* under way; NULL: none */
    login_done *done;
    void *asker;
    int64_t wall_s;
    struct scram *exchange;
    struct bytes data; /* of the client, in the exchange; borrowed */
    enum step step;
    bool at_work; /* a helper thread has it */
    bool gone;    /* nobody asks any more */
    size_t said;
    uint8_t text[]; /* what the client said */
};

/* ---- login.c ------------------------------------------------------------------------------ */

/* Goes on after a wait. */
void login_run(struct login *l);

/* The end: gives back what it had got. Returns NEXT_GO_ON. */
enum next login_refuse(struct login *l, enum login_verdict v, const char *setting);
void login_free(struct login *l);

/* The configuration was replaced while it was found out who it is: once more, by the new one. */
enum next login_start_over(struct login *l);

/* ---- login_places.c ------------------------------------------------------------------------- */

enum next login_ask_places(struct login *l);
enum next login_ask_place_of_user(struct login *l);

/* Are connections from this address counted? */
bool login_is_watched(const struct guard_limits *g, const struct login_claim *c);

/* ---- login_who.c ---------------------------------------------------------------------------- */

enum next login_ask_who(struct login *l);
enum next login_ask_hook(struct login *l);
enum next login_begin_exchange(struct login *l);
enum next login_exchange(struct login *l);
