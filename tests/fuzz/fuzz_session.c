/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole sessions: an input is a story that several connections play to a simulated broker.
 *
 * The broker is the real one, on one to four cores in this thread, upon the simulator's machine
 * (tests/sim): network, time and luck are the input's. The first byte says how many cores, the
 * second is the seed of luck; then come steps. A step's byte is three bits of what, two of how,
 * three of which connection:
 *
 *     OPEN    connects; how: how many bytes fit on the way
 *     BYTES   the next byte says how many follow, to be sent as they are
 *     PACKET  a good packet is sent; the next byte says which
 *     CLOSE   ends the connection, breaks it, or lets the network break it
 *     RUN     gives one core a turn
 *     TIME    passes, milliseconds to minutes
 *     READ    takes what has arrived, or a little of it
 *     CALM    lets all come to rest; changes the weather
 *
 * At the end all go, and time passes. What must hold: what comes from the broker is whole packets
 * that a broker may send, CONNACK first; a clean client is served; and when all have gone, no
 * connection, session, subscription or byte of a pool is left. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "world.h"

enum { GUESTS = 8, CORES = 4, EXPIRY_S = 60, ROUNDS = 3000, TURN_NS = 20000, STORY_MAX = 4096 };

enum step { OPEN, BYTES, PACKET, CLOSE, RUN, TIME, READ, CALM };

struct guest {
    struct end *end;
    struct buf in;
    bool greeted; /* CONNACK has come */
    bool v5;
    uint16_t id;
};

struct story {
    struct reader r;
    struct world *w;
    struct guest guest[GUESTS];
};

/* ---- what the broker says ---------------------------------------------------------------------
 */

/* The first whole packet of `n` bytes: its length; 0: more to come. */
static uint32_t packet_length(const uint8_t *p, uint32_t n)
{
    uint32_t length = 0;

    for (uint32_t i = 1; i < n; i++) {
        ASSERT(i <= 4); /* section 1.5.5 */
        length |= (uint32_t)(p[i] & 0x7F) << 7 * (i - 1);
        if (!(p[i] & 0x80)) return n - i - 1 >= length ? i + 1 + length : 0;
    }
    return 0;
}

static void judge_packet(struct guest *g, const uint8_t *p)
{
    static const uint16_t may_send =
        1u << P_CONNACK | 1u << P_PUBLISH | 1u << P_PUBACK | 1u << P_PUBREC | 1u << P_PUBREL |
        1u << P_PUBCOMP | 1u << P_SUBACK | 1u << P_UNSUBACK | 1u << P_PINGRESP | 1u << P_DISCONNECT;
    unsigned type = p[0] >> 4, flags = p[0] & 15;

    ASSERT(may_send >> type & 1);
    ASSERT((type == P_CONNACK) == !g->greeted); /* [MQTT-3.2.0-1] [MQTT-3.2.0-2] */
    g->greeted = true;
    if (type == P_PUBLISH)
        ASSERT((flags & 6) != 6 && (flags & 6 || !(flags & 8))); /* [MQTT-3.3.1-2] [MQTT-3.3.1-4] */
    else
        ASSERT(flags == (type == P_PUBREL ? 2u : 0u));
}

static void take_input(struct guest *g, uint32_t most)
{
    uint8_t buf[512];
    uint32_t n, used;

    while (g->end && most > 0) {
        n = end_read(g->end, buf, most < sizeof buf ? most : (uint32_t)sizeof buf);
        if (n == 0) break;
        buf_put(&g->in, buf, n);
        most -= n;
    }
    while ((used = packet_length(g->in.at, g->in.n)) > 0) {
        judge_packet(g, g->in.at);
        buf_skip(&g->in, used);
    }
}

/* ---- steps --------------------------------------------------------------------------------------
 */

static void close_guest(struct guest *g, unsigned how)
{
    if (!g->end) return;
    if (how >= 2) end_break(g->end);
    end_close(g->end, how & 1);
    buf_free(&g->in);
    *g = (struct guest){.id = g->id};
}

