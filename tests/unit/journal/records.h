/* SPDX-License-Identifier: BSD-3-Clause */
/* records.h -- one good record of each kind, and a record's way to the store and back. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/journal/record.h"

/* What a replay would give for what was put; key and body are blocks of their exact length, so that
 * a sanitizer sees a step too far. */
static inline struct store_record record_stored(const struct record_buf *b, struct store_ref ref)
{
    size_t n = 0;
    for (unsigned i = 0; i < b->put.nparts; i++)
        n += b->put.part[i].n;
    uint8_t *body = malloc(n ? n : 1), *key = malloc(b->put.key.n ? b->put.key.n : 1);
    ASSERT(body && key);
    struct writer w = wr_of(body, n);
    for (unsigned i = 0; i < b->put.nparts; i++)
        wr_bytes(&w, b->put.part[i]);
    ASSERT(!w.bad && wr_len(&w) == n);
    if (b->put.key.n) memcpy(key, b->put.key.p, b->put.key.n);
    return (struct store_record){.ref = ref,
                                 .type = b->put.type,
                                 .version = b->put.version,
                                 .kept = b->put.flags & STORE_KEEP,
                                 .key = bytes_of(key, b->put.key.n),
                                 .body = bytes_of(body, n)};
}

static inline void record_stored_free(struct store_record *s)
{
    free((void *)(uintptr_t)s->key.p);
    free((void *)(uintptr_t)s->body.p);
    *s = (struct store_record){0};
}

/* Decodes it by its type, and encodes it again into `b` if that is not NULL. */
static inline int record_reencode(const struct store_record *s, struct record_buf *b)
{
    static struct record_buf unwanted;
    union {
        struct record_session session;
        struct record_subscription subscription;
        struct record_message message;
        struct record_entry entry;
        struct record_flight_change flight;
        struct record_received received;
        struct record_origin origin;
        struct bytes topic;
    } u;
    int err;

#define AGAIN(get, put, member)                                                                    \
    err = get(s, &u.member);                                                                       \
    if (err == 0) put(b, &u.member);                                                               \
    return err

    if (!b) b = &unwanted;
    switch ((enum record_type)s->type) {
    case RECORD_SESSION: AGAIN(record_get_session, record_put_session, session);
    case RECORD_SESSION_END: AGAIN(record_get_session, record_put_session_end, session);
    case RECORD_SUBSCRIBED: AGAIN(record_get_subscription, record_put_subscribed, subscription);
    case RECORD_UNSUBSCRIBED: AGAIN(record_get_subscription, record_put_unsubscribed, subscription);
    case RECORD_BODY: AGAIN(record_get_message, record_put_body, message);
    case RECORD_ENTRY: AGAIN(record_get_entry, record_put_entry, entry);
    case RECORD_FLIGHT: AGAIN(record_get_flight, record_put_flight, flight);
    case RECORD_DONE: AGAIN(record_get_flight, record_put_done, flight);
    case RECORD_RECEIVED: AGAIN(record_get_received, record_put_received, received);
    case RECORD_RELEASED: AGAIN(record_get_received, record_put_released, received);
    case RECORD_RETAINED: AGAIN(record_get_message, record_put_retained, message);
    case RECORD_ORIGIN: AGAIN(record_get_origin, record_put_origin, origin);
    case RECORD_CLEARED:
        err = record_get_cleared(s, &u.topic);
        if (err == 0) record_put_cleared(b, u.topic);
        return err;
    }
#undef AGAIN
    return -ERR_CORRUPT;
}
