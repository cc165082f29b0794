/* SPDX-License-Identifier: BSD-3-Clause */
/* number.h -- the one place where text becomes a number: counts, sizes, times.
 *
 * A count is digits ("100000", also "100k", "1M": thousands). A size is digits and
 * one of B, KiB, MiB, GiB, TiB ("64 MiB"; short forms K, M, G, T mean the same). A time is
 * digits and one of ms, s, m, h, d ("10s"); without a unit it is seconds. Nothing else: no signs,
 * no fractions, no hexadecimal. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum number_kind { NUMBER_COUNT, NUMBER_SIZE, NUMBER_MS, NUMBER_S };

enum { NUMBER_TEXT = 32 };

/* 0; -ERR_INVALID: not such a number; -ERR_TOO_LARGE: does not fit 64 bits. NUMBER_MS and
 * NUMBER_S read a time, in milliseconds or seconds; a time that is no whole number of seconds
 * is -ERR_INVALID for NUMBER_S. */
int number_parse(enum number_kind kind, const char *text, uint64_t *value);

/* Writes it back as a person would, into out[NUMBER_TEXT]: "64 MiB", "10s", "1000". Returns out. */
const char *number_text(enum number_kind kind, uint64_t value, char *out);

/* How such a number is written, for error messages: "a size such as 64 MiB". */
const char *number_form(enum number_kind kind);
