/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_handover.c -- connections that move between cores while their clients talk on.
 *
 * A client says at first where it wants to live, and then sends numbered bytes without
 * waiting. The core that accepted it takes the first few of them and hands the connection
 * over in the middle of the stream; the core where it then lives takes the rest and sends
 * each byte back. So what a client hears shows that all bytes arrived there, once and in order.
 *
 * Clients end in every way there is, most of all at moments when nobody knows
 * where they are; and the last ones travel when the cores stop. What the cores know of a
 * client is a plain struct that is written by whoever has the connection. */
#include <errno.h>

#include "base/err.h"
#include "torture_cores.h"

enum {
    MAIL_TEST_HANDOVER = 1,
    KINDS,
    CLIENT_THREADS = 2,
    TRIPS = 1500,     /* clients of a thread */
    AT_ONCE = 24,     /* of them at a time */
    TRAVELLERS = 200, /* clients at the moment when the cores stop */
    TRIPS_ALL = CLIENT_THREADS * TRIPS + TRAVELLERS,
    BEFORE_MAX = 3000,
    BYTES_MAX = 9000,
    CHUNK_MAX = 2500,
    NEVER = INT32_MAX,
};

/* What a client says at first. */
struct wish {
    uint32_t trip;   /* its number */
    uint32_t to;     /* the core on which it wants to live */
    uint32_t before; /* bytes taken before it moves there */
    uint32_t until;  /* bytes after which the broker's side closes, or NEVER */
};

/* What the cores know of a client. */
struct trip {
    struct wish wish;
    uint32_t next; /* bytes that were taken, by whichever core */
    bool known, moved, told, closed;
};

struct scene {
    struct stage stage;
    struct trip *trips;
    uint64_t seed;
    unsigned opened[STAGE_CORES_MAX], closed[STAGE_CORES_MAX]; /* each core's own */
};

/* The byte at `i` of a client's stream. */
static uint8_t byte_at(uint32_t trip, uint32_t i)
{
    return (uint8_t)(trip * 31 + i * 7 + i / 251);
}

/* ---- the protocol: on the cores --------------------------------------------------------- */

/* What a connection has on its core: a block of its pool, so that a leak shows. */
struct guest {
    struct trip *trip;
};

static struct scene *scene_of(const struct conn *c)
{
    return c->listener->proto_ctx;
}

static struct core *core_of(const struct conn *c)
{
    return net_core(c->net);
}

static void arrive(struct conn *c, struct guest *g, uint64_t note)
{
    g->trip = &scene_of(c)->trips[note];
    REQUIRE(g->trip->known && !g->trip->moved && !g->trip->closed);
    REQUIRE(g->trip->wish.to == core_of(c)->id);
    REQUIRE(g->trip->next == g->trip->wish.before);
    g->trip->moved = true;
}

static int on_open(struct conn *c, bool moved, uint64_t note)
{
    struct guest *g = pool_alloc(core_of(c)->pool, sizeof *g);

    REQUIRE(g);
    *g = (struct guest){0};
    c->state = g;
    if (moved) arrive(c, g, note);
    scene_of(c)->opened[core_of(c)->id]++;
    return 0;
}

static void on_close(struct conn *c, int why)
{
    struct guest *g = c->state;

    if (g->trip && why != -ERR_AGAIN) { /* one that has moved is not ours to look at */
        REQUIRE(!g->trip->closed);
        g->trip->closed = true;
    }
    pool_free(core_of(c)->pool, g, sizeof *g);
    scene_of(c)->closed[core_of(c)->id]++;
}

static void learn(struct conn *c, struct guest *g, struct bytes in)
{
    struct wish w;

    memcpy(&w, in.p, sizeof w);
    REQUIRE(w.trip < TRIPS_ALL);
    g->trip = &scene_of(c)->trips[w.trip];
    REQUIRE(!g->trip->known);
    g->trip->known = true;
    g->trip->wish = w;
}

