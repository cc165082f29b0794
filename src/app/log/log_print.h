/* SPDX-License-Identifier: BSD-3-Clause */
/* log_print.h -- what `pinion log` tells of a log while recovery reads it for us.
 *
 * Keys and bodies are bytes: text shows what is printable, JSON has them in hexadecimal. */
#pragma once

#include "store/store.h"

enum log_verb { LOG_CHECK, LOG_DUMP, LOG_STAT };

struct log_sum {
    uint64_t records, bytes;
};

struct log_look {
    enum log_verb verb;
    bool json;
    bool damaged; /* something acknowledged may be lost */

    /* Of the log being read. */
    unsigned core, findings;
    struct log_sum by_type[STORE_TYPE_MAX + 1];
    struct log_sum kept, snapshot, old;
};

void log_look_begin(struct log_look *l, unsigned core);
int log_on_record(void *look, const struct store_record *r);
void log_on_found(void *look, const struct store_finding *f);
void log_look_end(struct log_look *l, struct store_stats t);
