/* SPDX-License-Identifier: BSD-3-Clause */
/* login_source.h -- who is it? Asked of one source after the other, until one knows the user.
 *
 * source_now() runs on the core and does nothing that takes long. source_work() runs on a helper
 * thread, on copies. */
#pragma once

#include "broker/access/login.h"
#include "broker/access/rules_json.h"

enum source_verdict {
    SOURCE_KNOWS,   /* it is `who` */
    SOURCE_REFUSES, /* it is not who it says */
    SOURCE_ASKS,    /* somebody else must be asked */
    SOURCE_FAILED,
};

struct source_answer {
    enum source_verdict verdict;
    struct identity *who; /* owned; NULL: anonymous */
    const char *setting;  /* of a refusal: which would have let it in; NULL: none */
    const char *why;      /* of a refusal, for the log; NULL: the verdict says it */
    bool nobody;          /* refused because it gave no identity */
};

/* It is `user`, without anything that was given with it. */
struct source_answer source_known(const struct login_claim *c, enum identity_source source,
                                  struct bytes user);

/* A certificate that tells the user (if there is one, and the listener says so) must be of `user`:
 * two names would be one too many. */
bool source_is_certified(const struct login_claim *c, struct bytes user);

/* What a token or a web service says of a client. Borrowed. */
struct source_given {
    struct bytes user;
    const struct rules_given *rules;
    int64_t expires_s; /* since 1970; INT64_MAX: never */
};
struct source_answer source_given(const struct login_claim *c, enum identity_source source,
                                  const struct source_given *g);

struct source_answer source_now(const struct access *a, const struct login_claim *c);
struct source_answer source_work(const struct access *a, const struct login_claim *c,
                                 int64_t wall_s);
