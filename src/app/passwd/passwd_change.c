/* SPDX-License-Identifier: BSD-3-Clause */
/* passwd_change.c -- users come, go, and get new passwords. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/passwd/passwd.h"
#include "app/passwd/passwd_edit.h"
#include "app/passwd/passwd_store.h"
#include "base/assert.h"
#include "base/err.h"

enum { SCRAM_ROUNDS = 16384, SALT_BYTES = 16 };

/* What takes the place of the user's lines, as text. */
struct fresh {
    uint8_t hash[PASSWORD_TEXT_MAX], scram[PASSWORD_TEXT_MAX];
    struct passwd_lines lines;
};

/* ---- the file ----------------------------------------------------------------------------- */

/* Writes the changed text, once it is sure that the broker will take it. */
static int replace(struct passwd_store *s, const struct passwd_lines *lines)
{
    char error[PASSWORD_FILE_ERROR];
    size_t room = passwd_edit_room(s->text.text, lines);
    uint8_t *p = malloc(room);
    struct writer w = wr_of(p, room);

    if (!p) return passwd_fail("%s", err_text(ERR_NOMEM));
    passwd_edit(&w, s->text.text, lines);
    ASSERT(!w.bad);
    struct bytes text = bytes_of(p, wr_len(&w));
    struct password_file *f = password_file_parse(text, error, sizeof error);
    int status = EXIT_OK;
    if (!f)
        status = passwd_fail("%s: %s", s->path, error);
    else if (passwd_store_commit(s, text) < 0)
        status = passwd_fail("%s", s->error);
    password_file_free(&f);
    explicit_bzero(p, room);
    free(p);
    return status;
}

/* Opens the file and understands it; NULL if either can't be, which has been told. */
static struct password_file *open_file(struct passwd_store *s, const char *path, bool make)
{
    char error[PASSWORD_FILE_ERROR];

    if (passwd_store_open(s, path, make) < 0) {
        passwd_fail("%s", s->error);
        return NULL;
    }
    struct password_file *f = password_file_parse(s->text.text, error, sizeof error);
    if (!f) passwd_fail("%s: %s", s->path, error);
    return f;
}

/* ---- new passwords -------------------------------------------------------------------------- */

static bool is_printable_ascii(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < 0x20 || b.p[i] > 0x7E) return false;
    return true;
}

static int put_hash(struct bytes *text, uint8_t *room, const struct password_cost *cost,
                    struct bytes password)
{
    struct password_hash h;
    struct writer w = wr_of(room, PASSWORD_TEXT_MAX);
    int err = password_make(&h, cost, password);

    if (err == 0) password_hash_put(&w, &h);
    explicit_bzero(&h, sizeof h);
    if (err < 0) return passwd_fail("%s", err_text(err));
    ASSERT(!w.bad);
    *text = bytes_of(room, wr_len(&w));
    return EXIT_OK;
}

static int make_fresh(struct fresh *n, const struct passwd_task *t, bool scram,
                      struct bytes password)
{
    static const struct password_cost scram_cost = {
        .kind = PASSWORD_SCRAM_SHA256, .rounds = SCRAM_ROUNDS, .salt_bytes = SALT_BYTES};

    n->lines = (struct passwd_lines){.user = t->user};
    /* Clients prepare others each in its way [RFC5802-2.2], and would not be let in. */
    if (scram && !is_printable_ascii(password))
        return passwd_fail("a password for SCRAM must be printable ASCII");
    int status = put_hash(&n->lines.hash, n->hash, &t->cost, password);
    if (status == EXIT_OK && scram)
        status = put_hash(&n->lines.scram, n->scram, &scram_cost, password);
    return status;
}

/* A SCRAM credential that is there already must follow: it would let the old password in. */
static int store_password(const struct passwd_task *t, struct bytes password)
{
    struct passwd_store *s = malloc(sizeof *s);
    struct fresh fresh;

    if (!s) return passwd_fail("%s", err_text(ERR_NOMEM));
    struct password_file *f = open_file(s, t->path, true);
    int status = EXIT_FAILED;
    if (f) {
        const struct password_entry *e = password_file_find(f, t->user);
        bool scram = t->scram || (e && e->scram.n > 0);
        status = make_fresh(&fresh, t, scram, password);
        if (status == EXIT_OK) status = replace(s, &fresh.lines);
        if (status == EXIT_OK)
            printf("%.*s: %s%s\n", (int)t->user.n, (const char *)t->user.p, e ? "changed" : "added",
                   scram ? ", for SCRAM too" : "");
    }
    password_file_free(&f);
    passwd_store_close(s);
    free(s);
    explicit_bzero(&fresh, sizeof fresh);
    return status;
}

static int ask_twice(struct passwd_secret *secret)
{
    struct passwd_secret again;
    int err = passwd_ask(secret, "New password");

    if (err == 0) err = passwd_ask(&again, "Once more");
    if (err == 0 && !bytes_eq(passwd_secret_bytes(secret), passwd_secret_bytes(&again))) {
        passwd_fail("the two are not the same");
        err = -ERR_INVALID;
    }
    explicit_bzero(&again, sizeof again);
    return err;
}

/* Better now than after the password was typed twice. */
static int check_file(const char *path)
{
    char error[PASSWORD_FILE_ERROR];
    struct file_text file;

    int err = file_read(&file, path, PASSWORD_FILE_MAX, error, sizeof error);
    if (err < 0) return EXIT_OK; /* perhaps it is new: told when it is opened */
    struct password_file *f = password_file_parse(file.text, error, sizeof error);
    int status = f ? EXIT_OK : passwd_fail("%s: %s", path, error);
    password_file_free(&f);
    file_free(&file);
    return status;
}

int passwd_set(const struct passwd_task *t)
{
    struct passwd_secret secret;
    int status = check_file(t->path);

    if (status != EXIT_OK) return status;
    int err = t->from_stdin ? passwd_read_stdin(&secret) : ask_twice(&secret);
    if (err < 0)
        status = EXIT_FAILED;
    else if (secret.n == 0)
        status = passwd_fail("an empty password is none");
    else
        status = store_password(t, passwd_secret_bytes(&secret));
    explicit_bzero(&secret, sizeof secret);
    return status;
}

/* ---- users that go --------------------------------------------------------------------------- */

int passwd_delete(const struct passwd_task *t)
{
    const struct passwd_lines none = {.user = t->user};
    struct passwd_store *s = malloc(sizeof *s);
    int status = EXIT_FAILED;

    if (!s) return passwd_fail("%s", err_text(ERR_NOMEM));
    struct password_file *f = open_file(s, t->path, false);
    if (f && !password_file_find(f, t->user))
        passwd_fail("%s: there is no user \"%.*s\"", t->path, (int)t->user.n,
                    (const char *)t->user.p);
    else if (f)
        status = replace(s, &none);
    if (status == EXIT_OK) printf("%.*s: deleted\n", (int)t->user.n, (const char *)t->user.p);
    password_file_free(&f);
    passwd_store_close(s);
    free(s);
    return status;
}
