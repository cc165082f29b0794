/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_actors.h -- who plays in torture_broker.c, and what each of them checks.
 *
 *   tellers    every QoS 1 and 2 message is acknowledged, in order.
 *   hearers    each hears every message of s/0 to s/7 once, each teller's in order; one of
 *              them breaks its connection again and again. All of them, wherever they live,
 *              hear the same order per topic.
 *   members    of a shared subscription, guests among them: no message is stranded.
 *   newcomers  get the retained message and then each later one, none twice, none missed.
 *   guests     check nothing: they are the storm.
 *
 * Two numbers stand in each payload that is checked: the teller's, and the message's among
 * that teller's on that topic. An actor belongs to one thread; what the threads tell
 * each other is atomic. */
#pragma once

#include "proto/mqtt/mqtt_session.h"
#include "torture_client.h"

enum {
    THREADS = 2,
    SAID = 8,             /* topics s/0 to s/7, heard by all hearers */
    KEPT = SAID,          /* r/<teller>: retained */
    SHARED = SAID + 1,    /* x/<teller>: to one member of the group */
    TOPICS = SAID + 2,    /* that a teller publishes to */
    EACH = 600,           /* messages of a teller to each of them */
    IN_FLIGHT = 16,       /* of a teller */
    GUESTS = 6,           /* of a thread */
    GUEST_IDS = 5,        /* that all guests share */
    GUEST_LIVES = 400,    /* of a thread's guests, together */
    NEWCOMER_LIVES = 150, /* of a thread's */
    BREAKS = 60,          /* of the restless hearer */
    IDS = 1 << 16,
    ACTORS = 5 + GUESTS, /* at most, of a thread */
};

#define GROUP "$share/g/x/+"

struct actor;

/* What an actor does; a member may be NULL. */
struct role {
    void (*on_packet)(struct actor *a, const struct packet *p);
    void (*act)(struct actor *a);   /* once in every round while it is connected */
    void (*begin)(struct actor *a); /* while it is not: connects, or leaves it */
    bool steady;                    /* nobody may end its connection */
};

struct world {
    struct stage stage;
    struct broker *broker[STAGE_CORES_MAX];
    struct mqtt_core *mqtt[STAGE_CORES_MAX];
    mail_fn *handlers[BROKER_MAIL_KINDS];
    uint64_t seed;
    _Atomic unsigned subscribed; /* steady subscribers: tellers wait for them */
    _Atomic unsigned left;       /* tellers, hearers, shared messages, thread's guests to be done */
    _Atomic unsigned lives;
    _Atomic bool ending; /* connections may end at any moment, and no new ones come */
    _Atomic bool shared[THREADS][EACH]; /* messages that a member got */
};

enum { SUBSCRIBERS = 5, LEFT = THREADS + 3 + THREADS * EACH + THREADS };

/* What a hearer has heard. */
struct heard {
    uint32_t next[SAID][THREADS]; /* number of each teller's next message */
    uint32_t n[SAID];
    uint32_t order[SAID][THREADS * EACH];
    uint32_t total;
    bool pending[IDS]; /* QoS 2 packets that are not released yet */
};

struct actor {
    struct client c;
    const struct role *role;
    struct world *w;
    struct party *party;
    const char *filter; /* steady subscribers' */
    bool waits;         /* for CONNACK or PINGRESP, before it goes on */
    bool present;       /* its session is known to exist */
    unsigned teller;    /* number of it */
    unsigned steps;     /* that a guest has still to live */

    /* Tellers. Packets of QoS 1 have odd ids, those of QoS 2 even ones. */
    uint32_t next[TOPICS]; /* also newcomers': [0] and [1], the number that must come */
    uint16_t id[3];        /* last id used, by QoS */
    uint16_t acked, received, completed;
    unsigned in_flight, breaks;

    struct heard *heard;
};

/* A thread and its clients. */
struct party {
    struct world *w;
    struct rng luck;
    unsigned number, guest_lives, newcomer_lives;
    struct actor *actor[ACTORS];
    unsigned n;
};

static unsigned below(struct actor *a, unsigned n)
{
    return (unsigned)rng_below(&a->party->luck, n);
}

