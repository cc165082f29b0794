/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_passwd.c -- `pinion passwd`: the users of a password file. */
#include <stdarg.h>
#include <stdio.h>

#include "app/client/client_args.h"
#include "app/command.h"
#include "app/number.h"
#include "app/passwd/passwd.h"

enum row { ROW_DELETE, ROW_CHECK, ROW_LIST, ROW_SCRAM, ROW_STDIN, ROW_MEMORY, ROW_TIME, ROWS };

static const struct arg rows[ROWS] = {
    [ROW_DELETE] = {'D', "delete", "USER", "delete this user"},
    [ROW_CHECK] = {0, "check", "USER", "ask for this user's password, tell whether it is right"},
    [ROW_LIST] = {0, "list", NULL, "list the users, and what is kept of their passwords"},
    [ROW_SCRAM] = {0, "scram", NULL, "keep a credential for SCRAM-SHA-256 as well"},
    [ROW_STDIN] = {0, "stdin", NULL, "the password is the first line of standard input"},
    [ROW_MEMORY] = {0, "memory", "SIZE", "memory that hashing takes (19 MiB)"},
    [ROW_TIME] = {0, "time", "N", "passes over that memory (2)"},
};

int passwd_fail(const char *format, ...)
{
    va_list args;

    fputs("pinion passwd: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static int set_verb(const struct command *c, struct passwd_task *t, enum passwd_verb verb)
{
    if (t->verb != PASSWD_SET) return args_refuse(c, "only one of --delete, --check and --list");
    t->verb = verb;
    return EXIT_OK;
}

static int set_number(const struct command *c, struct passwd_task *t, int row, const char *text)
{
    struct client_range range = {NUMBER_COUNT, 1, PASSWORD_PASSES_MAX};
    uint64_t v = 0;

    if (row == ROW_MEMORY)
        range = (struct client_range){NUMBER_SIZE, 1 << 20, PASSWORD_MEMORY_KIB_MAX * 1024};
    int status = client_number(c, rows[row].name, text, range, &v);
    if (status != EXIT_OK) return status;
    if (row == ROW_MEMORY)
        t->cost.memory_kib = (uint32_t)(v / 1024);
    else
        t->cost.rounds = (uint32_t)v;
    return EXIT_OK;
}

static int set(const struct command *c, struct passwd_task *t, int row, const char *value)
{
    switch (row) {
    case ROW_DELETE: t->user = bytes_str(value); return set_verb(c, t, PASSWD_DELETE);
    case ROW_CHECK: t->user = bytes_str(value); return set_verb(c, t, PASSWD_CHECK);
    case ROW_LIST: return set_verb(c, t, PASSWD_LIST);
    case ROW_SCRAM: t->scram = true; return EXIT_OK;
    case ROW_STDIN: t->from_stdin = true; return EXIT_OK;
    default: return set_number(c, t, row, value);
    }
}

/* FILE, then USER. */
static int set_operand(const struct command *c, struct passwd_task *t, const char *value)
{
    if (!t->path) {
        t->path = value;
        return EXIT_OK;
    }
    if (t->user.p) return args_refuse(c, "one user at a time; passwords are never an argument");
    t->user = bytes_str(value);
    return EXIT_OK;
}

static int check(const struct command *c, const struct passwd_task *t)
{
    if (!t->path) return args_refuse(c, "there is no file");
    if (t->verb == PASSWD_LIST && t->user.p) return args_refuse(c, "--list takes no user");
    if (t->verb == PASSWD_LIST) return EXIT_OK;
    if (!t->user.p) return args_refuse(c, "there is no user");
    const char *why = password_user_check(t->user);
    if (why) return args_refuse(c, "%s", why);
    if (t->scram && t->verb != PASSWD_SET)
        return args_refuse(c, "--scram goes with a new password");
    return EXIT_OK;
}

static int run(const struct command *c, int argc, char **argv)
{
    static int (*const verbs[])(const struct passwd_task *) = {
        [PASSWD_SET] = passwd_set,
        [PASSWD_DELETE] = passwd_delete,
        [PASSWD_CHECK] = passwd_check,
        [PASSWD_LIST] = passwd_list,
    };
    struct passwd_task t = {.cost = PASSWORD_COST_DEFAULT};
    struct args a = args_of(c, argc, argv);
    const char *value;

    for (int row; (row = args_next(&a, &value)) != ARGS_END;) {
        if (row == ARGS_ERROR) return EXIT_USAGE;
        int status = row == ARGS_OPERAND ? set_operand(c, &t, value) : set(c, &t, row, value);
        if (status != EXIT_OK) return status;
    }
    int status = check(c, &t);
    return status == EXIT_OK ? verbs[t.verb](&t) : status;
}

const struct command command_passwd = {
    .name = "passwd",
    .what = "add, change, delete, check or list the users of a password file",
    .operands = "FILE [USER]",
    .args = rows,
    .nargs = ROWS,
    .run = run,
    .notes =
        "Without --delete, --check or --list, USER gets a new password, asked for twice; FILE is\n"
        "made if it is not there. Files of mosquitto_passwd are taken; who gets a new password\n"
        "there gets argon2id. A broker takes the changes when it reads its settings again (HUP).\n",
};