static void open_guest(struct guest *g, unsigned how)
{
    static const uint32_t caps[] = {16384, 64, 512, 65536};

    close_guest(g, 0);
    g->end = net_connect(caps[how]);
}

/* Sends what fits: the rest is lost, which is a stream that goes wrong in the middle. */
static void send_bytes(struct guest *g, const uint8_t *p, uint32_t n)
{
    while (g->end && n > 0) {
        uint32_t put = end_write(g->end, p, n);
        if (put == 0) return;
        p += put;
        n -= put;
    }
}

static const char *const filters[] = {
    "a",     "a/b",        "+/b", "#", "a/#", "$share/g/a", "$share/g/+/b", "$SYS/#",
    "+/+/+", "$share/h/#", "a//", "+", "b",   "$share/h/b", "a/b/c",        "$share/g/#"};
static const char *const topics[] = {"a", "a/b", "b", "a/b/c"};
static const char *const names[] = {"one", "two", "three", ""};

static void put_connect(struct buf *b, struct guest *g, unsigned more)
{
    struct say_publish will = {.topic = topics[more & 3],
                               .payload = (const uint8_t *)"gone",
                               .n = 4,
                               .qos = (uint8_t)(more % 3),
                               .retain = more & 4};
    struct say_connect c = {.id = names[more & 3], .v5 = more & 8, .clean = more & 4};

    g->v5 = c.v5;
    if (!*c.id) c.clean = true;
    c.expiry_s = more & 4 ? 0 : 30;
    c.receive_max = more & 2 ? 2 : 0;
    if (more & 1) c.will = &will;
    c.will_delay_s = c.v5 && more & 2 ? 5 : 0;
    say_connect(b, &c);
}

static void put_publish(struct buf *b, struct guest *g, unsigned qos, unsigned more)
{
    static uint8_t payload[600];
    struct say_publish p = {.topic = topics[more & 3],
                            .payload = payload,
                            .n = more & 8 ? sizeof payload : more & 4,
                            .qos = (uint8_t)qos,
                            .retain = more & 4,
                            .id = ++g->id ? g->id : ++g->id};

    say_publish(b, g->v5, &p);
}

static void put_subscribe(struct buf *b, struct guest *g, unsigned more)
{
    struct say_subscribe s = {.filter = filters[more], .id = 7, .qos = (uint8_t)(more % 3)};

    s.sub_id = g->v5 && more & 1 ? more : 0;
    say_subscribe(b, g->v5, &s);
}

/* Which of them is the low half, `more` the high one. */
static void send_packet(struct guest *g, unsigned which)
{
    struct buf b = {0};
    unsigned more = which >> 4;

    switch (which & 15) {
    case 0:
    case 1: put_connect(&b, g, more); break;
    case 2:
    case 3:
    case 4: put_publish(&b, g, (which & 15) - 2, more); break;
    case 5:
    case 6: put_subscribe(&b, g, more); break;
    case 7: say_unsubscribe(&b, g->v5, filters[more], 8); break;
    case 8: say_ack(&b, P_PUBACK, (uint16_t)(more + 1)); break;
    case 9: say_ack(&b, P_PUBREC, (uint16_t)(more + 1)); break;
    case 10: say_ack(&b, P_PUBREL, (uint16_t)(more + 1)); break;
    case 11: say_ack(&b, P_PUBCOMP, (uint16_t)(more + 1)); break;
    case 12: say_ping(&b); break;
    case 13: say_disconnect(&b, g->v5, more & 1 ? 4 : 0); break;
    default: return;
    }
    send_bytes(g, b.at, b.n);
    buf_free(&b);
}

/* ---- time and turns
 * -------------------------------------------------------------------------------- */

static void run_all(struct story *s)
{
    machine()->now_ns += TURN_NS;
    for (unsigned i = 0; i < s->w->cores; i++)
        cores_run_one(s->w, i);
}

/* On to the next timer. */
static void jump(struct story *s)
{
    uint64_t timer = cores_wake_ns(s->w);

    if (timer != UINT64_MAX) machine()->now_ns = timer;
}

