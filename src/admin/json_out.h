/* SPDX-License-Identifier: BSD-3-Clause */
/* json_out.h -- writes JSON [RFC8259] as it goes, without a tree: lists are long, and cores that
 * are asked write their part of the answer themselves.
 *
 * Texts are escaped here, in one place, whoever they come from; what is not UTF-8 in them becomes
 * U+FFFD. When memory runs out, `failed` is set and nothing more is written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Zeroed at first. */
struct json_out {
    char *at;
    size_t n, room;
    bool comma; /* something stands before, on this level */
    bool failed;
};

void json_out_fini(struct json_out *j);

/* What was written, borrowed; json_out_clear() forgets it and goes on where it was. */
struct bytes json_out_bytes(const struct json_out *j);
void json_out_clear(struct json_out *j);

/* `name` is NULL in arrays and at the top; names are ours and need no escapes. */
void json_out_open(struct json_out *j, const char *name, char bracket); /* '{' or '[' */
void json_out_close(struct json_out *j, char bracket);                  /* '}' or ']' */
void json_out_text(struct json_out *j, const char *name, struct bytes text);
void json_out_str(struct json_out *j, const char *name, const char *text);
void json_out_number(struct json_out *j, const char *name, uint64_t v);
void json_out_real(struct json_out *j, const char *name, double v); /* to the thousandth */
void json_out_bool(struct json_out *j, const char *name, bool v);
void json_out_null(struct json_out *j, const char *name);

/* "2026-11-21T10:00:00.123Z" [RFC3339-5.6]. */
void json_out_time(struct json_out *j, const char *name, uint64_t wall_ms);

/* `name` and the bytes as text, or `name`_base64 if they are no text without NUL. */
void json_out_payload(struct json_out *j, const char *name, struct bytes payload);