/* Takes up to `most` bytes. Those at home are sent back, after the number of the first. */
static size_t take(struct conn *c, struct trip *t, struct bytes in, size_t most, bool home)
{
    size_t n = in.n < most ? in.n : most;

    if (home && !t->told) conn_send(c, bytes_of(&t->next, sizeof t->next));
    if (home) t->told = true;
    for (size_t i = 0; i < n; i++)
        REQUIRE(in.p[i] == byte_at(t->wish.trip, t->next + (uint32_t)i));
    if (home && n) conn_send(c, bytes_of(in.p, n));
    t->next += (uint32_t)n;
    return n;
}

static size_t at_home(struct conn *c, struct trip *t, struct bytes in)
{
    bool stops_early = rng_below(&core_of(c)->rng, 4) == 0;
    size_t n = take(c, t, in, stops_early ? in.n / 2 : in.n, true);

    if (n < in.n) conn_again(c);
    if (t->next >= t->wish.until) conn_close(c, 0);
    return n;
}

static long on_bytes(struct conn *c, struct bytes in)
{
    struct guest *g = c->state;
    size_t used = 0;

    if (!g->trip) {
        if (in.n < sizeof(struct wish)) {
            c->in_need = sizeof(struct wish);
            return 0;
        }
        learn(c, g, in);
        used = sizeof(struct wish);
    }
    struct trip *t = g->trip;
    if (t->wish.to == core_of(c)->id) return (long)(used + at_home(c, t, bytes_skip(in, used)));

    used += take(c, t, bytes_skip(in, used), t->wish.before - t->next, false);
    if (t->next < t->wish.before) return (long)used;
    REQUIRE(conn_hand_over(c, t->wish.to, t->wish.trip, bytes_skip(in, used)) == 0);
    return (long)in.n;
}

static const struct proto PROTO = {
    .name = "handover", .on_open = on_open, .on_bytes = on_bytes, .on_close = on_close};

static void on_mail(void *net, unsigned from, const struct mail *m)
{
    (void)from;
    net_on_handover(net, m);
}

static void on_relief(void *net, uint32_t account, uint32_t bytes)
{
    net_on_relief(net, account, bytes);
}

static mail_fn *const HANDLERS[KINDS] = {[MAIL_TEST_HANDOVER] = on_mail};

/* ---- clients ------------------------------------------------------------------------------- */

enum ending {
    HEARS_ALL,    /* and closes then */
    ENDS_FIRST,   /* says that it has no more, then hears all and the broker's end */
    IS_SHOWN_OUT, /* the broker closes while it still talks */
    LEAVES,       /* closes in the middle */
    RESETS,       /* and without a farewell */
    ENDINGS
};

struct client {
    int fd; /* -1: none */
    enum ending ending;
    struct wish wish;
    uint32_t total;    /* bytes it has to say */
    uint32_t leave_at; /* position, the wish included, at which it leaves or resets */
    uint32_t said;     /* the wish included */
    uint32_t heard;    /* the first number included */
    uint32_t first;    /* number of the first byte that came back */
    bool ended;
};

struct party {
    struct scene *scene;
    struct rng luck;
    unsigned next, last; /* numbers of its clients */
    struct client client[AT_ONCE];
};

static uint32_t below(struct party *p, uint32_t n)
{
    return (uint32_t)rng_below(&p->luck, n);
}

static void client_begin(struct party *p, struct client *c)
{
    const struct stage *s = &p->scene->stage;
    uint32_t before = below(p, 2) ? below(p, BEFORE_MAX) : below(p, 10);

    *c = (struct client){
        .fd = torture_connect(&s->listener.addr),
        .ending = (enum ending)below(p, ENDINGS),
        .total = before + 1 + below(p, BYTES_MAX),
        .wish = {.trip = p->next++, .to = below(p, s->cores), .before = before, .until = NEVER},
    };
    REQUIRE(c->fd >= 0);
    if (c->ending == IS_SHOWN_OUT) c->wish.until = before + 1 + below(p, c->total - before);
    c->leave_at = below(p, (uint32_t)sizeof c->wish + c->total + 1);
    if (below(p, 3) == 0) c->leave_at = (uint32_t)sizeof c->wish + before; /* as it travels */
}

