/* SPDX-License-Identifier: BSD-3-Clause */
/* login.h -- somebody wants to come in: may it, and who is it?
 *
 *     places of listener and address > who is it > place of the user
 *
 * Places are counted for the whole broker (guard.h). Who it is, the first source decides that knows
 * the user: the certificate, a token, the password file, the HTTP hook (login_source.c). If none
 * does, or one fails, the answer is no. What takes other cores, a helper thread or another server
 * goes on without the core, which is told by `done`; all else is decided at once.
 *
 * Owner: the protocol's session layer, on the client's home core. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/access/door.h"
#include "broker/access/identity.h"

struct access;
struct broker;
struct guard_pass;
struct login;

enum login_verdict {
#define VERDICT(name, counter, text) LOGIN_##name,
#include "broker/access/login_verdicts.def"
#undef VERDICT
    LOGIN_VERDICTS
};

/* "wrong user name or password" */
const char *login_text(enum login_verdict v);

/* What a client says and shows. Borrowed. */
struct login_claim {
    struct bytes client_id;
    struct bytes user, password; /* with has_user, has_password; any bytes */
    struct bytes certificate;    /* the name in its verified certificate; empty: none */
    bool has_user, has_password;
    const struct access_door *door; /* NULL: anybody may come in (a test's) */
    uint8_t ip[16];
};

/* Who asked owns it all. */
struct login_answer {
    enum login_verdict verdict;
    struct identity *identity; /* NULL for who is anonymous, or was refused */
    struct guard_pass *pass;   /* its places, to be dropped when it leaves; NULL: none */
    const char *why;           /* of a refusal, for the log */
    const char *setting;       /* which one would have let it in; NULL: none */
};

/* May anybody come in by `d` (NULL: a test's) who does not say who it is? */
bool login_anonymous(const struct access *a, const struct access_door *d);

/* Decides: NULL with *answer filled, or the login that goes on in the background; then `done` is
 * called on this core in a later turn, once. */
typedef void login_done(void *asker, const struct login_answer *answer);
struct login *login_begin(struct broker *b, const struct login_claim *c, login_done *done,
                          void *asker, struct login_answer *answer);

/* The asker goes: `done` will not be called. Nulls the pointer; harmless if it is NULL. */
void login_cancel(struct login **l);