static void done(struct world *w)
{
    atomic_fetch_sub(&w->left, 1);
}

static bool over(struct world *w)
{
    return atomic_load(&w->ending) || atomic_load(&w->left) == 0;
}

/* ---- what all of them do ------------------------------------------------------------------- */

static void acknowledge(struct actor *a, const struct packet *p)
{
    if (p->type == TYPE_PUBREL) client_say_id(&a->c, 0x70, p->id);
    if (p->type != TYPE_PUBLISH || p->qos == 0) return;
    client_say_id(&a->c, p->qos == 1 ? 0x40 : 0x50, p->id);
}

static void publish(struct actor *a, unsigned flags, unsigned id, const char *topic,
                    const uint32_t number[2])
{
    struct body b = {0};
    unsigned padding = below(a, 8) ? below(a, 40) : below(a, 1200);

    put_text(&b, topic);
    if (flags & 6) put_u16(&b, id);
    put_bytes(&b, number, 2 * sizeof number[0]);
    for (unsigned i = 0; i < padding; i++)
        put_u8(&b, 'x');
    client_say(&a->c, 0x30 | flags, &b);
}

/* Reads the two numbers that a message of a teller carries. */
static void numbers(const struct packet *p, uint32_t number[2])
{
    REQUIRE(p->nrest >= 2 * sizeof number[0]);
    memcpy(number, p->rest, 2 * sizeof number[0]);
    REQUIRE(number[0] < THREADS && number[1] < EACH);
}

static bool is_topic(const struct packet *p, char first)
{
    return p->topic_n >= 3 && p->topic[0] == first && p->topic[1] == '/';
}

/* The digit behind "s/". */
static unsigned topic_number(const struct packet *p)
{
    REQUIRE(p->topic_n == 3 && p->topic[2] >= '0' && p->topic[2] <= '9');
    return (unsigned)(p->topic[2] - '0');
}

static void mark_shared(struct world *w, const struct packet *p)
{
    uint32_t n[2];
    numbers(p, n);
    if (!atomic_exchange(&w->shared[n[0]][n[1]], true)) done(w);
}

/* Connects for the first time and subscribes. */
static void begin_steady(struct actor *a)
{
    if (a->present || !client_connect(&a->c, &a->w->stage.listener.addr, true, NULL)) return;
    a->present = true;
    if (a->filter) client_subscribe(&a->c, 1, a->filter, 2);
}

/* ---- tellers --------------------------------------------------------------------------------- */

static unsigned qos_of(unsigned topic)
{
    return topic < SAID ? 1 + topic % 2 : 1;
}

static void tell(struct actor *a, unsigned topic)
{
    unsigned qos = qos_of(topic), flags = qos << 1 | (topic == KEPT ? 1u : 0u);
    uint32_t number[2] = {a->teller, a->next[topic]++};
    char name[8];

    if (topic < SAID)
        snprintf(name, sizeof name, "s/%u", topic);
    else
        snprintf(name, sizeof name, "%c/%u", topic == KEPT ? 'r' : 'x', a->teller);
    a->id[qos] = (uint16_t)(a->id[qos] + 2);
    a->in_flight++;
    publish(a, flags, a->id[qos], name, number);
}

static void teller_act(struct actor *a)
{
    if (atomic_load(&a->w->subscribed) < SUBSCRIBERS) return;
    for (unsigned i = 0; i < 4 && a->in_flight < IN_FLIGHT && client_has_room(&a->c); i++) {
        unsigned topic = below(a, TOPICS), tries = 0;
        while (a->next[topic] == EACH && tries++ < TOPICS)
            topic = (topic + 1) % TOPICS;
        if (a->next[topic] == EACH) return;
        tell(a, topic);
    }
}

static void teller_settled(struct actor *a)
{
    unsigned left = 0;
    a->in_flight--;
    for (unsigned i = 0; i < TOPICS; i++)
        left += EACH - a->next[i];
    if (left == 0 && a->in_flight == 0) done(a->w);
}

static void in_order(uint16_t *last, uint16_t id)
{
    *last = (uint16_t)(*last + 2);
    REQUIRE(id == *last); /* [MQTT-4.6.0-2] [MQTT-4.6.0-3] */
}

