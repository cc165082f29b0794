/* SPDX-License-Identifier: BSD-3-Clause */
/* The body of a SUBSCRIBE or an UNSUBSCRIBE, walked and written again. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"

enum { FILTERS = 64 };

/* Walks a list to its end; the first of its filters go to `out`. */
static unsigned walk(struct mqtt_subscribe s, unsigned type, enum mqtt_version v,
                     struct mqtt_filter *out)
{
    struct mqtt_filter f;
    unsigned n = 0;
    struct bytes list = s.list;
    while (mqtt_next_filter(&s, type, v, &f)) {
        fuzz_inside(f.filter, list);
        ASSERT(f.qos < 3 && f.retain_handling < 3 && utf8_valid(f.filter));
        ASSERT(v == MQTT_V5 || !(f.no_local || f.retain_as_published || f.retain_handling));
        if (n < FILTERS) out[n] = f;
        n++;
    }
    ASSERT(n == s.count && n > 0 && s.list.n == 0);
    return n;
}

static int decode(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_subscribe *s)
{
    return f->type == MQTT_SUBSCRIBE ? mqtt_decode_subscribe(f, v, s)
                                     : mqtt_decode_unsubscribe(f, v, s);
}

static void write_again(const struct mqtt_subscribe *s, const struct mqtt_frame *f,
                        enum mqtt_version v, const struct mqtt_filter *list)
{
    struct writer w = fuzz_writer(f->body);
    if (f->type == MQTT_SUBSCRIBE)
        mqtt_encode_subscribe(&w, v, s->packet_id, list, s->count);
    else
        mqtt_encode_unsubscribe(&w, v, s->packet_id, list, s->count);
    struct mqtt_frame again = fuzz_written(&w);
    struct mqtt_subscribe t;
    int rc = decode(&again, v, &t);
    ASSERT(rc == 0 && t.count == s->count && t.packet_id == s->packet_id);
    ASSERT(bytes_eq(t.list, s->list));
    free(w.start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input x;
    if (!fuzz_open(&x, data, size)) return 0;
    struct mqtt_frame f = {
        .type = x.choice & 1 ? MQTT_UNSUBSCRIBE : MQTT_SUBSCRIBE, .flags = 2, .body = x.in};
    struct mqtt_filter list[FILTERS];
    struct mqtt_subscribe s;
    int rc = decode(&f, x.version, &s);
    fuzz_reason(rc);
    if (rc == 0) {
        fuzz_inside(s.list, x.in);
        if (walk(s, f.type, x.version, list) <= FILTERS) write_again(&s, &f, x.version, list);
    }
    fuzz_free(x.in);
    return 0;
}