static bool leaves_early(const struct client *c)
{
    return c->ending == LEAVES || c->ending == RESETS;
}

/* The position up to which it talks. */
static uint32_t talks_to(const struct client *c)
{
    return leaves_early(c) ? c->leave_at : (uint32_t)sizeof c->wish + c->total;
}

static bool wants_to_say(const struct client *c)
{
    return c->said < talks_to(c) || (c->ending == ENDS_FIRST && !c->ended) || leaves_early(c);
}

static void client_end(struct client *c)
{
    if (c->ending == RESETS)
        torture_reset(c->fd);
    else
        close(c->fd);
    c->fd = -1;
}

static uint8_t stream_at(const struct client *c, uint32_t i)
{
    if (i < sizeof c->wish) return ((const uint8_t *)&c->wish)[i];
    return byte_at(c->wish.trip, i - (uint32_t)sizeof c->wish);
}

static void say(struct party *p, struct client *c)
{
    uint8_t chunk[CHUNK_MAX];
    uint32_t n = 0, left = talks_to(c) - c->said;
    uint32_t most = below(p, 4) ? 1 + below(p, CHUNK_MAX) : 1 + below(p, 20);

    for (; n < most && n < left; n++)
        chunk[n] = stream_at(c, c->said + n);
    ssize_t sent = send(c->fd, chunk, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) c->said += (uint32_t)sent;
    if (sent < 0) REQUIRE(errno == EAGAIN || c->ending == IS_SHOWN_OUT);
    if (sent < 0 && errno != EAGAIN) c->said = talks_to(c);
    if (c->said < talks_to(c)) return;
    if (c->ending == ENDS_FIRST && !c->ended) REQUIRE(shutdown(c->fd, SHUT_WR) == 0);
    c->ended = true;
    if (leaves_early(c)) client_end(c);
}

/* What has come back: the number of the first byte, then the bytes from there on. */
static void check(struct client *c, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++, c->heard++) {
        uint32_t at = c->heard;
        if (at < sizeof c->first)
            ((uint8_t *)&c->first)[at] = p[i];
        else
            REQUIRE(p[i] == byte_at(c->wish.trip, c->first + at - (uint32_t)sizeof c->first));
    }
    if (c->heard < sizeof c->first) return;
    REQUIRE(c->first == 0 || c->first == c->wish.before);
    REQUIRE(c->heard - sizeof c->first + c->first <= c->total); /* nothing twice */
}

static bool has_heard(const struct client *c, uint32_t upto)
{
    return c->heard >= sizeof c->first && c->heard - sizeof c->first + c->first >= (size_t)upto;
}

/* The broker's side has closed. Nothing but a reset may take what it had to say. */
static void on_end(struct client *c, bool reset)
{
    REQUIRE(c->ending != HEARS_ALL);
    if (c->ending == ENDS_FIRST) REQUIRE(!reset && has_heard(c, c->total));
    if (c->ending == IS_SHOWN_OUT) REQUIRE(reset || has_heard(c, c->wish.until));
    client_end(c);
}

static void hear(struct client *c)
{
    uint8_t in[4096];
    ssize_t n = recv(c->fd, in, sizeof in, MSG_DONTWAIT);

    if (n > 0) {
        check(c, in, (size_t)n);
        if (c->ending == HEARS_ALL && has_heard(c, c->total)) client_end(c);
    } else if (n == 0 || errno != EAGAIN) {
        on_end(c, n < 0);
    }
}

static void party_step(struct party *p)
{
    struct pollfd fds[AT_ONCE];

    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct client *c = &p->client[i];
        if (c->fd < 0 && p->next < p->last) client_begin(p, c);
        fds[i] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        if (c->fd >= 0 && wants_to_say(c)) fds[i].events = POLLIN | POLLOUT;
    }
    REQUIRE(poll(fds, AT_ONCE, -1) > 0);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct client *c = &p->client[i];
        if (fds[i].revents & POLLOUT) say(p, c);
        if (c->fd >= 0 && fds[i].revents & ~POLLOUT) hear(c);
    }
}

