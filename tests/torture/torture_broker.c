/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_broker.c -- the whole broker on real threads, with rings that are always too small.
 *
 * Steady clients publish and check; around them guests come and go in a storm, under a
 * few ids so that they take each other's sessions over, from several threads (see
 * torture_actors.h for who they are). In some worlds the cores stop in the middle of it.
 * In the end nothing is left: no connection, no byte of a pool, no file descriptor. */
#include "torture_actors.h"

/* ---- a thread -----------------------------------------------------------------------------------
 */

static void ended(struct actor *a)
{
    bool may_end = !a->role->steady || atomic_load(&a->w->ending);
    REQUIRE(may_end);
    client_close(&a->c, false);
}

static void hear(struct actor *a)
{
    struct packet p;
    size_t heard = 0;
    bool goes_on = client_read(&a->c);

    while (a->c.fd >= 0 && client_next(&a->c, &heard, &p))
        a->role->on_packet(a, &p);
    client_forget(&a->c, heard);
    if (!goes_on && a->c.fd >= 0) ended(a);
}

static struct pollfd prepare(struct actor *a)
{
    if (a->c.fd < 0 && !atomic_load(&a->w->ending)) a->role->begin(a);
    if (a->c.fd >= 0 && a->role->act) a->role->act(a);
    if (a->c.fd >= 0 && !client_flush(&a->c)) a->c.nout = 0; /* the end is heard as well */
    return (struct pollfd){.fd = a->c.fd, .events = a->c.nout ? POLLIN | POLLOUT : POLLIN};
}

/* Guests act whether or not anybody has something to say to them, so nobody waits for long. */
static void party_round(struct party *p)
{
    enum { PACE_MS = 1 };
    struct pollfd fds[ACTORS];

    for (unsigned i = 0; i < p->n; i++)
        fds[i] = prepare(p->actor[i]);
    REQUIRE(poll(fds, p->n, PACE_MS) >= 0);
    for (unsigned i = 0; i < p->n; i++)
        if (p->actor[i]->c.fd >= 0 && fds[i].revents & ~POLLOUT) hear(p->actor[i]);
}

static void *party_main(void *arg)
{
    struct party *p = arg;

    while (!over(p->w))
        party_round(p);
    for (unsigned i = 0; i < p->n; i++)
        client_close(&p->actor[i]->c, i % 2);
    return NULL;
}

static struct actor *party_add(struct party *p, const struct role *role, const char *filter)
{
    struct actor *a = calloc(1, sizeof *a);

    REQUIRE(a && p->n < ACTORS);
    a->role = role;
    a->filter = filter;
    a->party = p;
    a->w = p->w;
    a->c.fd = -1;
    a->teller = p->number;
    a->id[1] = a->acked = (uint16_t)-1; /* odd */
    snprintf(a->c.id, sizeof a->c.id, "c%u-%u", p->number, p->n);
    p->actor[p->n++] = a;
    return a;
}

/* An actor that lives on core `home`. */
static struct actor *party_add_at(struct party *p, const struct role *role, const char *filter,
                                  unsigned home)
{
    struct actor *a = party_add(p, role, filter);
    unsigned n = 0;

    do {
        snprintf(a->c.id, sizeof a->c.id, "c%u-%u-%u", p->number, p->n, n++);
    } while (broker_home(p->w->broker[0], 0, bytes_str(a->c.id)) != home % p->w->stage.cores);
    return a;
}

static struct actor *party_add_hearer(struct party *p, const struct role *role, const char *filter,
                                      unsigned home)
{
    struct actor *a = party_add_at(p, role, filter, home);
    a->heard = calloc(1, sizeof *a->heard);
    REQUIRE(a->heard);
    return a;
}

static void party_init(struct party *p, struct world *w, unsigned number)
{
    *p = (struct party){
        .w = w, .number = number, .guest_lives = GUEST_LIVES, .newcomer_lives = NEWCOMER_LIVES};
    rng_seed(&p->luck, w->seed * THREADS + number);
    party_add_at(p, &TELLER, NULL, number + 1);
    party_add_at(p, &MEMBER, GROUP, number);
    party_add(p, &NEWCOMER, NULL);
    for (unsigned i = 0; i < GUESTS; i++)
        party_add(p, &GUEST, NULL);
}

/* ---- worlds -----------------------------------------------------------------------------------
 */

static void on_handover(void *broker, unsigned from, const struct mail *m)
{
    (void)from;
    net_on_handover(broker_core(broker)->ops.net, m);
}

static void on_relief(void *broker, uint32_t account, uint32_t bytes)
{
    net_on_relief(broker_core(broker)->ops.net, account, bytes);
}

