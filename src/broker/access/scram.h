/* SPDX-License-Identifier: BSD-3-Clause */
/* scram.h -- the server's side of SCRAM-SHA-256 [RFC5802] [RFC7677].
 *
 *     client: n,,n=user,r=CLIENTNONCE
 *     server: r=CLIENTNONCE SERVERNONCE,s=SALT,i=ROUNDS
 *     client: c=biws,r=CLIENTNONCE SERVERNONCE,p=PROOF
 *     server: v=SIGNATURE
 *
 * The password is never sent, and the file does not hold what a client would need to log in. The
 * client hashes, we compare, so that it runs on the core. A user that does not
 * exist is asked like any other, with a salt that stays the same, and is refused at the end,
 * with the words for a wrong password.
 *
 * Names are compared byte by byte: what SASLprep would make of them is up to who writes the file.
 *
 * Pure: bytes in, bytes out; luck is given. Owner: the login that it is part of. */
#pragma once

#include "broker/access/password_file.h"

enum {
    SCRAM_FIRST_MAX = 4096,  /* bytes of the client's first message */
    SCRAM_FINAL_MAX = 8192,  /* of its last */
    SCRAM_NONCE_MAX = 512,   /* of its nonce */
    SCRAM_ANSWER_MAX = 1024, /* of any of ours */
    SCRAM_LUCK = 18,         /* random bytes of our nonce */
};

struct scram;

enum scram_turn {
    SCRAM_GOES_ON,
    SCRAM_KNOWS,   /* it is scram_user() */
    SCRAM_REFUSES, /* and is over */
};

/* `luck` is SCRAM_LUCK random bytes, fresh each time. NULL: no memory. */
struct scram *scram_new(const uint8_t luck[SCRAM_LUCK]);

/* Wipes, frees and nulls the pointer. */
void scram_free(struct scram **s);

/* The client's next message. Our answer goes to `out`, which has room for SCRAM_ANSWER_MAX, also
 * with a refusal: the peer may be told. `f` is needed for the first message only. */
enum scram_turn scram_take(struct scram *s, const struct password_file *f, struct bytes in,
                           struct writer *out);

/* Who it is that has come in, or wants to: any bytes but a NUL, empty before the first message
 * was understood. Lives as long as `s`. */
struct bytes scram_user(const struct scram *s);
