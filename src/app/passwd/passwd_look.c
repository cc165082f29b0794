/* SPDX-License-Identifier: BSD-3-Clause */
/* passwd_look.c -- what is in a password file, and whether a password is the right one. */
#include <stdio.h>
#include <string.h>

#include "app/number.h"
#include "app/passwd/passwd.h"
#include "app/passwd/passwd_edit.h"
#include "base/err.h"
#include "base/file.h"

static void warn_exposed(const char *path)
{
    fprintf(stderr, "pinion passwd: warning: others than its owner may read or change %s\n", path);
}

int passwd_check(const struct passwd_task *t)
{
    char error[PASSWORD_FILE_ERROR];
    struct passwd_secret secret;
    bool exposed, right = false;
    int err = -ERR_OS;

    struct password_file *f = password_file_load(t->path, &exposed, error, sizeof error);
    if (!f) return passwd_fail("%s", error);
    if (exposed) warn_exposed(t->path);
    const struct password_entry *e = password_file_find(f, t->user);
    int asked = t->from_stdin ? passwd_read_stdin(&secret) : passwd_ask(&secret, "Password");
    if (asked == 0) right = password_verify(f, e, passwd_secret_bytes(&secret), &err);
    explicit_bzero(&secret, sizeof secret);
    password_file_free(&f);
    if (asked < 0) return EXIT_FAILED;
    if (err < 0) return passwd_fail("%s", err_text(err));
    printf("%.*s: %s\n", (int)t->user.n, (const char *)t->user.p,
           right ? "right"
           : e   ? "wrong"
                 : "there is no such user");
    return right ? EXIT_OK : EXIT_FAILED;
}

/* ---- listing ------------------------------------------------------------------------------ */

static void print_line(struct bytes user, const struct password_cost *c)
{
    char memory[NUMBER_TEXT];

    printf("%-24.*s %s", (int)user.n, (const char *)user.p, password_kind_text(c->kind));
    if (c->kind == PASSWORD_ARGON2ID)
        printf(", %s, %u passes", number_text(NUMBER_SIZE, (uint64_t)c->memory_kib * 1024, memory),
               c->rounds);
    else if (c->rounds > 0)
        printf(", %u rounds", c->rounds);
    putchar('\n');
}

/* The file has been taken: each of its lines can be read. */
static void print_lines(struct bytes text)
{
    struct bytes line;
    struct password_hash h;

    while (passwd_next_line(&text, &line)) {
        struct bytes user = passwd_line_user(line);
        if (user.n == 0) continue;
        struct bytes hash = password_line_hash(bytes_skip(line, user.n + 1));
        if (!password_hash_read(&h, hash)) print_line(user, &h.cost);
    }
    explicit_bzero(&h, sizeof h);
}

int passwd_list(const struct passwd_task *t)
{
    char error[PASSWORD_FILE_ERROR];
    struct file_text file;

    if (file_read(&file, t->path, PASSWORD_FILE_MAX, error, sizeof error) < 0)
        return passwd_fail("%s", error);
    if (!file.private) warn_exposed(t->path);
    struct password_file *f = password_file_parse(file.text, error, sizeof error);
    if (f) print_lines(file.text);
    int status = f ? EXIT_OK : passwd_fail("%s: %s", t->path, error);
    password_file_free(&f);
    file_free(&file);
    return status;
}
