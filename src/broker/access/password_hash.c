/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/password_hash.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/base64.h"

enum { SHA512_BYTES = 64, ARGON2_VERSION = 19 };

const char *password_kind_text(enum password_kind k)
{
    static const char *const texts[PASSWORD_KINDS] = {
        [PASSWORD_ARGON2ID] = "argon2id",
        [PASSWORD_PBKDF2_SHA512] = "PBKDF2-SHA-512",
        [PASSWORD_SHA512] = "SHA-512",
        [PASSWORD_SCRAM_SHA256] = "SCRAM-SHA-256",
    };
    return texts[k];
}

/* ---- reading: pieces --------------------------------------------------------------------- */

static bool skip_text(struct bytes *in, const char *text)
{
    struct bytes prefix = bytes_str(text);

    if (!bytes_starts(*in, prefix)) return false;
    *in = bytes_skip(*in, prefix.n);
    return true;
}

/* A decimal number without leading zeros, of at most nine digits. */
static bool take_number(struct bytes *in, uint32_t *value)
{
    size_t n = 0;

    *value = 0;
    for (; n < in->n && in->p[n] >= '0' && in->p[n] <= '9'; n++) {
        if (n == 9) return false;
        *value = *value * 10 + (uint32_t)(in->p[n] - '0');
    }
    if (n == 0 || (n > 1 && in->p[0] == '0')) return false;
    *in = bytes_skip(*in, n);
    return true;
}

/* What is before `end`, which must be there and is skipped; '\0': all the rest. */
static bool take_piece(struct bytes *in, char end, struct bytes *piece)
{
    const uint8_t *at = in->n ? memchr(in->p, end, in->n) : NULL;

    if (end == '\0') {
        *piece = *in;
        *in = bytes_skip(*in, in->n);
        return true;
    }
    if (!at) return false;
    *piece = bytes_of(in->p, (size_t)(at - in->p));
    *in = bytes_skip(*in, piece->n + 1);
    return true;
}

/* Base64 up to `end` into out[64]; how many bytes, 0 if it can't be. */
static uint32_t take_base64(struct bytes *in, enum base64_form form, char end, uint8_t *out)
{
    uint8_t room[BASE64_BYTES_MAX(BASE64_TEXT_MAX(PASSWORD_HASH_MAX))];
    struct bytes piece;

    if (!take_piece(in, end, &piece)) return 0;
    if (piece.n > BASE64_TEXT_MAX(PASSWORD_HASH_MAX)) return 0;
    long n = base64_decode(form, piece, room);
    if (n <= 0 || n > PASSWORD_HASH_MAX) return 0;
    memcpy(out, room, (size_t)n);
    return (uint32_t)n;
}

static const char *take_salt(struct password_hash *h, struct bytes *in, enum base64_form form)
{
    uint32_t n = take_base64(in, form, '$', h->salt);

    h->cost.salt_bytes = n;
    if (n == 0) return "the salt can't be read";
    return n < PASSWORD_SALT_MIN ? "the salt is shorter than 8 bytes" : NULL;
}

/* ---- reading: one kind each --------------------------------------------------------------- */

static const char *judge_argon2id(const struct password_cost *c)
{
    if (c->rounds < 1 || c->rounds > PASSWORD_PASSES_MAX) return "t is not from 1 to 10";
    if (c->lanes < 1 || c->lanes > PASSWORD_LANES_MAX) return "p is not from 1 to 4";
    if (c->memory_kib < 8 * c->lanes || c->memory_kib > PASSWORD_MEMORY_KIB_MAX)
        return "m is not from 8 times p to 65536 (64 MiB)";
    return NULL;
}

static const char *read_argon2id(struct password_hash *h, struct bytes in)
{
    struct password_cost *c = &h->cost;

    if (!skip_text(&in, "v=19$")) return "argon2id, but not of version 19";
    if (!skip_text(&in, "m=") || !take_number(&in, &c->memory_kib) || !skip_text(&in, ",t=") ||
        !take_number(&in, &c->rounds) || !skip_text(&in, ",p=") || !take_number(&in, &c->lanes) ||
        !skip_text(&in, "$"))
        return "the parameters of argon2id are not m=...,t=...,p=...";
    const char *why = judge_argon2id(c);
    if (!why) why = take_salt(h, &in, BASE64_BARE);
    if (why) return why;
    h->hash_bytes = take_base64(&in, BASE64_BARE, '\0', h->hash);
    return h->hash_bytes < PASSWORD_HASH_MIN ? "the hash can't be read" : NULL;
}

