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
    LOGIN_VERDICTS,
    LOGIN_WAITS = LOGIN_VERDICTS, /* not yet: for others; `done` tells the answer */
    LOGIN_GOES_ON,                /* not yet: the client is to hear `say`, and to answer it */
};

#define LOGIN_SCRAM BYTES("SCRAM-SHA-256") /* the one method of exchange [RFC7677] */

enum { LOGIN_SAY_MAX = 1024 };

/* "wrong user name or password" */
const char *login_text(enum login_verdict v);

/* What a client says and shows. Borrowed. */
struct login_claim {
    struct bytes client_id;
    struct bytes user, password; /* with has_user, has_password; any bytes */
    struct bytes certificate;    /* the name in its verified certificate; empty: none */
    struct bytes method, data;   /* with has_method: an exchange, and what begins it */
    bool has_user, has_password, has_method;
    bool again; /* it is here already, with its places, and proves itself anew */
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
    size_t nsay;
    uint8_t say[LOGIN_SAY_MAX]; /* nsay bytes of an exchange, for the client */
};

/* "192.0.2.7", "2001:db8::1" or "unix", as a web service is told. */
enum { LOGIN_ADDRESS = 46 };
struct bytes login_address(const uint8_t ip[16], char out[LOGIN_ADDRESS]);

/* May anybody come in by `d` (NULL: a test's) who does not say who it is? */
bool login_anonymous(const struct access *a, const struct access_door *d);

/* Decides: NULL with *answer filled; else the login that goes on, and answer->verdict says how:
 * with LOGIN_WAITS `done` is called on this core in a later turn, with LOGIN_GOES_ON it is the
 * client's turn. What `done` is given may be LOGIN_GOES_ON as well; with any other verdict the
 * login is over. */
typedef void login_done(void *asker, const struct login_answer *answer);
struct login *login_begin(struct broker *b, const struct login_claim *c, login_done *done,
                          void *asker, struct login_answer *answer);

/* The client's turn: what it has to say. Returns as login_begin() does. */
struct login *login_say(struct login *l, struct bytes data, struct login_answer *answer);

/* The asker goes: `done` will not be called. Nulls the pointer; harmless if it is NULL. */
void login_cancel(struct login **l);
