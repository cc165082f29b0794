/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/hook_json.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/utf8.h"
#include "broker/access/json_in.h"

enum {
    DEPTH_MAX = 8,
    ESCAPED_MAX = 6,  /* bytes of "\u001f" */
    AROUND_MAX = 256, /* bytes of names, quotes and braces */
    USER_BYTES_MAX = 65535,
};

static const int64_t expires_max_s = 1ll << 32;

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_str(struct writer *w, const char *s)
{
    wr_bytes(w, bytes_str(s));
}

/* [RFC8259-7]: quotes, backslashes and control characters are escaped, so that no text of a
 * client ends its own string or its line. */
static void put_escaped(struct writer *w, struct bytes text)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c < 0x20 || c == 0x7F) {
            put_str(w, "\\u00");
            wr_u8(w, (uint8_t)hex[c >> 4]);
            wr_u8(w, (uint8_t)hex[c & 15]);
            continue;
        }
        if (c == '"' || c == '\\') wr_u8(w, '\\');
        wr_u8(w, c);
    }
}

static void put_base64(struct writer *w, struct bytes text)
{
    size_t n = (text.n + 2) / 3 * 4;

    if (!wr_room(w, n + 1)) return; /* OpenSSL ends it with a zero */
    EVP_EncodeBlock(w->p, text.p, (int)text.n);
    w->p += n;
}

static void put_field(struct writer *w, const char *name, struct bytes text)
{
    bool readable = utf8_valid(text);

    if (!text.p) return;
    put_str(w, ",\"");
    put_str(w, name);
    put_str(w, readable ? "\":\"" : "_base64\":\"");
    if (readable)
        put_escaped(w, text);
    else
        put_base64(w, text);
    put_str(w, "\"");
}

static void put_question(struct writer *w, const struct hook_text *t)
{
    static const char *const actions[] = {
        [HOOK_LOGIN] = "login", [HOOK_PUBLISH] = "publish", [HOOK_SUBSCRIBE] = "subscribe"};

    put_str(w, "{\"action\":\"");
    put_str(w, actions[t->action]);
    put_str(w, "\"");
    put_field(w, "user", t->user);
    put_field(w, "password", t->password);
    put_field(w, "client_id", t->client_id);
    put_field(w, "address", t->address);
    put_field(w, "listener", t->listener);
    put_field(w, "certificate", t->certificate);
    put_field(w, "topic", t->topic);
    put_str(w, "}");
}

int hook_json_write(const struct hook_text *t, struct bytes *out)
{
    size_t n = t->user.n + t->password.n + t->client_id.n + t->address.n + t->listener.n +
               t->certificate.n + t->topic.n;
    size_t room = n * ESCAPED_MAX + AROUND_MAX;

    if (room > HOOK_REQUEST_MAX) room = HOOK_REQUEST_MAX;
    uint8_t *p = malloc(room);
    if (!p) return -ERR_NOMEM;
    struct writer w = wr_of(p, room);
    put_question(&w, t);
    *out = bytes_of(p, wr_len(&w));
    if (!w.bad) return 0;
    explicit_bzero(p, room);
    free(p);
    *out = bytes_of(NULL, 0);
    return -ERR_TOO_LARGE;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_verdict(const json_t *v, struct hook_answer *a)
{
    static const char *const words[] = {
        [HOOK_DENY] = "deny", [HOOK_IGNORE] = "ignore", [HOOK_ALLOW] = "allow"};

    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        if (!bytes_eq(json_in_text(v), bytes_str(words[i]))) continue;
        a->verdict = (enum hook_verdict)i;
        return 0;
    }
    return -ERR_MALFORMED;
}

static int read_user(const json_t *v, struct hook_answer *a)
{
    struct bytes user = json_in_text(v);

    if (!user.n || user.n > USER_BYTES_MAX) return -ERR_MALFORMED;
    uint8_t *copy = malloc(user.n);
    if (!copy) return -ERR_NOMEM;
    memcpy(copy, user.p, user.n);
    a->user = bytes_of(copy, user.n);
    return 0;
}

static int read_expires(const json_t *v, int64_t now_s, struct hook_answer *a)
{
    json_int_t s = json_integer_value(v); /* 0 if it is none */

    if (s < 1 || s > expires_max_s) return -ERR_MALFORMED;
    a->expires_s = now_s + s;
    return 0;
}

static int read_rules(const json_t *v, struct hook_answer *a)
{
    int err = rules_json_read(&a->rules, v);
    return err == 0 || err == -ERR_NOMEM ? err : -ERR_MALFORMED;
}

static int read_members(json_t *from, int64_t now_s, struct hook_answer *a)
{
    const char *key;
    json_t *v;
    bool decided = false;

    json_object_foreach(from, key, v)
    {
        int err = -ERR_MALFORMED;
        if (strcmp(key, "result") == 0) {
            err = read_verdict(v, a);
            decided = true;
        } else if (strcmp(key, "user") == 0) {
            err = read_user(v, a);
        } else if (strcmp(key, "rules") == 0) {
            err = read_rules(v, a);
        } else if (strcmp(key, "expires") == 0) {
            err = read_expires(v, now_s, a);
        }
        if (err < 0) return err;
    }
    return decided ? 0 : -ERR_MALFORMED;
}

int hook_json_read(struct bytes body, int64_t now_s, struct hook_answer *a)
{
    *a = (struct hook_answer){.verdict = HOOK_DENY, .expires_s = INT64_MAX};
    json_t *from = json_in(body, DEPTH_MAX);
    int err = json_is_object(from) ? read_members(from, now_s, a) : -ERR_MALFORMED;

    json_decref(from);
    if (err < 0) hook_answer_free(a);
    return err;
}

void hook_answer_free(struct hook_answer *a)
{
    free((void *)(uintptr_t)a->user.p);
    rules_given_free(&a->rules);
    *a = (struct hook_answer){.verdict = HOOK_DENY, .expires_s = INT64_MAX};
}
