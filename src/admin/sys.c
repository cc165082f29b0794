/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/sys.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/process.h"
#include "base/assert.h"

enum {
    SYS_QOS = 2, /* a subscriber gets what he has asked for */
    SUM_MAX = 4,
    VALUE_MAX = 64,
    TOPIC_MAX = 128,
    TOPICS_MAX = 96,
    LOAD_SPANS = 3,
};

/* Up to SUM_MAX counters, and how many. */
struct sum {
    const char *topic;
    unsigned n;
    uint8_t counter[SUM_MAX];
};

#define SUM(name, ...)                                                                             \
    {.topic = (name), .n = sizeof((const uint8_t[]){__VA_ARGS__}), .counter = {__VA_ARGS__}},

static_assert(COUNTERS <= UINT8_MAX, "a counter's number fits into a byte");

static const struct sum counts[] = {
#define SYS_COUNT(...) SUM(__VA_ARGS__)
#define SYS_LOAD(...)
#define SYS_CORE(...)
#include "admin/sys.def"
#undef SYS_COUNT
#undef SYS_LOAD
#undef SYS_CORE
};

static const struct sum loads[] = {
#define SYS_COUNT(...)
#define SYS_LOAD(...) SUM(__VA_ARGS__)
#define SYS_CORE(...)
#include "admin/sys.def"
#undef SYS_COUNT
#undef SYS_LOAD
#undef SYS_CORE
};

static const struct sum cores[] = {
#define SYS_COUNT(...)
#define SYS_LOAD(...)
#define SYS_CORE(...) SUM(__VA_ARGS__)
#include "admin/sys.def"
#undef SYS_COUNT
#undef SYS_LOAD
#undef SYS_CORE
};

struct load {
    uint64_t before;
    double per_minute[LOAD_SPANS];
};

struct sys {
    struct core *core;
    struct broker *broker;
    const struct sys_shared *shared;
    struct timer timer;
    uint32_t last_s; /* when it was told last; 0: never */
    uint64_t slept_ns, told_ns;
    uint64_t clients_max, heap_max;
    struct load load[ARRAY_LEN(loads)];
    unsigned at; /* number of the topic in this round */
    char told[TOPICS_MAX][VALUE_MAX];
};

/* ---- messages ------------------------------------------------------------------------------- */

/* Publishes the value unless it is the one that was told last. The order of topics is always the
 * same, so their number stands for them. */
__attribute__((format(printf, 3, 4))) static void tell(struct sys *s, const char *topic,
                                                       const char *format, ...)
{
    char name[TOPIC_MAX], value[VALUE_MAX];
    va_list args;

    ASSERT(s->at < TOPICS_MAX);
    char *told = s->told[s->at++];
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (strcmp(told, value) == 0) return;
    snprintf(name, sizeof name, "$SYS/broker/%s", topic);
    struct publication p = {
        .topic = bytes_str(name), .payload = bytes_str(value), .qos = SYS_QOS, .retain = true};
    p.topic_hash = broker_topic_hash(s->broker, p.topic);
    struct message *m = message_new(s->core, &p, 0);
    if (!m) return; /* the next round tries again */
    memcpy(told, value, VALUE_MAX);
    broker_publish_message(s->broker, m);
}

static uint64_t add_up(const struct sys *s, const struct sum *sum, unsigned from, unsigned to)
{
    uint64_t v = 0;

    for (unsigned core = from; core < to; core++)
        for (unsigned i = 0; i < sum->n; i++)
            v += counter_read(s->shared->counters[core], sum->counter[i]);
    return v;
}

static uint64_t of_all(const struct sys *s, enum counter c)
{
    struct sum sum = {.n = 1, .counter = {(uint8_t)c}};

    return add_up(s, &sum, 0, s->core->cores);
}

/* ---- the whole broker ----------------------------------------------------------------------- */