static const char *read_sha512(struct password_hash *h, struct bytes in)
{
    const char *why = take_salt(h, &in, BASE64_PADDED);

    if (why) return why;
    h->hash_bytes = take_base64(&in, BASE64_PADDED, '\0', h->hash);
    return h->hash_bytes != SHA512_BYTES ? "the hash can't be read" : NULL;
}

static const char *read_pbkdf2(struct password_hash *h, struct bytes in)
{
    if (!take_number(&in, &h->cost.rounds) || !skip_text(&in, "$"))
        return "there is no number of rounds";
    if (h->cost.rounds < 1 || h->cost.rounds > PASSWORD_ROUNDS_MAX)
        return "the rounds are not from 1 to 1000000";
    return read_sha512(h, in);
}

static const char *read_scram(struct password_hash *h, struct bytes in)
{
    uint8_t key[PASSWORD_HASH_MAX];

    if (!take_number(&in, &h->cost.rounds) || !skip_text(&in, ":"))
        return "there is no number of rounds";
    if (h->cost.rounds < SCRAM_ROUNDS_MIN || h->cost.rounds > PASSWORD_ROUNDS_MAX)
        return "the rounds are not from 4096 to 1000000";
    const char *why = take_salt(h, &in, BASE64_PADDED);
    if (why) return why;
    h->hash_bytes = take_base64(&in, BASE64_PADDED, ':', h->hash);
    if (h->hash_bytes != SCRAM_KEY) return "the stored key can't be read";
    if (take_base64(&in, BASE64_PADDED, '\0', key) != SCRAM_KEY)
        return "the server key can't be read";
    memcpy(h->server_key, key, SCRAM_KEY);
    return NULL;
}

static const struct {
    const char *prefix;
    const char *(*read)(struct password_hash *h, struct bytes in);
} kinds[PASSWORD_KINDS] = {
    [PASSWORD_ARGON2ID] = {"$argon2id$", read_argon2id},
    [PASSWORD_PBKDF2_SHA512] = {"$7$", read_pbkdf2},
    [PASSWORD_SHA512] = {"$6$", read_sha512},
    [PASSWORD_SCRAM_SHA256] = {"SCRAM-SHA-256$", read_scram},
};

const char *password_hash_read(struct password_hash *h, struct bytes text)
{
    *h = (struct password_hash){.hash_bytes = 0};
    if (text.n == 0) return "there is no password";
    if (text.n > PASSWORD_TEXT_MAX) return "the hash is too long";
    for (unsigned k = 0; k < PASSWORD_KINDS; k++) {
        if (!skip_text(&text, kinds[k].prefix)) continue;
        h->cost.kind = (enum password_kind)k;
        return kinds[k].read(h, text);
    }
    return "this is no hash of a kind that is known: argon2id, $7$, $6$ or SCRAM-SHA-256";
}

/* ---- writing ------------------------------------------------------------------------------ */

static void put_text(struct writer *w, const char *text)
{
    wr_bytes(w, bytes_str(text));
}

static void put_number(struct writer *w, uint32_t value)
{
    char text[16];

    snprintf(text, sizeof text, "%u", value);
    put_text(w, text);
}

static void put_argon2id(struct writer *w, const struct password_cost *c)
{
    put_text(w, "v=");
    put_number(w, ARGON2_VERSION);
    put_text(w, "$m=");
    put_number(w, c->memory_kib);
    put_text(w, ",t=");
    put_number(w, c->rounds);
    put_text(w, ",p=");
    put_number(w, c->lanes);
    put_text(w, "$");
}

void password_hash_put(struct writer *w, const struct password_hash *h)
{
    const struct password_cost *c = &h->cost;
    enum base64_form form = c->kind == PASSWORD_ARGON2ID ? BASE64_BARE : BASE64_PADDED;
    bool scram = c->kind == PASSWORD_SCRAM_SHA256;

    put_text(w, kinds[c->kind].prefix);
    if (c->kind == PASSWORD_ARGON2ID) {
        put_argon2id(w, c);
    } else if (c->kind != PASSWORD_SHA512) {
        put_number(w, c->rounds);
        put_text(w, scram ? ":" : "$");
    }
    base64_put(form, w, bytes_of(h->salt, c->salt_bytes));
    put_text(w, "$");
    base64_put(form, w, bytes_of(h->hash, h->hash_bytes));
    if (!scram) return;
    put_text(w, ":");
    base64_put(form, w, bytes_of(h->server_key, SCRAM_KEY));
}
