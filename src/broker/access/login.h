/* SPDX-License-Identifier: BSD-3-Clause */
/* login.h -- somebody wants to come in: who is it?
 *
 * The first source that knows the user decides, in this order: the certificate, a token, the
 * password file, the HTTP hook. If none does, or one fails, the answer is no. Much can be
 * said at once (login_now); what takes a helper thread or another server goes on without the core
 * (login_start), which is told by `done`.
 *
 * Owner: the protocol's session layer, on the client's home core. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/access/door.h"
#include "broker/access/identity.h"
#include "core/helper.h"

struct access;
struct broker;
struct login;

enum login_verdict {
    LOGIN_TAKEN,
    LOGIN_NO_IDENTITY, /* gave none, and this listener wants one */
    LOGIN_WRONG,       /* unknown user, or not his secret */
    LOGIN_NOT_ALLOWED, /* is who he says, and may not come in */
    LOGIN_BUSY,        /* too many logins are under way: later may do */
    LOGIN_UNAVAILABLE, /* a source has failed */
    LOGIN_VERDICTS,
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

struct login_answer {
    enum login_verdict verdict;
    struct identity *identity; /* the asker's now; NULL for who is anonymous, or was refused */
    const char *setting;       /* which one would have let it in; NULL: none */
};

/* May anybody come in by `d` (NULL: a test's) who does not say who it is? */
bool login_anonymous(const struct access *a, const struct access_door *d);

/* Decides what needs neither a helper nor a server: true, with *answer filled. False: ask
 * login_start(). `access` may be NULL: nothing is configured. */
bool login_now(const struct access *access, const struct login_claim *c,
               struct login_answer *answer);

/* Goes on in the background. `done` is called on this core, once and not before this returns, with
 * an answer that is the asker's. NULL: no memory, or too many are under way. */
typedef void login_done(void *asker, const struct login_answer *answer);
struct login *login_start(struct broker *b, const struct login_claim *c, login_done *done,
                          void *asker);

/* The asker goes: `done` will not be called. Nulls the pointer; harmless if it is NULL. */
void login_cancel(struct login **l);