static void teller_on_packet(struct actor *a, const struct packet *p)
{
    switch (p->type) {
    case TYPE_PUBACK:
        in_order(&a->acked, p->id);
        teller_settled(a);
        break;
    case TYPE_PUBREC:
        in_order(&a->received, p->id);
        client_say_id(&a->c, 0x62, p->id);
        break;
    case TYPE_PUBCOMP:
        in_order(&a->completed, p->id);
        teller_settled(a);
        break;
    default: REQUIRE(p->type == TYPE_CONNACK);
    }
}

static const struct role TELLER = {
    .on_packet = teller_on_packet, .act = teller_act, .begin = begin_steady, .steady = true};

/* ---- hearers --------------------------------------------------------------------------------- */

static void hearer_take(struct actor *a, const struct packet *p)
{
    struct heard *h = a->heard;
    unsigned topic = topic_number(p);
    uint32_t n[2];

    numbers(p, n);
    REQUIRE(p->qos == qos_of(topic) && !p->retained);
    if (p->qos == 1 && n[1] < h->next[topic][n[0]]) { /* it was sent again */
        REQUIRE(p->dup && a->breaks > 0);
        return;
    }
    REQUIRE(n[1] == h->next[topic][n[0]]);
    h->next[topic][n[0]]++;
    h->order[topic][h->n[topic]++] = n[0] << 24 | n[1];
    if (++h->total == SAID * THREADS * EACH) done(a->w);
}

static void hearer_on_packet(struct actor *a, const struct packet *p)
{
    struct heard *h = a->heard;

    if (p->type == TYPE_CONNACK) REQUIRE(p->rest[1] == 0);
    if (p->type == TYPE_SUBACK) {
        REQUIRE(p->nrest == 1 && p->rest[0] == 2);
        atomic_fetch_add(&a->w->subscribed, 1);
    }
    bool again = p->type == TYPE_PUBLISH && p->qos == 2 && h->pending[p->id];
    if (again) REQUIRE(p->dup && a->breaks > 0);
    if (p->type == TYPE_PUBLISH && p->qos == 2) h->pending[p->id] = true;
    if (p->type == TYPE_PUBREL) h->pending[p->id] = false;
    if (p->type == TYPE_PUBLISH && !again) hearer_take(a, p);
    acknowledge(a, p);
}

static const struct role HEARER = {
    .on_packet = hearer_on_packet, .begin = begin_steady, .steady = true};

/* The hearer that breaks its connection: its session outlives it. */
static void restless_begin(struct actor *a)
{
    if (!client_connect(&a->c, &a->w->stage.listener.addr, false, NULL)) return;
    if (!a->present) client_subscribe(&a->c, 1, a->filter, 2);
    a->waits = true; /* an older CONNECT that is still on its way would take this one over */
}

static void restless_on_packet(struct actor *a, const struct packet *p)
{
    if (p->type == TYPE_CONNACK) {
        REQUIRE(p->rest[0] == a->present);
        a->waits = false;
    }
    if (p->type == TYPE_SUBACK) a->present = true;
    hearer_on_packet(a, p);
}

static void restless_act(struct actor *a)
{
    if (!a->present || a->waits || a->breaks == BREAKS || below(a, 40)) return;
    a->breaks++;
    if (below(a, 2)) client_flush(&a->c);
    client_close(&a->c, below(a, 2));
}

static const struct role RESTLESS = {
    .on_packet = restless_on_packet, .act = restless_act, .begin = restless_begin, .steady = true};

/* ---- members --------------------------------------------------------------------------------- */

static void member_on_packet(struct actor *a, const struct packet *p)
{
    if (p->type == TYPE_SUBACK) atomic_fetch_add(&a->w->subscribed, 1);
    if (p->type == TYPE_PUBLISH) mark_shared(a->w, p);
    acknowledge(a, p);
}

static const struct role MEMBER = {
    .on_packet = member_on_packet, .begin = begin_steady, .steady = true};

/* ---- newcomers ------------------------------------------------------------------------------- */

