/* SPDX-License-Identifier: BSD-3-Clause */
/* record_message.h -- a message inside a record, but for its topic. */
#pragma once

#include "broker/journal/record_internal.h"

/* Behind what has been written: fixed fields, properties, payload. Ends the record. */
void record_message_put(struct record_writer *rw, const struct record_message *r);

/* All that is left is the message; r->topic is known. False: a value that is never written. */
bool record_message_get(struct reader *in, struct record_message *r);
