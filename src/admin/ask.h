/* SPDX-License-Identifier: BSD-3-Clause */
/* ask.h -- a request whose answer another core has: one errand at a time, and what it needs.
 *
 * A route embeds a struct ask at the beginning of what it has to remember. look() runs on the core
 * that is asked and may touch nothing but that memory; back() runs at home, where the answer is
 * given. A client that goes away meanwhile changes nothing for look(): the memory stays till it is
 * back. */
#pragma once

#include "admin/internal.h"
#include "broker/errand.h"

enum { ASKS_MAX = 256 }; /* under way on a core; one that does not answer keeps them so */

struct ask;

struct ask_kind {
    size_t bytes; /* of the struct that embeds the ask; zeroed */
    void (*look)(struct ask *a, struct broker *there);
    void (*back)(struct ask *a);    /* to answer and end, or to go on with ask_again() */
    void (*on_room)(struct ask *a); /* after ask_again(); may be NULL */
    void (*fini)(struct ask *a);    /* frees what it holds; may be NULL */
};

struct ask {
    struct errand errand;
    const struct ask_kind *kind;
    struct admin *admin;
    struct http_exchange *x;  /* NULL: nobody waits for an answer any more */
    struct ask *next, **link; /* on admin->asks */
    bool out;                 /* the errand is under way */
};

/* NULL: there is no memory, or too many are under way; that has been answered. */
struct ask *ask_new(struct http_exchange *x, const struct ask_kind *kind);

/* Sends it to `core`; back() may have been called, and the ask freed, when this returns. */
void ask_send(struct ask *a, unsigned core);

/* Calls on_room() in another turn, when the client has taken some of the answer. */
void ask_again(struct ask *a);

/* Frees it. The exchange is ended by the caller before or afterwards. */
void ask_done(struct ask *a);

/* At the end, when no core runs. */
void ask_free_all(struct admin *a);
