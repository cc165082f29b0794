/* SPDX-License-Identifier: BSD-3-Clause */
/* scram_text.h -- the messages of SCRAM, taken apart [RFC5802-7]. Pure; what is found borrows from
 * the message. Kept apart from scram.h so that its grammar can be read and tested alone. */
#pragma once

#include "base/bytes.h"

/* Why a message can't be taken, as it is told to the client [RFC5802-7] server-error-value. */
#define SCRAM_E_ENCODING "invalid-encoding"
#define SCRAM_E_EXTENSION "extensions-not-supported"
#define SCRAM_E_BINDING "channel-binding-not-supported"
#define SCRAM_E_OTHER "other-error"

/* "n,a=ADMIN,n=USER,r=NONCE" */
struct scram_client_first {
    struct bytes gs2;     /* "n,a=ADMIN,": what comes back in the last message */
    struct bytes bare;    /* the rest */
    struct bytes authzid; /* saslname, still escaped; empty: none */
    struct bytes user;    /* the same */
    struct bytes nonce;
};

/* "c=BINDING,r=NONCE,p=PROOF" */
struct scram_client_final {
    struct bytes without_proof; /* "c=BINDING,r=NONCE" */
    struct bytes binding;       /* base64 */
    struct bytes nonce;
    struct bytes proof; /* base64 */
};

/* NULL, or why not. */
const char *scram_read_first(struct scram_client_first *m, struct bytes in);
const char *scram_read_final(struct scram_client_final *m, struct bytes in);

/* Writes the name that a saslname stands for: "=2C" is ',' and "=3D" is '='. False if it
 * stands for none. */
bool scram_put_name(struct writer *w, struct bytes saslname);
