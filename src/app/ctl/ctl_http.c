/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/ctl/ctl_http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_S = 5, ANSWER_S = 60, HEADER_MAX = CTL_TOKEN_MAX + 64 };

/* ---- the token ------------------------------------------------------------------------------ */

/* The path at which `pinion serve` keeps the token if it is told nothing. */
static bool usual_file(char path[CTL_URL_MAX])
{
    const char *folder = getenv("XDG_RUNTIME_DIR");
    FILE *f;

    snprintf(path, CTL_URL_MAX, "/run/pinion/admin.token");
    f = fopen(path, "re");
    if (f) fclose(f);
    if (f || !folder || !*folder) return f != NULL;
    snprintf(path, CTL_URL_MAX, "%s/pinion-admin.token", folder);
    return true;
}

/* The first line that is a token. */
static bool read_token(const char *path, char token[CTL_TOKEN_MAX])
{
    FILE *f = fopen(path, "re");
    bool found = false;

    if (!f) return false;
    while (!found && fgets(token, CTL_TOKEN_MAX, f)) {
        token[strcspn(token, " \t\r\n")] = '\0';
        found = *token && *token != '#';
    }
    fclose(f);
    return found;
}

static int find_token(struct ctl_http *h, const char *file, char token[CTL_TOKEN_MAX])
{
    const char *given = getenv("PINION_TOKEN");
    char usual[CTL_URL_MAX];

    if (!file && given && *given && strlen(given) < CTL_TOKEN_MAX) {
        memcpy(token, given, strlen(given) + 1);
        return 0;
    }
    if (!file) file = getenv("PINION_TOKEN_FILE");
    if ((!file || !*file) && usual_file(usual)) file = usual;
    if (!file || !*file) {
        *token = '\0'; /* the broker will say what it thinks of that */
        return 0;
    }
    if (read_token(file, token)) return 0;
    snprintf(h->error, CTL_ERROR_MAX,
             "no token: %.512s: %s; say --token-file FILE, the broker's admin.token_file", file,
             errno ? strerror(errno) : "there is none in it");
    return -1;
}

static bool add_header(struct ctl_http *h, const char *text)
{
    struct curl_slist *more = curl_slist_append(h->headers, text);

    if (more) h->headers = more;
    return more != NULL;
}

/* ---- setting up ----------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct ctl_http *h = ctx;
    size_t more = size * n, need = h->answer_n + more + 1;

    h->too_much = need > CTL_ANSWER_MAX;
    if (h->too_much) return CURL_WRITEFUNC_ERROR;
    if (need > h->room) {
        char *answer = realloc(h->answer, 2 * need);
        if (!answer) return CURL_WRITEFUNC_ERROR;
        h->answer = answer;
        h->room = 2 * need;
    }
    memcpy(h->answer + h->answer_n, p, more);
    h->answer_n += more;
    h->answer[h->answer_n] = '\0';
    return more;
}

static bool set(CURL *c, CURLoption what, const char *text)
{
    return curl_easy_setopt(c, what, text) == CURLE_OK;
}

static bool set_number(CURL *c, CURLoption what, long n)
{
    return curl_easy_setopt(c, what, n) == CURLE_OK;
}

static bool set_up(struct ctl_http *h, const struct ctl_where *w)
{
    CURL *c = h->curl;

    return set(c, CURLOPT_PROTOCOLS_STR, "http,https") && set(c, CURLOPT_PROXY, "") &&
           set(c, CURLOPT_USERAGENT, "pinion/" PINION_VERSION) &&
           set_number(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S) &&
           set_number(c, CURLOPT_TIMEOUT, ANSWER_S) && set_number(c, CURLOPT_NOSIGNAL, 1) &&
           set_number(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           (!w->ca || set(c, CURLOPT_CAINFO, w->ca)) &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, h) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->curl_error) == CURLE_OK;
}

int ctl_http_open(struct ctl_http *h, const struct ctl_where *w)
{
    char token[CTL_TOKEN_MAX], header[HEADER_MAX];
    const char *url = w->url ? w->url : getenv("PINION_URL");

    *h = (struct ctl_http){.url = url && *url ? url : "http://127.0.0.1:8081"};
    if (find_token(h, w->token_file, token) < 0) return -1;
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) h->curl = curl_easy_init();
    if (h->curl && (!*token || add_header(h, header)) &&
        add_header(h, "Content-Type: application/json") && set_up(h, w))
        return 0;
    snprintf(h->error, CTL_ERROR_MAX, "out of memory");
    return -1;
}

void ctl_http_close(struct ctl_http *h)
{
    if (h->curl) curl_easy_cleanup(h->curl);
    curl_slist_free_all(h->headers);
    free(h->answer);
}

/* ---- questions ------------------------------------------------------------------------------ */

