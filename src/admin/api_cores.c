/* SPDX-License-Identifier: BSD-3-Clause */
/* api_cores.c -- what each core does: its counters by name, its turns, its sleep, its mail. */
#include <stdlib.h>

#include "admin/gather.h"
#include "admin/json_out.h"
#include "admin/param.h"

struct snapshot {
    uint64_t counter[COUNTERS];
    uint64_t now_ns, slept_ns, longest_turn_ns;
    uint64_t pool_bytes, outbox_bytes, timers;
};

struct cores {
    struct gather *gather;
    struct json_out out;
    unsigned next; /* core to be written */
};

static void look(void *slot, struct broker *there)
{
    const struct core *core = broker_core(there);
    struct snapshot *s = slot;

    for (enum counter c = 0; c < COUNTERS; c++)
        s->counter[c] = counter_read(&core->counters, c);
    s->now_ns = core->clock.now_ns;
    s->slept_ns = core->times.slept_ns;
    s->longest_turn_ns = core_longest_turn_ns(core);
    s->pool_bytes = pool_bytes_used(core->pool);
    s->outbox_bytes = mesh_outbox_bytes(core->mesh);
    s->timers = core->wheel.armed;
}

static void destroy(struct cores *k)
{
    gather_release(&k->gather);
    json_out_fini(&k->out);
    free(k);
}

static void put_core(struct json_out *j, unsigned core, const struct snapshot *s)
{
    json_out_open(j, NULL, '{');
    json_out_number(j, "core", core);
    json_out_bool(j, "up", s != NULL);
    if (s) {
        json_out_real(j, "clock_seconds", (double)s->now_ns / 1e9);
        json_out_real(j, "slept_seconds", (double)s->slept_ns / 1e9);
        json_out_number(j, "longest_turn_us", s->longest_turn_ns / NS_PER_US);
        json_out_number(j, "pool_bytes", s->pool_bytes);
        json_out_number(j, "outbox_bytes", s->outbox_bytes);
        json_out_number(j, "timers", s->timers);
        json_out_open(j, "counters", '{');
        for (enum counter c = 0; c < COUNTERS; c++)
            json_out_number(j, counter_name(c), s->counter[c]);
        json_out_close(j, '}');
    }
    json_out_close(j, '}');
}

static void finish(struct http_exchange *x, bool whole)
{
    destroy(x->work);
    if (whole)
        http_end(x);
    else
        http_abort(x);
}

static void go_on(struct http_exchange *x)
{
    struct cores *k = x->work;
    unsigned cores = admin_of(x)->core->cores;

    for (; k->next < cores && http_has_room(x); k->next++) {
        put_core(&k->out, k->next, gather_slot(k->gather, k->next));
        http_write(x, json_out_bytes(&k->out));
        json_out_clear(&k->out);
    }
    if (k->next < cores) {
        http_more(x);
        return;
    }
    json_out_close(&k->out, ']');
    json_out_close(&k->out, '}');
    http_write(x, json_out_bytes(&k->out));
    finish(x, !k->out.failed);
}

static void on_cancel(struct http_exchange *x)
{
    destroy(x->work);
}

static void done(struct gather *g, void *owner)
{
    struct http_exchange *x = owner;
    struct cores *k = x->work;

    (void)g;
    http_begin(x, &(struct http_answer){.status = 200, .type = BYTES("application/json")});
    json_out_open(&k->out, NULL, '{');
    json_out_open(&k->out, "cores", '[');
    go_on(x);
}

void admin_on_cores(struct http_exchange *x)
{
    static const struct http_later later = {.on_room = go_on, .on_cancel = on_cancel};
    static const struct gather_question question = {
        .slot_bytes = sizeof(struct snapshot), .look = look, .done = done};

    if (!param_known(x, "")) return;
    struct cores *k = calloc(1, sizeof *k);
    if (k) k->gather = gather_new(admin_of(x), &question, x);
    if (!k || !k->gather) {
        free(k);
        admin_refuse(x, 503, "out of memory");
        return;
    }
    x->work = k;
    x->later = &later;
    gather_send(k->gather);
}
