/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rng.h"

enum { FILE_MAX = 16384, MADE_BYTES = 32 };

static bool digest(struct bytes token, uint8_t out[TOKEN_DIGEST])
{
    return EVP_Digest(token.p, token.n, out, NULL, EVP_sha256(), NULL) == 1;
}

bool admin_tokens_know(const struct admin_tokens *t, struct bytes token)
{
    uint8_t given[TOKEN_DIGEST];
    bool known = false;

    if (token.n < TOKEN_BYTES_MIN || token.n > TOKEN_BYTES_MAX || !digest(token, given))
        return false;
    for (unsigned i = 0; i < t->n; i++)
        known |= CRYPTO_memcmp(given, t->digest[i], TOKEN_DIGEST) == 0;
    return known;
}

/* ---- the text ------------------------------------------------------------------------------- */

/* What a header can carry: visible ASCII, no spaces [RFC6750-2.1]. */
static bool is_token(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] <= ' ' || b.p[i] >= 0x7F) return false;
    return b.n >= TOKEN_BYTES_MIN && b.n <= TOKEN_BYTES_MAX;
}

static struct bytes next_line(struct bytes *text)
{
    const uint8_t *lf = memchr(text->p, '\n', text->n);
    size_t n = lf ? (size_t)(lf - text->p) : text->n;
    struct bytes line = bytes_of(text->p, n);

    *text = bytes_skip(*text, lf ? n + 1 : n);
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

int admin_tokens_parse(struct admin_tokens *t, struct bytes text, char *error, size_t n)
{
    t->n = 0;
    for (unsigned number = 1; text.n > 0; number++) {
        struct bytes line = next_line(&text);
        if (line.n == 0 || line.p[0] == '#') continue;
        if (t->n == TOKENS_MAX || !is_token(line) || !digest(line, t->digest[t->n])) {
            snprintf(error, n,
                     "line %u: a token has %d to %d visible ASCII characters, and there are at "
                     "most %d",
                     number, TOKEN_BYTES_MIN, TOKEN_BYTES_MAX, TOKENS_MAX);
            return -ERR_INVALID;
        }
        t->n++;
    }
    if (t->n > 0) return 0;
    snprintf(error, n, "there is no token in it");
    return -ERR_INVALID;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static int refuse(const char *path, const char *why, char *error, size_t n)
{
    snprintf(error, n, "%s: %s", path, why);
    return -ERR_INVALID;
}

/* Writes a new token to a file that did not exist. */
static int make(const char *path, char *error, size_t n)
{
    char text[2 * MADE_BYTES + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) return refuse(path, strerror(errno), error, n);
    for (unsigned i = 0; i < MADE_BYTES / 8; i++)
        snprintf(text + (size_t)16 * i, 17, "%016llx", (unsigned long long)rng_os_seed());
    text[2 * MADE_BYTES] = '\n';
    bool written = write(fd, text, 2 * MADE_BYTES + 1) == 2 * MADE_BYTES + 1;
    OPENSSL_cleanse(text, sizeof text);
    if (close(fd) == 0 && written) return 0;
    unlink(path);
    return refuse(path, "can't be written", error, n);
}

static int read_text(int fd, struct admin_tokens *t, char *error, size_t n)
{
    char text[FILE_MAX + 1], why[128];
    size_t used = 0;
    ssize_t got;

    while (used < sizeof text && (got = read(fd, text + used, sizeof text - used)) > 0)
        used += (size_t)got;
    int err = used > FILE_MAX ? -ERR_TOO_LARGE
                              : admin_tokens_parse(t, bytes_of(text, used), why, sizeof why);
    OPENSSL_cleanse(text, sizeof text);
    if (err < 0) snprintf(error, n, "%s", used > FILE_MAX ? "too long" : why);
    return err;
}

/* A file that others could read, or have written, is no secret of ours. */
static int judge_file(int fd, const char *path, char *error, size_t n)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return refuse(path, "is no plain file", error, n);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return refuse(path, "others than its owner may read it: chmod 600", error, n);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return refuse(path, "belongs to somebody else", error, n);
    return 0;
}

static int load(struct admin_tokens *t, const char *path, char *error, size_t n)
{
    char why[160];

    if (access(path, F_OK) < 0 && errno == ENOENT) {
        int err = make(path, error, n);
        if (err < 0) return err;
    }
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return refuse(path, strerror(errno), error, n);
    int err = judge_file(fd, path, error, n);
    if (err == 0 && read_text(fd, t, why, sizeof why) < 0) err = refuse(path, why, error, n);
    close(fd);
    return err;
}

struct admin_tokens *admin_tokens_load(const char *path, char *error, size_t n)
{
    struct admin_tokens *t = calloc(1, sizeof *t);

    if (!t) {
        refuse(path, err_text(ERR_NOMEM), error, n);
        return NULL;
    }
    if (load(t, path, error, n) < 0) admin_tokens_free(&t);
    return t;
}

void admin_tokens_free(struct admin_tokens **tp)
{
    struct admin_tokens *t = *tp;

    *tp = NULL;
    while (t) {
        struct admin_tokens *older = t->older;
        free(t);
        t = older;
    }
}
