/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/password_file.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/table.h"
#include "base/utf8.h"

enum { COSTS_MAX = 16, SECRET_BYTES = 32 };

/* How many users have a hash that costs this much. */
struct tally {
    struct {
        struct password_cost cost;
        unsigned users;
    } row[COSTS_MAX];
    unsigned rows;
};

struct password_file {
    struct bytes text; /* owned; entries borrow from it */
    struct table users;
    struct password_cost usual, usual_scram;
    uint8_t secret[SECRET_BYTES];
};

/* What goes on while a file is read. */
struct parse {
    struct password_file *f;
    struct tally plain, scram;
    struct bytes salted; /* the first hash, and the first for SCRAM: what the secret is made of */
    struct bytes salted_scram;
    unsigned line;
    char *error;
    size_t error_n;
};

/* ---- users -------------------------------------------------------------------------------- */

/* Who chooses names is who writes the file: the seed need not be secret. */
static uint64_t user_hash(struct bytes user)
{
    return hash_bytes(0, user);
}

const struct password_entry *password_file_find(const struct password_file *f, struct bytes user)
{
    struct table_iter it = table_seek(&f->users, user_hash(user));

    for (const struct password_entry *e; (e = table_next(&f->users, &it)) != NULL;)
        if (bytes_eq(e->user, user)) return e;
    return NULL;
}

static struct password_entry *find_or_add(struct password_file *f, struct bytes user)
{
    struct password_entry *e = (struct password_entry *)(uintptr_t)password_file_find(f, user);

    if (e) return e;
    e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->user = user;
    if (table_add(&f->users, user_hash(user), e) == 0) return e;
    free(e);
    return NULL;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

const char *password_user_check(struct bytes user)
{
    if (user.n == 0) return "the user name is empty";
    if (user.n > PASSWORD_USER_MAX) return "the user name is longer than 1024 bytes";
    if (user.p[0] == '#') return "a user name can't begin with '#'";
    if (is_blank(user.p[0]) || is_blank(user.p[user.n - 1]))
        return "a user name can't begin or end with a blank";
    for (size_t i = 0; i < user.n; i++) {
        if (user.p[i] == ':') return "a user name can't have a ':' in it";
        if (user.p[i] < ' ' || user.p[i] == 0x7F) return "a control character in the user name";
    }
    return utf8_valid(user) ? NULL : "the user name is not UTF-8";
}

/* ---- what is usual --------------------------------------------------------------------------- */

static bool same_cost(const struct password_cost *a, const struct password_cost *b)
{
    return a->kind == b->kind && a->rounds == b->rounds && a->memory_kib == b->memory_kib &&
           a->lanes == b->lanes && a->salt_bytes == b->salt_bytes;
}

static void tally_add(struct tally *t, const struct password_cost *c)
{
    for (unsigned i = 0; i < t->rows; i++) {
        if (!same_cost(&t->row[i].cost, c)) continue;
        t->row[i].users++;
        return;
    }
    if (t->rows == COSTS_MAX) return;
    t->row[t->rows].cost = *c;
    t->row[t->rows++].users = 1;
}

static struct password_cost tally_usual(const struct tally *t, struct password_cost without)
{
    unsigned best = 0;

    for (unsigned i = 1; i < t->rows; i++)
        if (t->row[i].users > t->row[best].users) best = i;
    return t->rows ? t->row[best].cost : without;
}

/* ---- reading lines ----------------------------------------------------------------------------
 */

static int refuse(struct parse *p, const char *why)
{
    snprintf(p->error, p->error_n, "line %u: %s", p->line, why);
    return -ERR_MALFORMED;
}

static int refuse_second(struct parse *p, unsigned line)
{
    snprintf(p->error, p->error_n, "line %u: this user has such a line already, line %u", p->line,
             line);
    return -ERR_EXISTS;
}

struct bytes password_line_hash(struct bytes rest)
{
    while (rest.n > 0 && (is_blank(rest.p[rest.n - 1]) || rest.p[rest.n - 1] == '\r'))
        rest.n--;
    return rest;
}

static int set_hash(struct parse *p, struct password_entry *e, struct bytes text,
                    const struct password_cost *c)
{
    bool scram = c->kind == PASSWORD_SCRAM_SHA256;
    struct bytes *place = scram ? &e->scram : &e->hash;
    unsigned *line = scram ? &e->scram_line : &e->hash_line;
    struct bytes *first = scram ? &p->salted_scram : &p->salted;

    if (place->n > 0) return refuse_second(p, *line);
    *place = text;
    *line = p->line;
    tally_add(scram ? &p->scram : &p->plain, c);
    if (first->n == 0) *first = text;
    return 0;
}

static int take_line(struct parse *p, struct bytes line)
{
    struct password_hash h;

    line = password_line_hash(line);
    if (line.n == 0 || line.p[0] == '#') return 0;
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!colon) return refuse(p, "there is no ':' after the user name");
    struct bytes user = bytes_of(line.p, (size_t)(colon - line.p));
    struct bytes text = bytes_skip(line, user.n + 1);