bool ctl_path_add(struct ctl_http *h, char *path, const char *text, bool encode)
{
    size_t at = strlen(path);
    char *coded = encode ? curl_easy_escape(h->curl, text, 0) : NULL;
    const char *add = encode ? coded : text;
    bool fits = add && at + strlen(add) < CTL_URL_MAX;

    if (fits) memcpy(path + at, add, strlen(add) + 1);
    curl_free(coded);
    if (!fits) snprintf(h->error, CTL_ERROR_MAX, "\"%.64s\" is too long", text);
    return fits;
}

/* What the broker has said about its no. */
static void tell_refusal(struct ctl_http *h, long status)
{
    json_t *problem = json_loads(h->answer ? h->answer : "", 0, NULL);
    const char *field = json_string_value(json_object_get(problem, "field"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *title = json_string_value(json_object_get(problem, "title"));

    if (status == 401)
        snprintf(h->error, CTL_ERROR_MAX,
                 "%s does not take this token; say --token-file FILE, or PINION_TOKEN", h->url);
    else if (detail && field)
        snprintf(h->error, CTL_ERROR_MAX, "%s: %s", field, detail);
    else if (detail || title)
        snprintf(h->error, CTL_ERROR_MAX, "%s", detail ? detail : title);
    else
        snprintf(h->error, CTL_ERROR_MAX, "%s answers with status %ld", h->url, status);
    json_decref(problem);
}

static bool aim(struct ctl_http *h, const struct ctl_question *q, char url[2 * CTL_URL_MAX])
{
    size_t n = strlen(h->url);

    while (n > 0 && h->url[n - 1] == '/')
        n--;
    snprintf(url, 2 * CTL_URL_MAX, "%.*s%s", (int)n, h->url, q->path);
    if (!set(h->curl, CURLOPT_URL, url) || !set(h->curl, CURLOPT_CUSTOMREQUEST, NULL)) return false;
    if (!q->body)
        return set_number(h->curl, CURLOPT_HTTPGET, 1) &&
               set(h->curl, CURLOPT_CUSTOMREQUEST, q->method);
    return set_number(h->curl, CURLOPT_POST, 1) &&
           set_number(h->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(q->body)) &&
           set(h->curl, CURLOPT_POSTFIELDS, q->body);
}

long ctl_ask(struct ctl_http *h, const struct ctl_question *q, long also)
{
    char url[2 * CTL_URL_MAX];
    long status = 0;

    h->answer_n = 0;
    if (h->answer) *h->answer = '\0';
    *h->curl_error = '\0';
    CURLcode err = aim(h, q, url) ? curl_easy_perform(h->curl) : CURLE_OUT_OF_MEMORY;
    if (err != CURLE_OK) {
        snprintf(h->error, CTL_ERROR_MAX, "%s: %s%s", h->url,
                 *h->curl_error ? h->curl_error : curl_easy_strerror(err),
                 err == CURLE_COULDNT_CONNECT ? "; does the broker run with admin.address?" : "");
        return -1;
    }
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2 || status == also) return status;
    tell_refusal(h, status);
    return -1;
}

json_t *ctl_ask_json(struct ctl_http *h, const struct ctl_question *q)
{
    if (ctl_ask(h, q, 0) < 0) return NULL;
    json_t *v = json_loadb(h->answer ? h->answer : "", h->answer_n, JSON_ALLOW_NUL, NULL);
    if (!v) snprintf(h->error, CTL_ERROR_MAX, "%s answers with something else than JSON", h->url);
    return v;
}