/* Small limits that slow things down, but none that loses what must not be lost. */
static void core_make(struct world *w, unsigned i)
{
    static const struct mqtt_options mo = MQTT_OPTIONS_DEFAULT;
    struct broker_options bo = BROKER_OPTIONS_DEFAULT;
    struct net_options no = NET_OPTIONS_DEFAULT;
    struct core *c = &w->stage.core[i];

    bo.receive_max = 10;
    bo.window_max = 10;
    bo.match_cache = 8;
    no.mail_handover = MAIL_HANDOVER;
    no.debt_bytes_max = 2000;
    no.read_bytes = 4096;
    w->broker[i] = broker_new(c, &bo, w->seed);
    REQUIRE(w->broker[i]);
    w->mqtt[i] = mqtt_core_new(c, w->broker[i], &mo);
    REQUIRE(w->mqtt[i]);
    w->stage.net[i] = net_new(c, &no, w->mqtt[i]);
    REQUIRE(w->stage.net[i]);
    c->ops = (struct turn_ops){.deliver = broker_deliver,
                               .flush = stage_flush,
                               .broker = w->broker[i],
                               .net = w->stage.net[i],
                               .block_home = message_on_home};
    mesh_port_bind(c->mesh, w->handlers, BROKER_MAIL_KINDS, on_relief, w->broker[i]);
}

static void world_init(struct world *w, unsigned cores, uint32_t slots)
{
    w->left = LEFT;
    stage_init(&w->stage, cores, slots, w->seed);
    w->stage.listener.proto = &mqtt_proto;
    broker_mail_handlers(w->handlers);
    w->handlers[MAIL_HANDOVER] = on_handover;
    for (unsigned i = 0; i < cores; i++)
        core_make(w, i);
}

/* The brokers give back what they hold, and blocks of other cores go home. */
static void world_fini(struct world *w)
{
    unsigned cores = w->stage.cores;

    for (unsigned i = 0; i < cores; i++) {
        net_free(&w->stage.net[i]);
        mqtt_core_free(&w->mqtt[i]);
        broker_free(&w->broker[i]);
    }
    for (unsigned i = 0; i < 3 * cores; i++) {
        struct core *c = &w->stage.core[i % cores];
        pool_flush_home(c->pool);
        pool_take_home(c->pool, message_on_home, c);
    }
    stage_fini(&w->stage);
}

static void check_same_order(struct actor *const hearer[3])
{
    for (unsigned i = 1; i < 3; i++)
        for (unsigned topic = 0; topic < SAID; topic++)
            REQUIRE(memcmp(hearer[0]->heard->order[topic], hearer[i]->heard->order[topic],
                           sizeof hearer[0]->heard->order[topic]) == 0);
}

static void report(const struct world *w)
{
    const struct stage *s = &w->stage;
    printf("%u cores, %llu connections, %llu moved, %llu taken over, %llu routed, %llu sent, "
           "%llu mails waited\n",
           s->cores, (unsigned long long)stage_count(s, C_connections_accepted),
           (unsigned long long)stage_count(s, C_connections_moved),
           (unsigned long long)stage_count(s, C_takeovers),
           (unsigned long long)stage_count(s, C_messages_routed),
           (unsigned long long)stage_count(s, C_messages_sent),
           (unsigned long long)stage_count(s, C_mails_waited));
    fflush(stdout);
}

/* Lets the clients live until they are done, or stops the cores after some lives of guests. */
static void run(struct world *w, struct party party[THREADS], unsigned lives)
{
    pthread_t thread[THREADS];

    stage_start(&w->stage);
    for (unsigned i = 0; i < THREADS; i++)
        thread[i] = torture_start(party_main, &party[i]);
    while (lives && atomic_load(&w->lives) < lives)
        sched_yield();
    if (lives) stage_stop(&w->stage);
    atomic_store(&w->ending, lives > 0);
    for (unsigned i = 0; i < THREADS; i++)
        torture_join(thread[i]);
    if (!lives) stage_stop(&w->stage);
    stage_settle(&w->stage);
}

static void play(unsigned cores, uint32_t slots, uint64_t seed, unsigned lives)
{
    struct world *w = aligned_alloc(alignof(struct world), sizeof *w);
    struct party party[THREADS];
    struct actor *hearer[3];

    REQUIRE(w);
    memset(w, 0, sizeof *w);
    w->seed = seed;
    world_init(w, cores, slots);
    for (unsigned i = 0; i < THREADS; i++)
        party_init(&party[i], w, i);
    hearer[0] = party_add_hearer(&party[0], &HEARER, "s/+", 0);
    hearer[1] = party_add_hearer(&party[1], &HEARER, "s/#", 1);
    hearer[2] = party_add_hearer(&party[1], &RESTLESS, "s/+", 2);
    run(w, party, lives);
    if (!lives) check_same_order(hearer);
    report(w);
    world_fini(w);
    for (unsigned i = 0; i < 3; i++)
        free(hearer[i]->heard);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned k = 0; k < party[i].n; k++)
            free(party[i].actor[k]);
    free(w);
}

int main(int argc, char **argv)
{
    uint64_t seed = torture_seed(argc, argv);

    torture_watchdog();
    play(2, 2, seed, 0);
    play(3, 4, seed + 1, 0);
    play(4, 2, seed + 2, 0);
    play(4, 2, seed + 3, 60);
    play(2, 4, seed + 4, 200);
    return 0;
}
