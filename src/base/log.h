/* SPDX-License-Identifier: BSD-3-Clause */
/* log.h -- one line per event: a name and fields, never a formatted sentence.
 *
 * A line is built in a local buffer and written with one call, so lines of
 * several cores never mix. Values that come from clients are escaped here, in
 * one place: they can't forge a field or a line, in text or in JSON.
 *
 * A line of one event kind is limited to `burst` a second per core; what was
 * held back is counted and told with the next line of that kind.
 *
 * Nothing waits for the log: a line that can't be written now is lost, counted, and
 * told with the next one that can. A file on a disk that hangs is the exception.
 *
 * Owner: the core (one struct log each); the file descriptor is shared, and whoever
 * opened it may put another file behind the same number at any time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* 2026-11-21T10:00:00.123Z, 1795255200.123, or left to whoever reads the lines. */
enum log_time { LOG_TIME_ISO, LOG_TIME_UNIX, LOG_TIME_NONE };

enum { LOG_BURST = 50, LOG_KINDS = 64, LOG_LINE_MAX = 2048 };

#define LOG_NO_CORE UINT32_MAX /* the main thread */

struct log_options {
    int fd; /* where lines go; -1 drops them all */
    enum log_level level;
    enum log_time time;
    bool json;
    uint32_t burst; /* lines of one event a second; 0: as many as come */
};

struct field {
    const char *name;
    enum { FIELD_TEXT, FIELD_U64, FIELD_I64 } type;
    struct bytes text; /* borrows; escaped when written */
    uint64_t num;
};

#define F_TEXT(name_, bytes_)                                                                      \
    {                                                                                              \
        .name = (name_), .type = FIELD_TEXT, .text = (bytes_)                                      \
    }
#define F_STR(name_, cstr_)                                                                        \
    {                                                                                              \
        .name = (name_), .type = FIELD_TEXT, .text = bytes_str(cstr_)                              \
    }
#define F_U64(name_, v_)                                                                           \
    {                                                                                              \
        .name = (name_), .type = FIELD_U64, .num = (uint64_t)(v_)                                  \
    }
#define F_I64(name_, v_)                                                                           \
    {                                                                                              \
        .name = (name_), .type = FIELD_I64, .num = (uint64_t)(int64_t)(v_)                         \
    }

struct log {
    struct log_options how;
    unsigned core;
    const struct clock *clock;
    bool torn;                /* the last line was written in part */
    uint64_t lost, lost_told; /* lines that could not be written; as many as a line has said */

    /* Rate limit, by hash of the event's name. */
    uint32_t second;
    uint32_t written[LOG_KINDS];
    uint32_t held_back[LOG_KINDS];
};

/* `core` may be LOG_NO_CORE. `clock` is borrowed as long as the log lives. */
void log_init(struct log *l, const struct log_options *o, unsigned core, const struct clock *clock);

/* Writes one line: time, level, core, event, fields. `event` is a literal in
 * lower case words joined by '_', for example "client_connected". */
void log_event(struct log *l, enum log_level level, const char *event, const struct field *fields,
               unsigned nfields);

#define LOG(l, level, event, ...)                                                                  \
    do {                                                                                           \
        const struct field log_fields_[] = {__VA_ARGS__};                                          \
        log_event((l), (level), (event), log_fields_, sizeof log_fields_ / sizeof log_fields_[0]); \
    } while (0)
