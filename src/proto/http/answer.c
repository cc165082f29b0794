/* SPDX-License-Identifier: BSD-3-Clause */
/* answer.c -- heads of answers. Nothing gets in that could end a line. */
#include <stdio.h>
#include <time.h>

#include "proto/http/http.h"

const char *http_status_text(unsigned status)
{
    switch (status) {
#define HTTP_STATUS(number, text)                                                                  \
    case number:                                                                                   \
        return text;
#include "proto/http/statuses.def"
#undef HTTP_STATUS
    default: return "Unknown";
    }
}

void http_put_status(struct writer *w, unsigned status)
{
    char line[64];
    int n =
        snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\n", status % 1000, http_status_text(status));

    wr_bytes(w, bytes_of(line, (size_t)n));
}

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!http_is_token_byte(name.p[i])) return false;
    return name.n > 0;
}

static bool is_value(struct bytes value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7F) return false;
    return true;
}

void http_put_field(struct writer *w, struct bytes name, struct bytes value)
{
    if (!is_name(name) || !is_value(value) || !wr_room(w, name.n + value.n + 4)) {
        w->bad = true;
        return;
    }
    wr_bytes(w, name);
    wr_bytes(w, BYTES(": "));
    wr_bytes(w, value);
    wr_bytes(w, BYTES("\r\n"));
}

void http_put_number(struct writer *w, struct bytes name, uint64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)value);

    http_put_field(w, name, bytes_of(text, (size_t)n));
}

void http_put_date(struct writer *w, uint64_t wall_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t s = (time_t)(wall_ms / 1000);
    struct tm t;
    char text[64];

    if (!gmtime_r(&s, &t)) return;
    int n = snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday],
                     t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    http_put_field(w, BYTES("Date"), bytes_of(text, (size_t)n));
}

void http_put_end(struct writer *w)
{
    wr_bytes(w, BYTES("\r\n"));
}

void http_put_chunk_head(struct writer *w, size_t n)
{
    char line[HTTP_CHUNK_HEAD_MAX + 1];
    int len = snprintf(line, sizeof line, "%zx\r\n", n);

    wr_bytes(w, bytes_of(line, (size_t)len));
}
