/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/hook.h"

#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/file.h"
#include "broker/access/hook_internal.h"

enum { SECRET_MAX = 1024 };

/* ---- questions --------------------------------------------------------------------------------
 */

static const enum counter answer_counters[HOOK_ORIGINS] = {
    [HOOK_ANSWERED] = C_hook_answers,
    [HOOK_TIMEOUT] = C_hook_timeouts,
    [HOOK_UNREACHABLE] = C_hook_unreachable,
    [HOOK_BAD_ANSWER] = C_hook_bad_answers,
    [HOOK_BUSY] = C_hook_busy,
    [HOOK_OPEN] = C_hook_open,
    [HOOK_TOO_LARGE] = C_hook_too_large,
    [HOOK_STOPPED] = C_hook_stopped,
};

const char *hook_origin_word(enum hook_origin o)
{
    static const char *const words[HOOK_ORIGINS] = {
        [HOOK_ANSWERED] = "answered",
        [HOOK_TIMEOUT] = "timeout",
        [HOOK_UNREACHABLE] = "unreachable",
        [HOOK_BAD_ANSWER] = "bad_answer",
        [HOOK_BUSY] = "busy",
        [HOOK_OPEN] = "open",
        [HOOK_TOO_LARGE] = "too_large",
        [HOOK_STOPPED] = "stopped",
    };
    return words[o];
}

/* Back on the core that asked. */
static void on_back(struct helper_job *j)
{
    struct hook_question *q = CONTAINER_OF(j, struct hook_question, job);

    if (atomic_load_explicit(&q->gone, memory_order_relaxed)) {
        if (q->drop_context) q->drop_context(q->context);
        hook_question_free(&q);
        return;
    }
    if (q->counters) count(q->counters, answer_counters[q->answer.origin]);
    q->done(q);
}

static struct bytes copy_to(uint8_t **at, struct bytes text)
{
    struct bytes own = bytes_of(text.p ? *at : NULL, text.n);

    if (text.n) memcpy(*at, text.p, text.n);
    *at += text.n;
    return own;
}

static size_t text_bytes(const struct hook_text *t)
{
    return t->user.n + t->password.n + t->client_id.n + t->address.n + t->listener.n +
           t->certificate.n + t->topic.n;
}

struct hook_question *hook_question_new(const struct hook_text *text, unsigned core,
                                        void (*done)(struct hook_question *q))
{
    struct hook_question *q = malloc(sizeof *q + text_bytes(text));
    struct hook_text *own = q ? &q->text : NULL;

    if (!q) return NULL;
    uint8_t *at = (uint8_t *)(q + 1);
    *q = (struct hook_question){.job = {.done = on_back}, .core = core, .done = done};
    q->answer.expires_s = INT64_MAX;
    own->action = text->action;
    own->user = copy_to(&at, text->user);
    own->password = copy_to(&at, text->password);
    own->client_id = copy_to(&at, text->client_id);
    own->address = copy_to(&at, text->address);
    own->listener = copy_to(&at, text->listener);
    own->certificate = copy_to(&at, text->certificate);
    own->topic = copy_to(&at, text->topic);
    return q;
}