    const char *why = password_user_check(user);
    if (!why) why = password_hash_read(&h, text);
    explicit_bzero(h.hash, sizeof h.hash);
    if (why) return refuse(p, why);
    struct password_entry *e = find_or_add(p->f, user);
    if (!e) return refuse(p, err_text(ERR_NOMEM));
    return set_hash(p, e, text, &h.cost);
}

static int take_lines(struct parse *p)
{
    struct bytes in = p->f->text;

    while (in.n > 0) {
        const uint8_t *end = memchr(in.p, '\n', in.n);
        size_t n = end ? (size_t)(end - in.p) : in.n;
        p->line++;
        int err = take_line(p, bytes_of(in.p, n));
        if (err < 0) return err;
        in = bytes_skip(in, end ? n + 1 : n);
    }
    return 0;
}

/* ---- the file as a whole ----------------------------------------------------------------------
 */

static bool make_secret(struct parse *p)
{
    static const char purpose[] = "salts of users that are not there";
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(c, purpose, sizeof purpose) == 1 &&
              EVP_DigestUpdate(c, p->salted.p, p->salted.n) == 1 &&
              EVP_DigestUpdate(c, p->salted_scram.p, p->salted_scram.n) == 1 &&
              EVP_DigestFinal_ex(c, p->f->secret, NULL) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

static int parse(struct parse *p)
{
    static const struct password_cost plain = PASSWORD_COST_DEFAULT;
    static const struct password_cost scram = {
        .kind = PASSWORD_SCRAM_SHA256, .rounds = SCRAM_ROUNDS_MIN, .salt_bytes = 16};
    int err = take_lines(p);

    if (err < 0) return err;
    p->f->usual = tally_usual(&p->plain, plain);
    p->f->usual_scram = tally_usual(&p->scram, scram);
    if (make_secret(p)) return 0;
    snprintf(p->error, p->error_n, "%s", err_text(ERR_NOMEM));
    return -ERR_NOMEM;
}

static struct password_file *new_file(struct bytes text)
{
    struct password_file *f = calloc(1, sizeof *f);
    uint8_t *copy = malloc(text.n ? text.n : 1);

    if (!f || !copy) {
        free(f);
        free(copy);
        return NULL;
    }
    if (text.n) memcpy(copy, text.p, text.n);
    f->text = bytes_of(copy, text.n);
    return f;
}

struct password_file *password_file_parse(struct bytes text, char *error, size_t n)
{
    struct parse p = {.error = error, .error_n = n};

    if (text.n > PASSWORD_FILE_MAX) {
        snprintf(error, n, "larger than 64 MiB");
        return NULL;
    }
    p.f = new_file(text);
    if (!p.f) {
        snprintf(error, n, "%s", err_text(ERR_NOMEM));
        return NULL;
    }
    if (parse(&p) < 0) password_file_free(&p.f);
    return p.f;
}

static void free_entry(void *item, void *arg)
{
    (void)arg;
    free(item);
}

void password_file_free(struct password_file **fp)
{
    struct password_file *f = *fp;

    *fp = NULL;
    if (!f) return;
    table_each(&f->users, free_entry, NULL);
    table_fini(&f->users);
    explicit_bzero((void *)(uintptr_t)f->text.p, f->text.n);
    free((void *)(uintptr_t)f->text.p);
    explicit_bzero(f, sizeof *f);
    free(f);
}

unsigned password_file_users(const struct password_file *f)
{
    return f->users.used;
}

const struct password_cost *password_file_usual(const struct password_file *f)
{
    return &f->usual;
}

const struct password_cost *password_file_usual_scram(const struct password_file *f)
{
    return &f->usual_scram;
}

struct bytes password_file_secret(const struct password_file *f)
{
    return bytes_of(f->secret, sizeof f->secret);
}

/* ---- from the disk ------------------------------------------------------------------------------
 */

struct password_file *password_file_load(const char *path, bool *exposed, char *error, size_t n)
{
    char reason[PASSWORD_FILE_ERROR];
    struct file_text file;

    *exposed = false;
    if (file_read(&file, path, PASSWORD_FILE_MAX, error, n) < 0) return NULL;
    *exposed = !file.private;
    struct password_file *f = password_file_parse(file.text, reason, sizeof reason);
    if (!f) snprintf(error, n, "%s: %s", path, reason);
    file_free(&file);
    return f;
}