/* Until nobody has anything to do; guests read all the time. */
static void settle(struct story *s)
{
    bool at_rest = false;

    machine()->calm = true;
    for (unsigned round = 0; !at_rest && round < ROUNDS; round++) {
        run_all(s);
        for (unsigned i = 0; i < GUESTS; i++)
            take_input(&s->guest[i], UINT32_MAX);
        if (!cores_asleep(s->w)) continue;
        at_rest = net_quiet();
        if (!at_rest) jump(s); /* a door that is shut for a while has clients before it */
    }
    ASSERT(at_rest);
}

static void pass_time(unsigned how, unsigned n)
{
    static const uint64_t unit[] = {NS_PER_MS, 100 * NS_PER_MS, NS_PER_S, 20 * NS_PER_S};

    machine()->now_ns += unit[how] * (n + 1);
}

static void change_weather(struct story *s, unsigned how)
{
    if (how < 2)
        settle(s);
    else
        machine()->calm = how == 2;
}

static void play(struct story *s)
{
    uint8_t byte = rd_u8(&s->r);
    unsigned how = byte >> 3 & 3, which = byte & 7;
    struct guest *g = &s->guest[which];

    switch ((enum step)(byte >> 5)) {
    case OPEN: open_guest(g, how); break;
    case BYTES: {
        struct bytes b = rd_take(&s->r, rd_u8(&s->r));
        if (!s->r.bad) send_bytes(g, b.p, (uint32_t)b.n);
        break;
    }
    case PACKET: send_packet(g, rd_u8(&s->r)); break;
    case CLOSE: close_guest(g, how); break;
    case RUN: cores_run_one(s->w, which % s->w->cores); break;
    case TIME: pass_time(how, which); break;
    case READ: take_input(g, how ? which + 1 : UINT32_MAX); break;
    case CALM: change_weather(s, how); break;
    }
}

/* ---- the end
 * ---------------------------------------------------------------------------------------- */

/* Whatever was played, a new client is served. */
static void probe(struct story *s)
{
    struct guest *g = &s->guest[0];
    struct buf b = {0};
    uint64_t before = cores_count(s->w, C_messages_routed);

    open_guest(g, 0);
    ASSERT(g->end);
    say_connect(&b, &(struct say_connect){.id = "probe", .clean = true});
    say_subscribe(&b, false, &(struct say_subscribe){.filter = "probe", .id = 1, .qos = 1});
    say_publish(&b, false, &(struct say_publish){.topic = "probe", .qos = 1, .id = 1});
    send_bytes(g, b.at, b.n);
    buf_free(&b);
    settle(s);
    ASSERT(g->greeted && !end_over(g->end));
    ASSERT(cores_count(s->w, C_messages_routed) > before);
}

static void all_go(struct story *s)
{
    static const enum counter all[] = {C_connections, C_sessions, C_subscriptions, C_queued};

    for (unsigned i = 0; i < GUESTS; i++)
        close_guest(&s->guest[i], 0);
    for (unsigned i = 0; i < 4; i++) { /* a will's delay, then the session's; and mail about them */
        machine()->now_ns += EXPIRY_S * NS_PER_S;
        settle(s);
    }
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        ASSERT(cores_count(s->w, all[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct story s = {.w = &w};

    if (size < 2 || size > STORY_MAX) return 0;
    memset(&w, 0, sizeof w);
    trace_init(&w.trace, false);
    machine_init(data[1]);
    cores_choose(&w, &(struct world_options){
                         .seed = data[1], .cores = 1 + data[0] % CORES, .expiry_max_s = EXPIRY_S});
    cores_start(&w);
    s.r = rd_of(bytes_of(data + 2, size - 2));
    while (!s.r.bad && rd_left(&s.r) > 0)
        play(&s);
    for (unsigned i = 0; i < GUESTS; i++)
        take_input(&s.guest[i], UINT32_MAX);
    settle(&s);
    for (unsigned i = 0; i < GUESTS; i++)
        close_guest(&s.guest[i], 0);
    settle(&s);
    probe(&s);
    all_go(&s);
    cores_stop(&w);
    if (w.trace.broken[0]) {
        fprintf(stderr, "%s\n", w.trace.broken);
        abort();
    }
    machine_fini();
    return 0;
}
