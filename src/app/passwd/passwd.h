/* SPDX-License-Identifier: BSD-3-Clause */
/* passwd.h -- what `pinion passwd` was asked to do, and the functions that do it. Each tells on
 * stdout what it did or on stderr why it could not, and returns an exit code. */
#pragma once

#include "app/args.h"
#include "app/passwd/passwd_prompt.h"
#include "broker/access/password.h"

enum passwd_verb { PASSWD_SET, PASSWD_DELETE, PASSWD_CHECK, PASSWD_LIST };

struct passwd_task {
    enum passwd_verb verb;
    const char *path;
    struct bytes user;
    bool scram;
    bool from_stdin;
    struct password_cost cost; /* of an argon2id hash */
};

int passwd_set(const struct passwd_task *t);
int passwd_delete(const struct passwd_task *t);
int passwd_check(const struct passwd_task *t);
int passwd_list(const struct passwd_task *t);

/* "pinion passwd: ..." on stderr; returns EXIT_FAILED. */
__attribute__((format(printf, 1, 2))) int passwd_fail(const char *format, ...);
