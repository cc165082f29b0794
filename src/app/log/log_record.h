/* SPDX-License-Identifier: BSD-3-Clause */
/* log_record.h -- a record of the broker in words, for `pinion log dump`.
 *
 * Names and payloads are bytes: what is printable is shown, up to a length. */
#pragma once

#include "store/store.h"

/* In quotes. */
void log_print_text(struct bytes b);

/* Prints what the record says. False, and nothing: it is none that this program knows. */
bool log_print_words(const struct store_record *r);
