/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/param.h"

#include <stdio.h>

#include "base/utf8.h"

/* Is the word `w` among the words of `list`? */
static bool is_word_of(const char *list, struct bytes w)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, " ");
        if (bytes_eq(bytes_of(at, n), w)) return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

bool param_known(struct http_exchange *x, const char *names)
{
    struct bytes query = http_span(&x->head, x->head.query), name, value;
    char why[256];

    while (http_query_next(&query, &name, &value)) {
        if (is_word_of(names, name)) continue;
        if (*names)
            snprintf(why, sizeof why, "there is no such parameter; there is: %s", names);
        else
            snprintf(why, sizeof why, "this takes no parameters");
        admin_problem(x, 400, NULL, why);
        return false;
    }
    return true;
}

bool param_text(struct http_exchange *x, const char *name, struct param_text *t)
{
    struct param_text fresh;
    struct writer w = wr_of(fresh.at, sizeof fresh.at);
    int got = http_query_find(&x->head, name, &w);

    if (got == 0) return true;
    struct bytes text = bytes_of(fresh.at, wr_len(&w));
    if (got < 0 || !utf8_valid(text)) {
        admin_problem(x, 400, name, "it comes twice, or is not percent-encoded UTF-8");
        return false;
    }
    t->n = (uint16_t)text.n;
    memcpy(t->at, text.p, text.n);
    return true;
}

/* Only digits: 1 to max. */
static bool number_of(struct bytes text, uint32_t max, uint32_t *v)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.n && n <= max; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') return false;
        n = n * 10 + (unsigned)(text.p[i] - '0');
    }
    *v = (uint32_t)n;
    return text.n > 0 && n >= 1 && n <= max;
}

bool param_number(struct http_exchange *x, const char *name, uint32_t max, uint32_t *v)
{
    struct param_text t = {.n = 0};
    char why[64];

    if (!param_text(x, name, &t)) return false;
    if (t.n == 0 || number_of(param_bytes(&t), max, v)) return true;
    snprintf(why, sizeof why, "expected a number from 1 to %u", (unsigned)max);
    admin_problem(x, 400, name, why);
    return false;
}

bool param_bool(struct http_exchange *x, const char *name, bool *given, bool *v)
{
    struct param_text t = {.n = 0};

    if (!param_text(x, name, &t)) return false;
    *given = t.n > 0;
    *v = bytes_eq(param_bytes(&t), BYTES("true"));
    if (!*given || *v || bytes_eq(param_bytes(&t), BYTES("false"))) return true;
    admin_problem(x, 400, name, "expected true or false");
    return false;
}

bool param_segment(struct http_exchange *x, unsigned i, const char *name, struct param_text *t)
{
    struct writer w = wr_of(t->at, sizeof t->at);
    bool good = http_decode(http_segment(&x->head, i), false, &w);

    t->n = (uint16_t)wr_len(&w);
    if (good && utf8_valid(param_bytes(t))) return true;
    admin_problem(x, 400, name, "it is not percent-encoded UTF-8");
    return false;
}
