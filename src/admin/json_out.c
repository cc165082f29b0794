/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/base64.h"
#include "base/utf8.h"

enum { ROOM_FIRST = 512 };

void json_out_fini(struct json_out *j)
{
    free(j->at);
    *j = (struct json_out){.at = NULL};
}

struct bytes json_out_bytes(const struct json_out *j)
{
    return bytes_of(j->at, j->n);
}

void json_out_clear(struct json_out *j)
{
    j->n = 0;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static char *reserve(struct json_out *j, size_t n)
{
    size_t room = j->room ? j->room : ROOM_FIRST;

    if (j->failed) return NULL;
    while (room - j->n < n)
        room *= 2;
    if (room == j->room) return j->at + j->n;
    char *at = realloc(j->at, room);
    if (!at) {
        j->failed = true;
        return NULL;
    }
    j->at = at;
    j->room = room;
    return at + j->n;
}

static void put(struct json_out *j, struct bytes b)
{
    char *at = reserve(j, b.n);

    if (!at || b.n == 0) return;
    memcpy(at, b.p, b.n);
    j->n += b.n;
}

/* ---- texts ---------------------------------------------------------------------------------- */

/* How many bytes of UTF-8 begin here, as the first one says; 1 for what can't begin one. */
static size_t length_of(uint8_t c)
{
    if (c >= 0xF0) return 4;
    if (c >= 0xE0) return 3;
    return c >= 0xC0 ? 2 : 1;
}

/* The character that `rest` begins with, as JSON has it; returns its bytes. */
static size_t put_character(struct json_out *j, struct bytes rest)
{
    size_t n = length_of(rest.p[0]);
    char escape[8];

    if (rest.p[0] == '"' || rest.p[0] == '\\') { /* [RFC8259-7] */
        snprintf(escape, sizeof escape, "\\%c", rest.p[0]);
        put(j, bytes_str(escape));
    } else if (rest.p[0] < 0x20 || rest.p[0] == 0x7F) {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)rest.p[0]);
        put(j, bytes_str(escape));
    } else if (n <= rest.n && utf8_valid(bytes_of(rest.p, n))) {
        put(j, bytes_of(rest.p, n));
    } else {
        put(j, BYTES("\xEF\xBF\xBD"));
        n = 1;
    }
    return n;
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static void put_quoted(struct json_out *j, struct bytes text)
{
    put(j, BYTES("\""));
    while (text.n > 0) {
        size_t plain = 0;
        while (plain < text.n && is_plain(text.p[plain]))
            plain++;
        put(j, bytes_of(text.p, plain));
        text = bytes_skip(text, plain);
        if (text.n > 0) text = bytes_skip(text, put_character(j, text));
    }
    put(j, BYTES("\""));
}

static void put_name(struct json_out *j, const char *name)
{
    if (j->comma) put(j, BYTES(","));
    j->comma = true;
    if (!name) return;
    put(j, BYTES("\""));
    put(j, bytes_str(name));
    put(j, BYTES("\":"));
}

/* ---- values --------------------------------------------------------------------------------- */

void json_out_open(struct json_out *j, const char *name, char bracket)
{
    put_name(j, name);
    put(j, bytes_of(&bracket, 1));
    j->comma = false;
}

void json_out_close(struct json_out *j, char bracket)
{
    put(j, bytes_of(&bracket, 1));
    j->comma = true;
}

void json_out_text(struct json_out *j, const char *name, struct bytes text)
{
    put_name(j, name);
    put_quoted(j, text);
}

void json_out_str(struct json_out *j, const char *name, const char *text)
{
    json_out_text(j, name, bytes_str(text));
}

void json_out_number(struct json_out *j, const char *name, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, v);
    put_name(j, name);
    put(j, bytes_str(text));
}

void json_out_real(struct json_out *j, const char *name, double v)
{
    char text[64];

    snprintf(text, sizeof text, "%.3f", v < 1e15 ? v : 1e15);
    put_name(j, name);
    put(j, bytes_str(text));
}

void json_out_bool(struct json_out *j, const char *name, bool v)
{
    put_name(j, name);
    put(j, v ? BYTES("true") : BYTES("false"));
}

void json_out_null(struct json_out *j, const char *name)
{
    put_name(j, name);
    put(j, BYTES("null"));
}

void json_out_time(struct json_out *j, const char *name, uint64_t wall_ms)
{
    time_t s = (time_t)(wall_ms / 1000);
    char day[32], text[48];
    struct tm tm;

    if (!gmtime_r(&s, &tm) || strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        json_out_null(j, name);
        return;
    }
    snprintf(text, sizeof text, "%s.%03uZ", day, (unsigned)(wall_ms % 1000));
    json_out_str(j, name, text);
}

static void put_base64(struct json_out *j, struct bytes b)
{
    size_t n = BASE64_TEXT_MAX(b.n);
    char *at = reserve(j, n);

    if (!at) return;
    struct writer w = wr_of(at, n);
    base64_put(BASE64_PADDED, &w, b);
    j->n += n;
}

void json_out_payload(struct json_out *j, const char *name, struct bytes payload)
{
    char coded[64];

    if (utf8_valid(payload)) {
        json_out_text(j, name, payload);
        return;
    }
    snprintf(coded, sizeof coded, "%s_base64", name);
    put_name(j, coded);
    put(j, BYTES("\""));
    put_base64(j, payload);
    put(j, BYTES("\""));
}
