/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_http.h -- questions to a broker's admin interface, one after the other on one connection. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>

enum { CTL_URL_MAX = 1024, CTL_TOKEN_MAX = 512, CTL_ERROR_MAX = 1024, CTL_ANSWER_MAX = 64 << 20 };

/* Where and as whom. NULL: as the environment says, else as a broker on this machine has it. */
struct ctl_where {
    const char *url;        /* else PINION_URL, else http://127.0.0.1:8081 */
    const char *token_file; /* else PINION_TOKEN or PINION_TOKEN_FILE, else where serve keeps it */
    const char *ca;         /* else the system's authorities */
};

struct ctl_http {
    CURL *curl;
    struct curl_slist *headers;
    const char *url;
    char *answer; /* the last one's body, with a zero behind it */
    size_t answer_n, room;
    bool too_much;
    char curl_error[CURL_ERROR_SIZE];
    char error[CTL_ERROR_MAX]; /* the sentence when a verb fails */
};

/* 0, or -1 with a sentence in h->error; ctl_http_close() in both cases. */
int ctl_http_open(struct ctl_http *h, const struct ctl_where *w);
void ctl_http_close(struct ctl_http *h);

struct ctl_question {
    const char *method;
    const char *path; /* with its query */
    const char *body; /* JSON; NULL: none */
};

/* Asks: the status if it is 2xx, or `also` (0: none), with the body in h->answer; else -1. */
long ctl_ask(struct ctl_http *h, const struct ctl_question *q, long also);

/* The same, whose answer is JSON, to be given back with json_decref(). NULL: h->error tells why. */
json_t *ctl_ask_json(struct ctl_http *h, const struct ctl_question *q);

/* Adds `text` to path[CTL_URL_MAX], percent-encoded if `encode`. False: it is too long. */
bool ctl_path_add(struct ctl_http *h, char *path, const char *text, bool encode);
