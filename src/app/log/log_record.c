/* SPDX-License-Identifier: BSD-3-Clause */
/* log_record.c -- one function per kind of record. There is no password in any. */
#include "app/log/log_record.h"

#include <inttypes.h>
#include <stdio.h>

#include "broker/journal/durability.h"
#include "broker/journal/record.h"

enum { SHOWN = 48 }; /* bytes of a key or body in a line of text */

void log_print_text(struct bytes b)
{
    putchar('"');
    for (size_t i = 0; i < b.n && i < SHOWN; i++) {
        uint8_t c = b.p[i];
        if (c < 0x20 || c > 0x7E || c == '"' || c == '\\')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    fputs(b.n > SHOWN ? "\"..." : "\"", stdout);
}

static void say_name(const struct store_record *s)
{
    fputs(record_name(s->type), stdout);
}

static void say_text(const char *name, struct bytes b)
{
    printf("  %s ", name);
    log_print_text(b);
}

static void say_number(const char *name, uint64_t v)
{
    printf("  %s %" PRIu64, name, v);
}

/* Seconds since 1970. */
static void say_time(const char *name, uint64_t ms)
{
    if (ms) printf("  %s %" PRIu64 ".%03u", name, ms / 1000, (unsigned)(ms % 1000));
}

static void say_place(const char *name, uint64_t pos)
{
    printf("  %s %08x:%u", name, (unsigned)(pos >> 32), (uint32_t)pos);
}

static void say_state(uint8_t state, uint32_t flight)
{
    static const char *const states[] = {
        [RECORD_WAITING] = "waiting", [RECORD_SENT] = "sent", [RECORD_CONFIRMED] = "confirmed"};
    printf("  %s", states[state]);
    if (state == RECORD_WAITING) return;
    say_number("as", flight);
    say_number("packet", flight % UINT16_MAX + 1);
}

static void say_message(const struct record_message *m)
{
    say_text("topic", m->topic);
    say_number("qos", m->qos);
    if (m->retain) fputs("  retain", stdout);
    say_time("expires", m->expires_ms);
    if (m->serial) {
        printf("  origin %016" PRIx64, m->origin);
        say_number("serial", m->serial);
        say_number("lowest", m->serial - m->low_water);
    }
    if (m->props.n) say_number("properties", m->props.n);
    printf("  %zu bytes ", m->payload.n);
    log_print_text(m->payload);
}

static bool session(const struct store_record *s)
{
    static const char *const durabilities[] = {[DURABILITY_MEMORY] = "memory",
                                               [DURABILITY_INTERVAL] = "interval",
                                               [DURABILITY_COMMIT] = "commit"};
    struct record_session r;
    if (record_get_session(s, &r) < 0) return false;
    say_name(s);
    say_number("session", r.sid);
    say_text("client", r.client_id);
    if (r.tenant) say_number("tenant", r.tenant);
    if (s->type == RECORD_SESSION_END) return true;
    if (r.named) say_text("user", r.user);
    if (r.expiry_s != UINT32_MAX) say_number("expiry", r.expiry_s);
    fputs(r.gone_ms ? "" : "  connected", stdout);
    say_time("gone", r.gone_ms);
    printf("  %s", durabilities[r.durability]);
    say_number("flight", r.flight);
    if (r.serial) say_number("serial", r.serial);
    if (r.has_will) {
        fputs("  will:", stdout);
        say_number("delay", r.will_delay_s);
        say_message(&r.will);
    }
    return true;
}

static bool subscription(const struct store_record *s)
{
    struct record_subscription r;
    if (record_get_subscription(s, &r) < 0) return false;
    say_name(s);
    say_number("session", r.sid);
    say_text("filter", r.filter);
    if (s->type == RECORD_UNSUBSCRIBED) return true;
    say_number("qos", r.qos);
    if (r.no_local) fputs("  no local", stdout);
    if (r.retain_as_published) fputs("  retain as published", stdout);
    if (r.sub_id) say_number("id", r.sub_id);
    return true;
}

static bool message(const struct store_record *s)
{
    struct record_message r;
    if (record_get_message(s, &r) < 0) return false;
    say_name(s);
    say_message(&r);
    return true;
}

static bool entry(const struct store_record *s)
{
    struct record_entry r;
    if (record_get_entry(s, &r) < 0) return false;
    say_name(s);
    say_number("session", r.sid);
    say_number("entry", r.seq);
    if (r.body.pos) say_place("body", r.body.pos);
    say_number("qos", r.qos);
    if (r.retain) fputs("  retain", stdout);
    say_state(r.state, r.flight);
    say_number("bytes", r.message_bytes);
    for (unsigned i = 0; i < r.nsub_ids; i++)
        say_number("id", r.sub_id[i]);
    if (r.group.n) say_text("group", r.group);
    return true;
}

static bool flight(const struct store_record *s)
{
    struct record_flight_change r;
    if (record_get_flight(s, &r) < 0) return false;
    say_name(s);
    say_number("session", r.sid);
    say_number("entry", r.seq);
    if (s->type == RECORD_FLIGHT) say_state(r.state, r.flight);
    return true;
}

static bool received(const struct store_record *s)
{
    struct record_received r;
    if (record_get_received(s, &r) < 0) return false;
    say_name(s);
    say_number("session", r.sid);
    say_number("packet", r.packet_id);
    if (s->type == RECORD_RELEASED) return true;
    say_number("serial", r.serial);
    fputs(r.accepted ? "  accepted" : "", stdout);
    return true;
}

static bool cleared(const struct store_record *s)
{
    struct bytes topic;
    if (record_get_cleared(s, &topic) < 0) return false;
    say_name(s);
    say_text("topic", topic);
    return true;
}

static bool origin(const struct store_record *s)
{
    struct record_origin r;
    if (record_get_origin(s, &r) < 0) return false;
    say_name(s);
    printf("  origin %016" PRIx64, r.origin);
    say_number("serials", r.nserials);
    return true;
}

bool log_print_words(const struct store_record *r)
{
    switch ((enum record_type)r->type) {
    case RECORD_SESSION:
    case RECORD_SESSION_END: return session(r);
    case RECORD_SUBSCRIBED:
    case RECORD_UNSUBSCRIBED: return subscription(r);
    case RECORD_BODY:
    case RECORD_RETAINED: return message(r);
    case RECORD_ENTRY: return entry(r);
    case RECORD_FLIGHT:
    case RECORD_DONE: return flight(r);
    case RECORD_RECEIVED:
    case RECORD_RELEASED: return received(r);
    case RECORD_CLEARED: return cleared(r);
    case RECORD_ORIGIN: return origin(r);
    }
    return false;
}
