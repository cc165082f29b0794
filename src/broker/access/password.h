/* SPDX-License-Identifier: BSD-3-Clause */
/* password.h -- is it the right one? Made slow on purpose.
 *
 * Blocks for tens of milliseconds and takes the memory that the hash asks for: for helper
 * threads, never for a core. Passwords are any bytes of any length. A user that does not exist is
 * hashed as well, with what is usual in the file, so that time does not tell who exists; the
 * result is compared in constant time. */
#pragma once

#include "broker/access/password_file.h"

/* Is `password` that of `e`, an entry of `f`? NULL: nobody's, which takes as long. A user with no
 * hash but a SCRAM credential is measured by that. *err (may be NULL) is 0, or -ERR_NOMEM: it
 * could not be told, and the answer is no. */
bool password_verify(const struct password_file *f, const struct password_entry *e,
                     struct bytes password, int *err);

/* Fills `h` for a new password, with a random salt, at this cost. 0 or -ERR_X; -ERR_INVALID for a
 * kind that is only read, Mosquitto's, and for SCRAM if the password ends with a zero byte. */
int password_make(struct password_hash *h, const struct password_cost *cost, struct bytes password);
