/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c -- builds a line in a local buffer, field by field, and writes it once.
 *
 * A field that does not fit is left out whole and the line says cut=true, so a
 * line is always complete. The room for that and the line's end is kept back. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/utf8.h"

enum {
    VALUE_MAX = 512, /* escaped bytes of one value, give or take one character */
    TAIL_ROOM = 16,  /* ,"cut":true}\n */
};

static const char *const level_name[] = {"DEBUG", "INFO", "WARN", "ERROR"};

void log_init(struct log *l, const struct log_options *o, unsigned core, const struct clock *clock)
{
    *l = (struct log){.how = *o, .core = core, .clock = clock};
}

static void put(struct writer *w, const char *s)
{
    wr_bytes(w, bytes_str(s));
}

/* Length of the character that `s` begins with if it can stand in a line as it
 * is; 0 if its first byte must be escaped. `s` is not empty. */
static size_t plain_char(struct bytes s, bool json)
{
    uint8_t c = s.p[0];
    if (c < 0x20 || c == 0x7F || c == '"' || c == '\\') return 0;
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (n > s.n || !utf8_valid(bytes_of(s.p, n))) return 0;
    /* U+0080 to U+009F command a terminal as well; JSON is not for terminals. */
    if (!json && c == 0xC2 && s.p[1] < 0xA0) return 0;
    return n;
}

static void put_escaped(struct writer *w, struct bytes s, bool json)
{
    size_t start = wr_len(w);
    put(w, "\"");
    while (s.n && wr_len(w) - start < VALUE_MAX) {
        size_t n = plain_char(s, json);
        if (n) {
            wr_bytes(w, bytes_of(s.p, n));
        } else {
            char escape[8];
            n = 1;
            snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", (unsigned)s.p[0]);
            put(w, escape);
        }
        if (w->bad) return;
        s = bytes_skip(s, n);
    }
    put(w, s.n ? "...\"" : "\"");
}

/* Needs no quotes: not empty, letters, digits and . _ : / - only. */
static bool plain_value(struct bytes s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '-' && c <= ':') && c != '_') return false; /* - . / 0-9 : */
    }
    return s.n > 0 && s.n <= VALUE_MAX;
}

static void put_value(struct writer *w, const struct field *f, bool json)
{
    char number[24];
    switch (f->type) {
    case FIELD_TEXT:
        if (!json && plain_value(f->text))
            wr_bytes(w, f->text);
        else
            put_escaped(w, f->text, json);
        return;
    case FIELD_U64: snprintf(number, sizeof number, "%llu", (unsigned long long)f->num); break;
    case FIELD_I64: snprintf(number, sizeof number, "%lld", (long long)f->num); break;
    }
    put(w, number);
}

/* False, and nothing written, if the field does not fit. */
static bool put_field(struct writer *w, const struct field *f, bool json)
{
    struct writer before = *w;
    put(w, json ? ",\"" : " ");
    put(w, f->name);
    put(w, json ? "\":" : "=");
    put_value(w, f, json);
    if (!w->bad) return true;
    *w = before;
    return false;
}

/* The moment into out[n], as it stands in the line; "" for none. */
static void time_text(const struct log *l, char *out, size_t n)
{
    uint64_t ms = l->clock->wall_ms;
    time_t s = (time_t)(ms / 1000);
    struct tm t = {0};

    out[0] = '\0';
    if (l->how.time == LOG_TIME_UNIX)
        snprintf(out, n, "%llu.%03u", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
    if (l->how.time != LOG_TIME_ISO) return;
    gmtime_r(&s, &t); /* a year that does not fit leaves the zeros */
    const char *quote = l->how.json ? "\"" : "";
    snprintf(out, n, "%s%04d-%02d-%02dT%02d:%02d:%02d.%03uZ%s", quote, t.tm_year + 1900,
             t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (unsigned)(ms % 1000), quote);
}

static void put_start(struct writer *w, const struct log *l, enum log_level level,
                      const char *event)
{
    char time[64], core[24] = "", start[256];
    bool json = l->how.json;

    time_text(l, time, sizeof time);
    if (l->core != LOG_NO_CORE)
        snprintf(core, sizeof core, json ? ",\"core\":%u" : " core=%u", l->core);
    if (json)
        snprintf(start, sizeof start, "{%s%s%s\"level\":\"%s\"%s,\"event\":\"%.64s\"",
                 *time ? "\"time\":" : "", time, *time ? "," : "", level_name[level], core, event);
    else
        snprintf(start, sizeof start, "%s%s%s%s %.64s", time, *time ? " " : "", level_name[level],
                 core, event);
    put(w, l->torn ? "\n" : ""); /* what is left of the last line stands alone */
    put(w, start);
}

/* Is this line one too many of its kind in this second? */
static bool hold_back(struct log *l, unsigned kind)
{
    uint32_t second = clock_s(l->clock);
    if (second != l->second) {
        l->second = second;
        memset(l->written, 0, sizeof l->written);
    }
    if (l->how.burst && l->written[kind] >= l->how.burst) {
        l->held_back[kind]++;
        return true;
    }
    l->written[kind]++;
    return false;
}

/* What this core has kept back or lost since its last line. */
static void put_gaps(struct writer *w, struct log *l, unsigned kind)
{
    struct field held = F_U64("held_back", l->held_back[kind]);
    struct field lost = F_U64("lost", l->lost - l->lost_told);

    if (held.num) put_field(w, &held, l->how.json);
    if (lost.num) put_field(w, &lost, l->how.json);
}

/* One call, so that the line stays whole: pipes and sockets take so little at once or not at
 * all. A service manager's log is a socket, and whether it is read is not our business. Returns
 * the bytes that were taken. */
static size_t write_line(int fd, const void *line, size_t n)
{
    ssize_t sent;

    do {
        sent = send(fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == ENOTSOCK) sent = write(fd, line, n);
    } while (sent < 0 && errno == EINTR);
    return sent > 0 ? (size_t)sent : 0;
}

void log_event(struct log *l, enum log_level level, const char *event, const struct field *fields,
               unsigned nfields)
{
    bool json = l->how.json;

    if (l->how.fd < 0 || level < l->how.level) return;
    unsigned kind = (unsigned)(hash_bytes(0, bytes_str(event)) % LOG_KINDS);
    if (hold_back(l, kind)) return;

    char line[LOG_LINE_MAX];
    struct writer w = wr_of(line, sizeof line - TAIL_ROOM);
    bool whole = true;
    put_start(&w, l, level, event);
    put_gaps(&w, l, kind);
    for (unsigned i = 0; i < nfields; i++)
        whole &= put_field(&w, &fields[i], json);

    w.end += TAIL_ROOM;
    if (!whole) put(&w, json ? ",\"cut\":true" : " cut=true");
    put(&w, json ? "}\n" : "\n");
    ASSERT(!w.bad);

    size_t written = write_line(l->how.fd, line, wr_len(&w));
    if (written > 0) l->torn = written < wr_len(&w); /* a full disk */
    if (written < wr_len(&w)) {
        l->lost++;
        return;
    }
    l->held_back[kind] = 0;
    l->lost_told = l->lost;
}