static bool is_over(const struct party *p)
{
    for (unsigned i = 0; i < AT_ONCE; i++)
        if (p->client[i].fd >= 0) return false;
    return p->next == p->last;
}

static void *party_main(void *arg)
{
    struct party *p = arg;

    for (unsigned i = 0; i < AT_ONCE; i++)
        p->client[i].fd = -1;
    while (!is_over(p))
        party_step(p);
    return NULL;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static void core_make(struct scene *s, unsigned i)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    struct core *c = &s->stage.core[i];

    o.mail_handover = MAIL_TEST_HANDOVER;
    o.read_bytes = 4096;
    s->stage.net[i] = net_new(c, &o, s);
    REQUIRE(s->stage.net[i]);
    c->ops = (struct turn_ops){.flush = stage_flush, .net = s->stage.net[i]};
    mesh_port_bind(c->mesh, HANDLERS, KINDS, on_relief, s->stage.net[i]);
}

static void party_init(struct party *p, struct scene *s, unsigned number)
{
    *p = (struct party){.scene = s, .next = number * TRIPS, .last = (number + 1) * TRIPS};
    rng_seed(&p->luck, s->seed * CLIENT_THREADS + number);
}

/* Clients come all at once, and at some moment of their arrival the cores stop. */
static void stop_while_they_travel(struct scene *s)
{
    struct party p;
    struct client c[TRAVELLERS];

    party_init(&p, s, CLIENT_THREADS);
    for (unsigned i = 0; i < TRAVELLERS; i++) {
        client_begin(&p, &c[i]);
        c[i].ending = HEARS_ALL;
        for (unsigned n = below(&p, 4); n > 0; n--)
            say(&p, &c[i]);
    }
    for (unsigned n = below(&p, 50); n > 0; n--)
        sched_yield();
    stage_stop(&s->stage);
    stage_settle(&s->stage);
    for (unsigned i = 0; i < TRAVELLERS; i++)
        close(c[i].fd);
}

static void check_trips(const struct scene *s)
{
    for (unsigned i = 0; i < TRIPS_ALL; i++)
        REQUIRE(s->trips[i].known == s->trips[i].closed);
    for (unsigned i = 0; i < s->stage.cores; i++)
        REQUIRE(s->opened[i] == s->closed[i]);
}

static void play(unsigned cores, uint32_t slots, uint64_t seed)
{
    struct scene s = {.seed = seed, .trips = calloc(TRIPS_ALL, sizeof *s.trips)};
    struct party party[CLIENT_THREADS];
    pthread_t thread[CLIENT_THREADS];

    REQUIRE(s.trips);
    stage_init(&s.stage, cores, slots, seed);
    s.stage.listener.proto = &PROTO;
    s.stage.listener.proto_ctx = &s;
    for (unsigned i = 0; i < cores; i++)
        core_make(&s, i);
    stage_start(&s.stage);
    for (unsigned i = 0; i < CLIENT_THREADS; i++) {
        party_init(&party[i], &s, i);
        thread[i] = torture_start(party_main, &party[i]);
    }
    for (unsigned i = 0; i < CLIENT_THREADS; i++)
        torture_join(thread[i]);
    stop_while_they_travel(&s);

    printf("%u cores, %2u slots: %llu connections, %llu moved, %llu letters waited\n", cores, slots,
           (unsigned long long)stage_count(&s.stage, C_connections_accepted),
           (unsigned long long)stage_count(&s.stage, C_connections_moved),
           (unsigned long long)stage_count(&s.stage, C_mails_waited));
    fflush(stdout);
    for (unsigned i = 0; i < cores; i++)
        net_free(&s.stage.net[i]);
    check_trips(&s);
    stage_fini(&s.stage);
    free(s.trips);
}

int main(int argc, char **argv)
{
    uint64_t seed = torture_seed(argc, argv);

    torture_watchdog();
    play(2, 2, seed);
    play(3, 2, seed + 1);
    play(4, 4, seed + 2);
    return 0;
}