static void newcomer_begin(struct actor *a)
{
    if (a->party->newcomer_lives == 0 || over(a->w)) return;
    if (!client_connect(&a->c, &a->w->stage.listener.addr, true, NULL)) return;
    a->party->newcomer_lives--;
    memset(a->next, 0, sizeof a->next);
    a->steps = 1 + below(a, 60);
    client_subscribe(&a->c, 1, below(a, 2) ? "r/+" : below(a, 2) ? "r/0" : "r/1", 1 + below(a, 2));
}

static void newcomer_on_packet(struct actor *a, const struct packet *p)
{
    uint32_t n[2];

    acknowledge(a, p);
    if (p->type != TYPE_PUBLISH || a->c.fd < 0) return;
    numbers(p, n);
    REQUIRE(topic_number(p) == n[0]);
    if (p->retained)
        REQUIRE(a->next[n[0]] == 0); /* the first thing it hears of the topic */
    else
        REQUIRE(n[1] == a->next[n[0]]);
    a->next[n[0]] = n[1] + 1;
    if (n[1] + 1 == EACH || --a->steps == 0) client_close(&a->c, below(a, 2));
}

static const struct role NEWCOMER = {.on_packet = newcomer_on_packet, .begin = newcomer_begin};

/* ---- guests ---------------------------------------------------------------------------------- */

static void guest_begin(struct actor *a)
{
    struct party *p = a->party;

    if (p->guest_lives == 0 || over(a->w)) return;
    snprintf(a->c.id, sizeof a->c.id, "guest%u", below(a, GUEST_IDS));
    if (!client_connect(&a->c, &a->w->stage.listener.addr, below(a, 2),
                        below(a, 3) ? NULL : "n/will"))
        return;
    atomic_fetch_add(&a->w->lives, 1);
    if (--p->guest_lives == 0) done(a->w);
    a->steps = below(a, 40);
    a->waits = below(a, 4);
    a->id[1] = 0;
}

static void guest_subscribes(struct actor *a)
{
    static const char *const FILTERS[] = {"n/0",    "n/1", "n/2", "n/+", "n/#",
                                          "+/will", "s/3", GROUP, GROUP, "$share/h/n/+"};
    const char *filter = FILTERS[below(a, ARRAY_LEN(FILTERS))];

    bool member = strcmp(filter, GROUP) == 0;
    a->id[1]++;
    if (below(a, 3))
        client_subscribe(&a->c, a->id[1], filter, member ? 1 : below(a, 3));
    else
        client_unsubscribe(&a->c, a->id[1], filter);
}

static void guest_publishes(struct actor *a)
{
    static const char *const NAMES[] = {"n/0", "n/1", "n/2", "n/3"};
    unsigned qos = below(a, 3);

    publish(a, qos << 1 | (below(a, 3) == 0), ++a->id[1], NAMES[below(a, ARRAY_LEN(NAMES))],
            (uint32_t[2]){0, 0});
}

static void guest_asks(struct actor *a)
{
    client_say(&a->c, 0xC0, &(struct body){0});
    a->waits = true;
}

static void guest_goes(struct actor *a)
{
    if (below(a, 3) == 0) client_say(&a->c, 0xE0, &(struct body){0});
    if (below(a, 2)) client_flush(&a->c);
    client_close(&a->c, below(a, 2));
}

static void guest_act(struct actor *a)
{
    if (a->waits || !client_has_room(&a->c)) return;
    if (a->steps == 0) {
        guest_goes(a);
        return;
    }
    a->steps--;
    switch (below(a, 4)) {
    case 0: guest_subscribes(a); break;
    case 1: guest_asks(a); break;
    default: guest_publishes(a);
    }
}

static void guest_on_packet(struct actor *a, const struct packet *p)
{
    if (p->type == TYPE_CONNACK || p->type == TYPE_PINGRESP) a->waits = false;
    if (p->type == TYPE_PUBLISH && is_topic(p, 'x')) mark_shared(a->w, p);
    if (p->type == TYPE_PUBREC) client_say_id(&a->c, 0x62, p->id);
    if (below(a, 8)) acknowledge(a, p); /* some are slow, or never do */
}

static const struct role GUEST = {
    .on_packet = guest_on_packet, .act = guest_act, .begin = guest_begin};
