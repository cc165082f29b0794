/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/publish_body.h"

#include <stdlib.h>

#include "admin/topic.h"
#include "base/base64.h"
#include "base/utf8.h"
#include "broker/access/acl.h"
#include "broker/access/json_in.h"

/* Identifiers of the properties that travel with a message [MQTT-2.2.2.2]. */
enum {
    PROP_PAYLOAD_FORMAT = 0x01,
    PROP_CONTENT_TYPE = 0x03,
    PROP_RESPONSE_TOPIC = 0x08,
    PROP_CORRELATION = 0x09,
    PROP_USER = 0x26,
};

enum { NAME_SHOWN = 64 };

struct read {
    struct publish_body *p;
    struct writer props;
    const char *field, *fault; /* the first */
};

typedef const char *member_fn(struct read *r, const json_t *v);

struct member {
    const char *name;
    member_fn *read;
};

static void put_string(struct writer *w, uint8_t id, struct bytes text)
{
    if (text.n > UINT16_MAX) w->bad = true;
    if (w->bad) return;
    wr_u8(w, id);
    wr_u16be(w, (uint16_t)text.n);
    wr_bytes(w, text);
}

/* ---- properties ----------------------------------------------------------------------------- */

static const char *read_content_type(struct read *r, const json_t *v)
{
    if (!json_is_string(v)) return "expected a text";
    put_string(&r->props, PROP_CONTENT_TYPE, json_in_text(v));
    return NULL;
}

static const char *read_response_topic(struct read *r, const json_t *v)
{
    const char *fault = json_is_string(v) ? topic_fault(json_in_text(v)) : "expected a text";

    if (!fault) put_string(&r->props, PROP_RESPONSE_TOPIC, json_in_text(v));
    return fault;
}

static const char *read_correlation(struct read *r, const json_t *v)
{
    struct bytes text = json_in_text(v);
    uint8_t *room = json_is_string(v) ? malloc(BASE64_BYTES_MAX(text.n)) : NULL;
    long n = room ? base64_decode(BASE64_PADDED, text, room) : -1;

    if (n >= 0) put_string(&r->props, PROP_CORRELATION, bytes_of(room, (size_t)n));
    free(room);
    return n >= 0 ? NULL : "expected base64";
}

static const char *read_format(struct read *r, const json_t *v)
{
    if (!json_is_boolean(v)) return "expected true or false";
    wr_u8(&r->props, PROP_PAYLOAD_FORMAT);
    wr_u8(&r->props, json_is_true(v));
    return NULL;
}

static const char *read_user(struct read *r, const json_t *v)
{
    if (!json_is_array(v)) return "expected pairs of texts in arrays";
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *pair = json_array_get(v, i);
        const json_t *name = json_array_get(pair, 0), *value = json_array_get(pair, 1);
        if (json_array_size(pair) != 2 || !json_is_string(name) || !json_is_string(value))
            return "expected pairs of texts in arrays";
        if (json_in_text(value).n > UINT16_MAX) return "a text is longer than 65535 bytes";
        put_string(&r->props, PROP_USER, json_in_text(name));
        wr_u16be(&r->props, (uint16_t)json_in_text(value).n);
        wr_bytes(&r->props, json_in_text(value));
    }
    return NULL;
}

/* ---- objects -------------------------------------------------------------------------------- */

/* Reads every member of `object` with its row; notes the first fault. */
static void read_members(struct read *r, const json_t *object, const struct member *rows,
                         unsigned n)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        unsigned i = 0;
        while (i < n && strcmp(rows[i].name, name) != 0)
            i++;
        const char *fault = i < n ? rows[i].read(r, v) : "there is no such member";
        if (!fault || r->fault) continue;
        r->field = i < n || strlen(name) <= NAME_SHOWN ? name : NULL;
        r->fault = fault;
    }
}

static const char *read_properties(struct read *r, const json_t *v)
{
    static const struct member rows[] = {
        {"content_type", read_content_type},
        {"response_topic", read_response_topic},
        {"correlation_data", read_correlation},
        {"payload_is_utf8", read_format},
        {"user", read_user},
    };

    if (!json_is_object(v)) return "expected an object";
    r->p->properties = malloc(PUBLISH_PROPERTIES_MAX);
    if (!r->p->properties) return "out of memory";
    r->props = wr_of(r->p->properties, PUBLISH_PROPERTIES_MAX);
    read_members(r, v, rows, ARRAY_LEN(rows));
    r->p->publication.props = bytes_of(r->p->properties, wr_len(&r->props));
    return r->props.bad ? "they are too long" : NULL;
}

static const char *read_topic(struct read *r, const json_t *v)
{
    struct bytes topic = json_in_text(v);

    if (!json_is_string(v)) return "expected a text";
    r->p->publication.topic = topic;
    if (acl_reserved(topic)) return "the broker alone writes to $SYS";
    return topic_fault(topic);
}

static const char *read_payload(struct read *r, const json_t *v)
{
    if (!json_is_string(v)) return "expected a text";
    if (r->p->publication.payload.p) return "there is another payload";
    r->p->publication.payload = json_in_text(v);
    return NULL;
}

static const char *read_payload_base64(struct read *r, const json_t *v)
{
    struct bytes text = json_in_text(v);

    if (!json_is_string(v)) return "expected a text";
    if (r->p->publication.payload.p) return "there is another payload";
    r->p->payload = malloc(BASE64_BYTES_MAX(text.n));
    if (!r->p->payload) return "out of memory";
    long n = base64_decode(BASE64_PADDED, text, r->p->payload);
    if (n < 0) return "expected base64";
    r->p->publication.payload = bytes_of(r->p->payload, (size_t)n);
    return NULL;
}

static const char *read_qos(struct read *r, const json_t *v)
{
    json_int_t qos = json_is_integer(v) ? json_integer_value(v) : -1;

    if (qos < 0 || qos > 2) return "expected 0, 1 or 2";
    r->p->publication.qos = (uint8_t)qos;
    return NULL;
}

static const char *read_retain(struct read *r, const json_t *v)
{
    if (!json_is_boolean(v)) return "expected true or false";
    r->p->publication.retain = json_is_true(v);
    return NULL;
}

static const char *read_expiry(struct read *r, const json_t *v)
{
    json_int_t s = json_is_integer(v) ? json_integer_value(v) : -1;

    if (s < 0 || s > UINT32_MAX) return "expected seconds from 0 to 4294967295";
    r->p->publication.expiry_s = (uint32_t)s;
    r->p->publication.has_expiry = true;
    return NULL;
}

const char *publish_body_read(struct publish_body *p, struct bytes text, const char **field)
{
    static const struct member rows[] = {
        {"topic", read_topic},
        {"payload", read_payload},
        {"payload_base64", read_payload_base64},
        {"qos", read_qos},
        {"retain", read_retain},
        {"expiry_seconds", read_expiry},
        {"properties", read_properties},
    };
    struct read r = {.p = p};

    p->json = json_in(text, PUBLISH_DEPTH_MAX);
    if (!json_is_object(p->json)) {
        *field = NULL;
        return "expected a JSON object";
    }
    read_members(&r, p->json, rows, ARRAY_LEN(rows));
    if (!r.fault && p->publication.topic.n == 0) {
        r.field = "topic";
        r.fault = "it is missing";
    }
    *field = r.field;
    return r.fault;
}

void publish_body_fini(struct publish_body *p)
{
    json_decref(p->json);
    free(p->payload);
    free(p->properties);
}