void hook_question_free(struct hook_question **qp)
{
    struct hook_question *q = *qp;

    if (!q) return;
    hook_answer_free(&q->answer);
    explicit_bzero(q + 1, text_bytes(&q->text));
    free(q);
    *qp = NULL;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

void hook_fail(struct hook *h, struct hook_question *q, enum hook_origin origin)
{
    /* What a client can bring about alone opens no door. */
    bool denied = origin == HOOK_TOO_LARGE || q->blamed;

    q->answer = (struct hook_answer){
        .verdict = denied ? HOOK_DENY : (enum hook_verdict)h->options.on_failure,
        .origin = origin,
        .expires_s = INT64_MAX,
    };
    helper_post(h->helpers, q->core, &q->job);
}

void hook_ask(struct hook *h, struct hook_question *q)
{
    struct clock now;

    clock_tick(&now);
    q->deadline_ns = now.now_ns + h->options.timeout_ms * NS_PER_MS;
    q->next = NULL;
    pthread_mutex_lock(&h->lock);
    bool stop = h->stop, taken = !stop && h->waiting < h->options.queue_max;
    bool first = taken && !h->first;
    if (taken) {
        *h->last = q;
        h->last = &q->next;
        h->waiting++;
    }
    pthread_mutex_unlock(&h->lock);
    if (first) curl_multi_wakeup(h->multi); /* while there are others it is awake, or has no slot */
    if (!taken) hook_fail(h, q, stop ? HOOK_STOPPED : HOOK_BUSY);
}

void hook_cancel(struct hook_question *q)
{
    atomic_store_explicit(&q->gone, true, memory_order_relaxed);
}

/* ---- making -------------------------------------------------------------------------------------
 */

static bool refuse(char *error, size_t n, const char *what, const char *why)
{
    snprintf(error, n, "%s: %s", what, why);
    return false;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK && *text;

    curl_free(text);
    return has;
}

static bool is_web(CURLU *url)
{
    char *scheme = NULL;
    bool web = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
               (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    return web;
}

static bool check_url(const struct hook_options *o, char *error, size_t n)
{
    CURLU *url = curl_url();
    const char *why = NULL;

    if (!url || curl_url_set(url, CURLUPART_URL, o->url, 0) != CURLUE_OK || !is_web(url))
        why = "not a URL such as https://auth.example.org/mqtt";
    else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        why = "no name or password here: anybody sees it; use hook.secret_file";
    else if (has_part(url, CURLUPART_FRAGMENT))
        why = "a fragment (#) is not sent";
    curl_url_cleanup(url);
    return why ? refuse(error, n, o->url, why) : true;
}

static bool check_ca(const struct hook_options *o, char *error, size_t n)
{
    X509_STORE *store = *o->ca_file ? X509_STORE_new() : NULL;
    bool good = !*o->ca_file || (store && X509_STORE_load_file(store, o->ca_file) == 1);

    X509_STORE_free(store);
    return good ? true : refuse(error, n, o->ca_file, "not certificates in PEM");
}

static bool add_header(struct hook *h, const char *line)
{
    struct curl_slist *more = curl_slist_append(h->headers, line);

    if (more) h->headers = more;
    return more != NULL;
}

/* "Authorization: Bearer ...", from a file whose one line must be harmless in a header. */
static bool add_secret(struct hook *h, char *error, size_t n)
{
    char line[SECRET_MAX + 64];
    struct file_text f;
    const char *path = h->options.secret_file;

    if (!*path) return true;
    if (file_read(&f, path, SECRET_MAX, error, n) < 0) return false;
    struct bytes s = f.text;
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    bool printable = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        printable = printable && s.p[i] > 0x20 && s.p[i] < 0x7F;
    const char *why = !f.private   ? "others may read or change this secret: chmod 600"
                      : !printable ? "not one line of printable ASCII without spaces"
                                   : NULL;
    snprintf(line, sizeof line, "Authorization: Bearer %.*s", (int)s.n,
             why ? "" : (const char *)s.p);
    bool added = !why && add_header(h, line);
    explicit_bzero(line, sizeof line);
    file_free(&f);
    return added ? true : refuse(error, n, path, why ? why : err_text(ERR_NOMEM));
}

static bool make_slots(struct hook *h)
{
    unsigned n = h->options.connections_max;

    h->slot = calloc(n, sizeof *h->slot);
    for (unsigned i = 0; h->slot && i < n; i++) {
        if (!hook_slot_open(h, &h->slot[i])) return false;
        h->slot[i].next = h->free;
        h->free = &h->slot[i];
    }
    return h->slot != NULL;
}

static bool make_http(struct hook *h)
{
    long n = (long)h->options.connections_max;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return false;
    h->has_curl = true;
    h->multi = curl_multi_init();
    return h->multi && curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, n) == CURLM_OK &&
           curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, n) == CURLM_OK &&
           add_header(h, "Content-Type: application/json") &&
           add_header(h, "Accept: application/json") && add_header(h, "Expect:");
}

/* Signals are for the threads that ask for them. */
static bool start_thread(struct hook *h)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    h->has_thread = pthread_create(&h->thread, NULL, hook_thread, h) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return h->has_thread;
}

struct hook *hook_new(const struct hook_options *o, struct helpers *helpers, char *error, size_t n)
{
    struct hook *h = calloc(1, sizeof *h);

    ASSERT(*o->url && o->connections_max > 0 && o->connections_max <= HOOK_CONNECTIONS_MAX);
    snprintf(error, n, "hook: %s", err_text(ERR_NOMEM));
    if (!h) return NULL;
    h->options = *o;
    h->helpers = helpers;
    h->last = &h->first;
    pthread_mutex_init(&h->lock, NULL); /* can't fail on Linux */
    if (!check_url(o, error, n) || !check_ca(o, error, n) || !make_http(h) ||
        !add_secret(h, error, n) || !make_slots(h) || !start_thread(h))
        hook_free(&h);
    return h;
}

static void free_headers(struct hook *h)
{
    for (struct curl_slist *l = h->headers; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(h->headers);
}

const struct hook_options *hook_options(const struct hook *h)
{
    return &h->options;
}

void hook_stop(struct hook *h, uint32_t drain_ms)
{
    struct clock now;

    if (!h || !h->has_thread) return;
    clock_tick(&now);
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    h->stop_ns = now.now_ns + drain_ms * NS_PER_MS;
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
    pthread_join(h->thread, NULL);
    h->has_thread = false;
}

void hook_free(struct hook **hp)
{
    struct hook *h = *hp;

    if (!h) return;
    hook_stop(h, 0);
    for (unsigned i = 0; h->slot && i < h->options.connections_max; i++)
        hook_slot_close(&h->slot[i]);
    free(h->slot);
    if (h->multi) curl_multi_cleanup(h->multi);
    free_headers(h);
    if (h->has_curl) curl_global_cleanup();
    pthread_mutex_destroy(&h->lock);
    free(h);
    *hp = NULL;
}
