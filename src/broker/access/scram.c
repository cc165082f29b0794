/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/scram.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/base64.h"
#include "broker/access/hmac.h"
#include "broker/access/scram_text.h"

/* Said of a wrong password and of a user that does not exist alike. */
#define E_PROOF "invalid-proof"
#define E_RESOURCES "no-resources"

enum { TEXT_MAX = SCRAM_FIRST_MAX + SCRAM_ANSWER_MAX + 2 };

enum state {
    WAITS_FOR_FIRST, /* nothing has come */
    WAITS_FOR_FINAL, /* our nonce and the salt are out */
    OVER,            /* decided: nothing more is taken */
};

struct scram {
    enum state state;
    char server_nonce[BASE64_TEXT_MAX(SCRAM_LUCK)];
    struct password_hash credential; /* the user's, or an invented one */
    bool known;                      /* it is the user's */

    uint8_t user[PASSWORD_USER_MAX];
    size_t user_bytes;

    /* client-first-message "," server-first-message ",": the beginning of what is signed, behind
     * the gs2-header. */
    uint8_t text[TEXT_MAX];
    size_t text_bytes, gs2_bytes;
    struct bytes nonce; /* of both, in the text */
};

struct scram *scram_new(const uint8_t luck[SCRAM_LUCK])
{
    struct scram *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    struct writer w = wr_of(s->server_nonce, sizeof s->server_nonce);
    base64_put(BASE64_PADDED, &w, bytes_of(luck, SCRAM_LUCK)); /* printable, and no comma */
    ASSERT(!w.bad);
    return s;
}

