/* SPDX-License-Identifier: BSD-3-Clause */
/* hook_http.c -- one request and its response, through libcurl with all that is not needed
 * turned off: redirects, proxies, cookies, passwords from files, every protocol but HTTP. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/hook_internal.h"
#include "broker/access/hook_json.h"

enum { STATUS_OK = 200, RESPONSE_FIRST = 4096 };

/* ---- what comes back ---------------------------------------------------------------------------
 */

static bool grow(struct hook_slot *s, size_t n)
{
    size_t room = s->room ? s->room : RESPONSE_FIRST;

    while (room < n)
        room *= 2;
    if (room == s->room) return true;
    uint8_t *p = realloc(s->response, room);
    if (!p) return false;
    s->response = p;
    s->room = room;
    return true;
}

static size_t on_body(char *p, size_t size, size_t n, void *slot)
{
    struct hook_slot *s = slot;
    size_t more = size * n;

    s->too_much = more > HOOK_RESPONSE_MAX - s->nresponse;
    if (s->too_much || !grow(s, s->nresponse + more)) return CURL_WRITEFUNC_ERROR;
    memcpy(s->response + s->nresponse, p, more);
    s->nresponse += more;
    return more;
}

static size_t on_header(char *p, size_t size, size_t n, void *slot)
{
    struct hook_slot *s = slot;

    (void)p;
    s->nheader += size * n;
    s->too_much = s->nheader > HOOK_HEADER_MAX;
    return s->too_much ? CURL_WRITEFUNC_ERROR : size * n;
}

/* ---- setting up --------------------------------------------------------------------------------
 */

static bool set_text(CURL *c, CURLoption what, const char *text)
{
    return curl_easy_setopt(c, what, text) == CURLE_OK;
}

static bool set_number(CURL *c, CURLoption what, long n)
{
    return curl_easy_setopt(c, what, n) == CURLE_OK;
}

static bool set_trust(CURL *c, const struct hook_options *o)
{
    if (!*o->ca_file) return true;
    /* Only this one: the system's folder of authorities would stay otherwise. */
    return set_text(c, CURLOPT_CAINFO, o->ca_file) && set_text(c, CURLOPT_CAPATH, NULL);
}

static bool set_rules(CURL *c, const struct hook *h)
{
    return set_text(c, CURLOPT_URL, h->options.url) &&
           set_text(c, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_number(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_number(c, CURLOPT_FOLLOWLOCATION, 0) &&
           set_text(c, CURLOPT_PROXY, "") && /* not even the environment's */
           set_number(c, CURLOPT_NETRC, CURL_NETRC_IGNORED) && set_number(c, CURLOPT_NOSIGNAL, 1) &&
           set_number(c, CURLOPT_QUICK_EXIT, 1) && /* a slow name look-up holds up nobody */
           set_number(c, CURLOPT_SSL_VERIFYPEER, 1) && set_number(c, CURLOPT_SSL_VERIFYHOST, 2) &&
           set_number(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           set_text(c, CURLOPT_USERAGENT, "pinion/" PINION_VERSION) && set_trust(c, &h->options) &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK;
}

bool hook_slot_open(struct hook *h, struct hook_slot *s)
{
    s->hook = h;
    s->easy = curl_easy_init();
    return s->easy && set_rules(s->easy, h) &&
           curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s) == CURLE_OK &&
           curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s) == CURLE_OK &&
           curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s) == CURLE_OK;
}

void hook_slot_clear(struct hook_slot *s)
{
    void *request = (void *)(uintptr_t)s->request.p;

    if (request) explicit_bzero(request, s->request.n);
    free(request);
    free(s->response);
    s->request = bytes_of(NULL, 0);
    s->response = NULL;
    s->room = s->nresponse = s->nheader = 0;
    s->too_much = false;
    s->q = NULL;
}

void hook_slot_close(struct hook_slot *s)
{
    hook_slot_clear(s);
    curl_easy_cleanup(s->easy);
    s->easy = NULL;
}

/* ---- a request --------------------------------------------------------------------------------
 */

int hook_slot_start(struct hook_slot *s, struct hook_question *q)
{
    uint64_t left_ns = q->deadline_ns - s->hook->clock.now_ns;
    int err = hook_json_write(&q->text, &s->request);

    if (err < 0) return err;
    s->q = q;
    long left_ms = (long)(left_ns / NS_PER_MS) + 1;
    if (set_number(s->easy, CURLOPT_TIMEOUT_MS, left_ms) &&
        set_number(s->easy, CURLOPT_POSTFIELDSIZE, (long)s->request.n) &&
        set_text(s->easy, CURLOPT_POSTFIELDS, (const char *)s->request.p) &&
        curl_multi_add_handle(s->hook->multi, s->easy) == CURLM_OK)
        return 0;
    hook_slot_clear(s);
    return -ERR_NOMEM;
}

static enum hook_origin origin_of(const struct hook_slot *s, CURLcode result)
{
    if (s->too_much) return HOOK_BAD_ANSWER;
    switch (result) {
    case CURLE_OK: return HOOK_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT: return HOOK_TIMEOUT;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_PARTIAL_FILE:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: return HOOK_BAD_ANSWER;
    default: return HOOK_UNREACHABLE;
    }
}

bool hook_slot_judge(struct hook_slot *s, CURLcode result)
{
    struct hook_answer *a = &s->q->answer;
    enum hook_origin origin = origin_of(s, result);
    long status = 0;

    if (origin == HOOK_ANSWERED) {
        curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
        int64_t now_s = (int64_t)(s->hook->clock.wall_ms / 1000);
        struct bytes body = bytes_of(s->response, s->nresponse);
        s->q->blamed = status / 100 == 4;
        if (status != STATUS_OK || hook_json_read(body, now_s, a) < 0) origin = HOOK_BAD_ANSWER;
    }
    a->origin = origin;
    return origin == HOOK_ANSWERED || origin == HOOK_BAD_ANSWER;
}
