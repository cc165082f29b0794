/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/options/options.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/number.h"
#include "base/assert.h"
#include "base/err.h"

#define RESTART true
#define RELOAD false
#define FIELD(field) offsetof(struct options, field), sizeof(((struct options *)0)->field)
#define NUMERIC(k, key_, field, initial_, min_, max_, reload, help_)                               \
    {key_, OPTION_##k, FIELD(field), initial_, min_, max_, NULL, reload, help_},
#define WORDED(k, key_, field, initial_, allowed_, reload, help_)                                  \
    {key_, OPTION_##k, FIELD(field), initial_, 0, 0, allowed_, reload, help_},

#define COUNT(...) NUMERIC(COUNT, __VA_ARGS__)
#define POWER2(...) NUMERIC(POWER2, __VA_ARGS__)
#define SIZE(...) NUMERIC(SIZE, __VA_ARGS__)
#define SECONDS(...) NUMERIC(SECONDS, __VA_ARGS__)
#define MILLIS(...) NUMERIC(MILLIS, __VA_ARGS__)
#define CHOICE(...) WORDED(CHOICE, __VA_ARGS__)
#define TEXT(...) WORDED(TEXT, __VA_ARGS__)
#define SWITCH(key_, field, initial_, ...)                                                         \
    WORDED(SWITCH, key_, field, initial_, "false|true", __VA_ARGS__)
#define SWITCH_NOT(key_, field, initial_, ...)                                                     \
    WORDED(SWITCH, key_, field, initial_, "true|false", __VA_ARGS__)
#define ADDRESSES(key_, field, initial_, ...)                                                      \
    WORDED(ADDRESSES, key_, field, initial_,                                                       \
           "addresses such as 127.0.0.1:1883, [::1]:1883, *:1883, unix:/run/mqtt.sock",            \
           __VA_ARGS__)

static const struct option table[] = {
#include "app/options/options.def"
};

static_assert(ARRAY_LEN(table) <= OPTIONS_MAX, "room for every origin");

unsigned options_count(void)
{
    return ARRAY_LEN(table);
}

const struct option *option_at(unsigned i)
{
    ASSERT(i < ARRAY_LEN(table));
    return &table[i];
}

int option_find(const char *key, size_t n)
{
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        if (strlen(table[i].key) == n && memcmp(table[i].key, key, n) == 0) return (int)i;
    return -1;
}

const char *option_variable(unsigned i, char *out)
{
    int n = snprintf(out, OPTION_TEXT_MAX, "PINION_%s", option_at(i)->key);
    for (int k = 0; k < n; k++)
        out[k] = out[k] == '.' ? '_' : (char)toupper((unsigned char)out[k]);
    return out;
}

/* ---- fields ---------------------------------------------------------------------------- */

static void field_write(struct options *o, const struct option *row, uint64_t v)
{
    void *at = (char *)o + row->offset;
    uint32_t v32 = (uint32_t)v;
    uint16_t v16 = (uint16_t)v;
    uint8_t v8 = (uint8_t)v;

    switch (row->width) {
    case 1: memcpy(at, &v8, 1); return;
    case 2: memcpy(at, &v16, 2); return;
    case 4: memcpy(at, &v32, 4); return;
    default: ASSERT(row->width == 8); memcpy(at, &v, 8);
    }
}

static uint64_t field_read(const struct options *o, const struct option *row)
{
    const void *at = (const char *)o + row->offset;
    uint64_t v;
    uint32_t v32;
    uint16_t v16;
    uint8_t v8;

    switch (row->width) {
    case 1: memcpy(&v8, at, 1); return v8;
    case 2: memcpy(&v16, at, 2); return v16;
    case 4: memcpy(&v32, at, 4); return v32;
    default:
        ASSERT(row->width == 8);
        memcpy(&v, at, 8);
        return v;
    }
}

static enum number_kind number_kind(const struct option *row)
{
    switch (row->kind) {
    case OPTION_SIZE: return NUMBER_SIZE;
    case OPTION_SECONDS: return NUMBER_S;
    case OPTION_MILLIS: return NUMBER_MS;
    default: return NUMBER_COUNT;
    }
}

static bool never_allowed(const struct option *row)
{
    return row->kind == OPTION_SECONDS && row->max == UINT32_MAX;
}

/* ---- words ------------------------------------------------------------------------------- */

/* The n-th of "a|b|c" into out; its number of bytes, 0 at the end. */
static size_t word_at(const char *words, unsigned n, const char **word)
{
    for (; n > 0; n--) {
        words += strcspn(words, "|");
        if (!*words) return 0;
        words++;
    }
    *word = words;
    return strcspn(words, "|");
}

static int word_find(const char *words, const char *text)
{
    const char *word;
    size_t n;

    for (unsigned i = 0; (n = word_at(words, i, &word)) != 0; i++)
        if (strlen(text) == n && strncasecmp(word, text, n) == 0) return (int)i;
    return -1;
}

/* ---- what it says -------------------------------------------------------------------------- */

const char *option_allowed(unsigned i, char *out)
{
    const struct option *row = option_at(i);
    char min[NUMBER_TEXT], max[NUMBER_TEXT];
    enum number_kind kind = number_kind(row);

    if (row->allowed) {
        snprintf(out, OPTION_TEXT_MAX, "%s", row->allowed);
        for (char *p = out; row->kind != OPTION_TEXT && (p = strchr(p, '|')) != NULL;)
            *p = '/';
        return out;
    }
    snprintf(out, OPTION_TEXT_MAX, "%s from %s to %s%s",
             row->kind == OPTION_POWER2 ? (row->min ? "a power of two" : "0 or a power of two")
                                        : number_form(kind),
             number_text(kind, row->min, min), number_text(kind, row->max, max),
             never_allowed(row) ? ", or never" : "");
    return out;
}

const char *option_value(const struct options *o, unsigned i, char *out, size_t n)
{
    const struct option *row = option_at(i);
    const char *word = "";

    if (row->kind == OPTION_TEXT) {
        snprintf(out, n, "%s", (const char *)o + row->offset);
        return out;
    }
    if (row->kind == OPTION_ADDRESSES)
        return listen_set_text((const void *)((const char *)o + row->offset), out, n);

    uint64_t v = field_read(o, row);
    char text[NUMBER_TEXT];
    size_t len = row->allowed ? word_at(row->allowed, (unsigned)v, &word) : 0;
    if (row->allowed)
        snprintf(out, n, "%.*s", (int)len, word);
    else if (never_allowed(row) && v == UINT32_MAX)
        snprintf(out, n, "never");
    else
        snprintf(out, n, "%s", number_text(number_kind(row), v, text));
    return out;
}

const char *option_origin(const struct options *o, unsigned i, char *out, size_t n)
{
    char variable[OPTION_TEXT_MAX];

    switch (o->origin[i].source) {
    case FROM_DEFAULT: snprintf(out, n, "default"); break;
    case FROM_FILE: snprintf(out, n, "%s:%u", o->file, o->origin[i].line); break;
    case FROM_ENVIRONMENT: snprintf(out, n, "%s", option_variable(i, variable)); break;
    case FROM_COMMAND_LINE: snprintf(out, n, "command line"); break;
    }
    return out;
}

/* ---- setting -------------------------------------------------------------------------------- */

int options_refuse(struct options *o, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(o->error, sizeof o->error, format, args);
    va_end(args);
    return -ERR_INVALID;
}

static int set_number(struct options *o, const struct option *row, const char *text)
{
    uint64_t v;

    if (never_allowed(row) && strcasecmp(text, "never") == 0) {
        field_write(o, row, UINT32_MAX);
        return 0;
    }
    if (number_parse(number_kind(row), text, &v) < 0 || v < row->min || v > row->max)
        return -ERR_INVALID;
    if (row->kind == OPTION_POWER2 && (v & (v - 1)) != 0) return -ERR_INVALID;
    field_write(o, row, v);
    return 0;
}

static int set_text(struct options *o, const struct option *row, const char *text)
{
    char *at = (char *)o + row->offset;

    bool empty_allowed = !*row->initial;
    if ((!*text && !empty_allowed) || strlen(text) >= row->width) return -ERR_INVALID;
    memcpy(at, text, strlen(text) + 1);
    return 0;
}

static int set_word(struct options *o, const struct option *row, const char *text)
{
    if (row->kind == OPTION_SWITCH) {
        if (strcasecmp(text, "yes") == 0 || strcasecmp(text, "on") == 0) text = "true";
        if (strcasecmp(text, "no") == 0 || strcasecmp(text, "off") == 0) text = "false";
    }
    int word = word_find(row->allowed, text);
    if (word < 0) return -ERR_INVALID;
    field_write(o, row, (uint64_t)word);
    return 0;
}

int options_set(struct options *o, unsigned i, const char *text, enum option_source from,
                unsigned line)
{
    const struct option *row = option_at(i);
    char where[OPTION_TEXT_MAX], allowed[OPTION_TEXT_MAX];
    char why[OPTION_TEXT_MAX] = "not allowed";
    int err;

    o->origin[i].source = from;
    o->origin[i].line = line;
    switch (row->kind) {
    case OPTION_TEXT: err = set_text(o, row, text); break;
    case OPTION_ADDRESSES:
        err = listen_set_parse((void *)((char *)o + row->offset), text, from == FROM_DEFAULT, why,
                               sizeof why);
        break;
    case OPTION_SWITCH:
    case OPTION_CHOICE: err = set_word(o, row, text); break;
    default: err = set_number(o, row, text);
    }
    if (err == 0) return 0;
    return options_refuse(o, "%s: \"%.80s\" (%s): %s; it takes %s", row->key, text,
                          option_origin(o, i, where, sizeof where), why,
                          option_allowed(i, allowed));
}