void scram_free(struct scram **sp)
{
    struct scram *s = *sp;

    *sp = NULL;
    if (!s) return;
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

struct bytes scram_user(const struct scram *s)
{
    return bytes_of(s->user, s->user_bytes);
}

static void put_text(struct writer *w, const char *text)
{
    wr_bytes(w, bytes_str(text));
}

/* [RFC5802-7] server-error. */
static enum scram_turn refuse(struct scram *s, struct writer *out, const char *why)
{
    s->state = OVER;
    put_text(out, "e=");
    put_text(out, why);
    return SCRAM_REFUSES;
}

/* ---- whose credential ------------------------------------------------------------------------ */

/* A salt and keys that depend on the name and the file's secret alone: who asks twice for a user
 * that does not exist learns nothing from the answers, and nobody can prove to be it. */
static bool invent(struct scram *s, const struct password_file *f)
{
    const uint8_t part[] = {'0', '1'};
    uint8_t salt[2 * HMAC_SHA256];

    s->credential = (struct password_hash){.cost = *password_file_usual_scram(f)};
    for (unsigned i = 0; i < 2; i++) {
        const struct bytes pieces[] = {bytes_of(&part[i], 1), scram_user(s)};
        if (!hmac_sha256(password_file_secret(f), pieces, 2, salt + i * HMAC_SHA256)) return false;
    }
    static_assert(sizeof salt >= PASSWORD_SALT_MAX, "a salt of any length");
    memcpy(s->credential.salt, salt, s->credential.cost.salt_bytes);
    return true;
}

static bool find_credential(struct scram *s, const struct password_file *f)
{
    const struct password_entry *e = password_file_find(f, scram_user(s));

    if (!invent(s, f)) return false; /* also when it is not needed: it takes time */
    s->known = e && e->scram.n > 0;
    if (!s->known) return true;
    const char *why = password_hash_read(&s->credential, e->scram);
    ASSERT(!why); /* the file would not have been taken */
    return true;
}

/* ---- the first message ------------------------------------------------------------------------
 */

/* The name; whoever asks to act as somebody else must be the same [RFC5802-5.1] "a:". */
static bool take_names(struct scram *s, const struct scram_client_first *m)
{
    uint8_t other[PASSWORD_USER_MAX];
    struct writer user = wr_of(s->user, sizeof s->user), as = wr_of(other, sizeof other);

    if (!scram_put_name(&user, m->user) || !scram_put_name(&as, m->authzid)) return false;
    s->user_bytes = wr_len(&user);
    return m->authzid.n == 0 || bytes_eq(bytes_of(other, wr_len(&as)), scram_user(s));
}

/* server-first-message [RFC5802-7]. */
static void put_first(const struct scram *s, struct writer *w, struct bytes client_nonce)
{
    const struct password_cost *c = &s->credential.cost;
    char rounds[16];

    put_text(w, "r=");
    wr_bytes(w, client_nonce);
    wr_bytes(w, bytes_of(s->server_nonce, sizeof s->server_nonce));
    put_text(w, ",s=");
    base64_put(BASE64_PADDED, w, bytes_of(s->credential.salt, c->salt_bytes));
    snprintf(rounds, sizeof rounds, ",i=%u", c->rounds);
    put_text(w, rounds);
}

/* Keeps what was said so far, and says our part. */
static bool answer_first(struct scram *s, const struct scram_client_first *m, struct bytes in,
                         struct writer *out)
{
    struct writer text = wr_of(s->text, sizeof s->text);

    wr_bytes(&text, in);
    wr_u8(&text, ',');
    size_t from = wr_len(&text);
    put_first(s, &text, m->nonce);
    struct bytes first = bytes_of(s->text + from, wr_len(&text) - from);
    wr_u8(&text, ',');
    wr_bytes(out, first);
    s->text_bytes = wr_len(&text);
    s->gs2_bytes = m->gs2.n;
    s->nonce = bytes_of(first.p + 2, m->nonce.n + sizeof s->server_nonce);
    return !text.bad && !out->bad;
}

static enum scram_turn on_first(struct scram *s, const struct password_file *f, struct bytes in,
                                struct writer *out)
{
    struct scram_client_first m;

    if (in.n > SCRAM_FIRST_MAX) return refuse(s, out, E_RESOURCES);
    const char *why = scram_read_first(&m, in);
    if (why) return refuse(s, out, why);
    if (m.nonce.n > SCRAM_NONCE_MAX) return refuse(s, out, E_RESOURCES);
    if (!take_names(s, &m)) return refuse(s, out, "invalid-username-encoding");
    if (!find_credential(s, f)) return refuse(s, out, E_RESOURCES);
    if (!answer_first(s, &m, in, out)) return refuse(s, out, E_RESOURCES);
    s->state = WAITS_FOR_FINAL;
    return SCRAM_GOES_ON;
}

/* ---- the last message ---------------------------------------------------------------------------
 */

/* [RFC5802-6] It must be the gs2-header that came first, or somebody has changed one of them. */
static bool binding_matches(const struct scram *s, struct bytes binding)
{
    uint8_t room[BASE64_BYTES_MAX(BASE64_TEXT_MAX(SCRAM_FIRST_MAX))];

    if (binding.n > BASE64_TEXT_MAX(SCRAM_FIRST_MAX)) return false;
    long n = base64_decode(BASE64_PADDED, binding, room);
    return n > 0 && bytes_eq(bytes_of(room, (size_t)n), bytes_of(s->text, s->gs2_bytes));
}

/* HMAC(key, AuthMessage) [RFC5802-3]. */
static bool sign(const struct scram *s, const uint8_t key[SCRAM_KEY], struct bytes without_proof,
                 uint8_t out[SCRAM_KEY])
{
    const struct bytes pieces[] = {
        bytes_of(s->text + s->gs2_bytes, s->text_bytes - s->gs2_bytes),
        without_proof,
    };
    return hmac_sha256(bytes_of(key, SCRAM_KEY), pieces, 2, out);
}

/* Does H(ClientKey) give StoredKey, where ClientKey = ClientProof XOR ClientSignature?
 * [RFC5802-3]. *failed: it can't be told. */
static bool proves(const struct scram *s, const struct scram_client_final *m, bool *failed)
{
    uint8_t key[BASE64_BYTES_MAX(BASE64_TEXT_MAX(SCRAM_KEY))];
    uint8_t signature[SCRAM_KEY], stored[SCRAM_KEY];

    if (m->proof.n != BASE64_TEXT_MAX(SCRAM_KEY)) return false;
    if (base64_decode(BASE64_PADDED, m->proof, key) != SCRAM_KEY) return false;
    *failed = !sign(s, s->credential.hash, m->without_proof, signature);
    for (unsigned i = 0; i < SCRAM_KEY; i++)
        key[i] ^= signature[i];
    *failed |= EVP_Digest(key, SCRAM_KEY, stored, NULL, EVP_sha256(), NULL) != 1;
    bool same = CRYPTO_memcmp(stored, s->credential.hash, SCRAM_KEY) == 0;
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(signature, sizeof signature);
    return same && !*failed;
}

static enum scram_turn on_final(struct scram *s, struct bytes in, struct writer *out)
{
    struct scram_client_final m;
    uint8_t signature[SCRAM_KEY];
    bool failed = false;

    if (in.n > SCRAM_FINAL_MAX) return refuse(s, out, E_RESOURCES);
    const char *why = scram_read_final(&m, in);
    if (why) return refuse(s, out, why);
    if (!binding_matches(s, m.binding)) return refuse(s, out, "channel-bindings-dont-match");
    if (!bytes_eq(m.nonce, s->nonce)) return refuse(s, out, SCRAM_E_OTHER); /* [RFC5802-5.1] r: */
    bool proven = proves(s, &m, &failed);
    failed |= !sign(s, s->credential.server_key, m.without_proof, signature);
    if (failed) return refuse(s, out, E_RESOURCES);
    if (!proven || !s->known) return refuse(s, out, E_PROOF);
    put_text(out, "v=");
    base64_put(BASE64_PADDED, out, bytes_of(signature, SCRAM_KEY));
    s->state = OVER;
    return out->bad ? SCRAM_REFUSES : SCRAM_KNOWS;
}

enum scram_turn scram_take(struct scram *s, const struct password_file *f, struct bytes in,
                           struct writer *out)
{
    if (s->state == WAITS_FOR_FIRST) return on_first(s, f, in, out);
    if (s->state == WAITS_FOR_FINAL) return on_final(s, in, out);
    return refuse(s, out, SCRAM_E_OTHER);
}