static void tell_load(struct sys *s, const struct sum *sum, struct load *l, double seconds)
{
    static const unsigned minutes[LOAD_SPANS] = {1, 5, 15};
    uint64_t now = add_up(s, sum, 0, s->core->cores);
    double rate = (double)(now - l->before) * 60 / seconds;
    char topic[TOPIC_MAX];

    l->before = now;
    for (unsigned i = 0; i < LOAD_SPANS; i++) {
        double fade = exp(-seconds / (60.0 * minutes[i]));
        l->per_minute[i] = rate + fade * (l->per_minute[i] - rate);
        snprintf(topic, sizeof topic, "%s/%umin", sum->topic, minutes[i]);
        tell(s, topic, "%.2f", l->per_minute[i]);
    }
}

static void tell_clients(struct sys *s)
{
    uint64_t total = of_all(s, C_sessions), connected = of_all(s, C_clients);
    uint64_t away = total > connected ? total - connected : 0; /* cores count while we look */

    if (total > s->clients_max) s->clients_max = total;
    tell(s, "clients/disconnected", "%" PRIu64, away);
    tell(s, "clients/inactive", "%" PRIu64, away);
    tell(s, "clients/maximum", "%" PRIu64, s->clients_max);
}

static void tell_memory(struct sys *s)
{
    uint64_t heap = process_resident_bytes();

    if (heap > s->heap_max) s->heap_max = heap;
    tell(s, "heap/current", "%" PRIu64, heap);
    tell(s, "heap/maximum", "%" PRIu64, s->heap_max);
}

static void tell_of_broker(struct sys *s, double seconds)
{
    uint64_t now_ms = s->core->clock.wall_ms, began_ms = s->shared->began_ms;

    tell(s, "version", "pinion version %s", s->shared->version);
    tell(s, "uptime", "%" PRIu64 " seconds", now_ms > began_ms ? (now_ms - began_ms) / 1000 : 0);
    tell(s, "cores", "%u", s->core->cores);
    tell_clients(s);
    tell_memory(s);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        tell(s, counts[i].topic, "%" PRIu64, add_up(s, &counts[i], 0, s->core->cores));
    for (size_t i = 0; i < ARRAY_LEN(loads); i++)
        tell_load(s, &loads[i], &s->load[i], seconds);
}

/* ---- one core ------------------------------------------------------------------------------- */

static void tell_of_core(struct sys *s)
{
    const struct core *c = s->core;
    uint64_t span_ns = c->clock.now_ns - s->told_ns, slept_ns = c->times.slept_ns - s->slept_ns;
    char topic[TOPIC_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cores); i++) {
        snprintf(topic, sizeof topic, "cores/%u/%s", c->id, cores[i].topic);
        tell(s, topic, "%" PRIu64, add_up(s, &cores[i], c->id, c->id + 1));
    }
    snprintf(topic, sizeof topic, "cores/%u/turns/longest_us", c->id);
    tell(s, topic, "%" PRIu64, (uint64_t)(core_longest_turn_ns(c) / NS_PER_US));
    snprintf(topic, sizeof topic, "cores/%u/sleep/percent", c->id);
    tell(s, topic, "%.0f", span_ns ? 100.0 * (double)slept_ns / (double)span_ns : 0);
    s->told_ns = c->clock.now_ns;
    s->slept_ns = c->times.slept_ns;
}

static void on_time(struct timer *t)
{
    struct sys *s = CONTAINER_OF(t, struct sys, timer);
    uint32_t now_s = core_now_s(s->core);

    wheel_arm(&s->core->wheel, t, now_s + s->shared->interval_s);
    if (s->core->draining) return;
    s->at = 0;
    if (s->core->id == 0) tell_of_broker(s, now_s > s->last_s ? now_s - s->last_s : 1);
    tell_of_core(s);
    s->last_s = now_s;
}

struct sys *sys_new(struct core *c, struct broker *b, struct sys_shared *shared)
{
    struct sys *s = calloc(1, sizeof *s);

    if (!s) return NULL;
    s->core = c;
    s->broker = b;
    s->shared = shared;
    s->last_s = core_now_s(c);
    s->told_ns = c->clock.now_ns;
    s->timer.fire = on_time;
    shared->counters[c->id] = &c->counters;
    if (shared->interval_s) wheel_arm(&c->wheel, &s->timer, s->last_s + 1);
    return s;
}

void sys_free(struct sys **sp)
{
    struct sys *s = *sp;

    if (!s) return;
    *sp = NULL;
    wheel_cancel(&s->core->wheel, &s->timer);
    free(s);
}
