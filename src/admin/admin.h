/* SPDX-License-Identifier: BSD-3-Clause */
/* admin.h -- the operator's side of the broker over HTTP: metrics, health, and the API.
 *
 * Every core serves it, and asks the others by errands (gather.h). routes.def is the one list of
 * what there is. Nothing but a look at the health is to be had without a token, and before the
 * token is right nobody learns what there is, or which version this is.
 *
 * Owner: the application makes one struct admin_shared before the cores run, and one struct admin
 * on each core; they are freed when no core runs any more. */
#pragma once

#include "admin/tokens.h"
#include "broker/broker.h"
#include "proto/http/http_session.h"

struct admin;

/* What all cores' parts share. Written before they run, but for what is atomic. */
struct admin_shared {
    struct http_site site;                 /* proto_ctx of the listeners */
    _Atomic(struct admin_tokens *) tokens; /* the newest; replaced by the main thread */
    const struct listener *listeners;      /* of every protocol, borrowed */
    unsigned nlisteners;
    const char *version;
    uint64_t began_ms; /* wall clock */
    bool health_needs_token;
    _Atomic bool ready;           /* listening, and not about to end */
    _Atomic(const char *) failed; /* why clients should go elsewhere for good; NULL: all is well */

    /* Counted by a helper thread now and then: it may take long. */
    _Atomic uint64_t open_files;
    _Atomic bool counting;
    struct helper_job count_files; /* of whoever has set `counting` */
};

/* NULL: no memory. Registers with s->site. */
struct admin *admin_new(struct core *c, struct broker *b, struct admin_shared *s);
void admin_free(struct admin **a);

/* Puts fresh tokens in force; takes them. The old ones stay till the end: a core may be looking. */
void admin_set_tokens(struct admin_shared *s, struct admin_tokens *fresh);
void admin_free_tokens(struct admin_shared *s); /* when no core runs any more */

/* From any thread: what /readyz says. */
void admin_set_ready(struct admin_shared *s, bool ready);

/* The same: from now on it says no, and `why`, which is a constant. */
void admin_set_failed(struct admin_shared *s, const char *why);
