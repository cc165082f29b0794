/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_mesh.c -- cores on real threads, with rings that are always too small.
 *
 * flood: every core writes to every other as fast as it may. Its outbox has a limit,
 *   so it sleeps with mail in it and lives on being rung back.
 * tokens: a few mails wander from core to core, so nearly every one finds its receiver
 *   asleep or falling asleep. A lost wake-up ends the wandering.
 * strangers: threads that are no cores hand over a piece of work and ring.
 *
 * All mail is numbered per pair of cores: order and completeness are checked on arrival,
 * and the cell a mail points to shows that what was written before it is seen. */
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "core/mesh.h"
#include "torture.h"

enum { CORES_MAX = 4, FLOOD = 20000, HOPS = 20000, CALLS = 3000, OUTBOX_MAX = 4096 };
enum { KIND_FLOOD = 1, KIND_TOKEN, KINDS };

struct scene;

struct actor {
    struct scene *scene;
    struct mesh_port *port;
    struct rng luck;
    unsigned id;
    uint32_t sent[CORES_MAX], got[CORES_MAX];
    size_t charged; /* bytes in our outboxes, by what mesh_send and relief said */
    uint64_t *cell[CORES_MAX];
    _Atomic unsigned work, done; /* pieces that strangers handed over, and that we saw */
};

struct scene {
    struct mesh *mesh;
    unsigned cores;
    bool flood;
    unsigned tokens;
    _Atomic unsigned tokens_left, strangers_left;
    struct actor actor[CORES_MAX];
};

/* ---- an actor's mail ----------------------------------------------------------------- */

static void send_numbered(struct actor *a, unsigned to, uint8_t kind, uint16_t hops)
{
    uint32_t n = a->sent[to]++;
    struct mail m = {.kind = kind, .a = hops, .b = n};
    uint32_t bytes = 1 + (uint32_t)rng_below(&a->luck, 64);
    if (kind == KIND_FLOOD) {
        m.ptr = &a->cell[to][n];
        a->cell[to][n] = ~(uint64_t)n;
    }
    a->charged += mesh_send(a->port, to, m, a->id + 1, bytes);
}

static void check_number(struct actor *a, unsigned from, const struct mail *m)
{
    REQUIRE(m->b == a->got[from]);
    a->got[from]++;
}

static void on_flood(void *ctx, unsigned from, const struct mail *m)
{
    check_number(ctx, from, m);
    REQUIRE(*(uint64_t *)m->ptr == ~(uint64_t)m->b);
}

static void ring_everybody(struct scene *s)
{
    for (unsigned i = 0; i < s->cores; i++)
        mesh_ring(s->actor[i].port);
}

static void on_token(void *ctx, unsigned from, const struct mail *m)
{
    struct actor *a = ctx;
    struct scene *s = a->scene;
    check_number(a, from, m);
    if (m->a > 0)
        send_numbered(a, (unsigned)rng_below(&a->luck, s->cores), KIND_TOKEN, (uint16_t)(m->a - 1));
    else if (atomic_fetch_sub(&s->tokens_left, 1) == 1)
        ring_everybody(s);
}

static void on_relief(void *ctx, uint32_t account, uint32_t bytes)
{
    struct actor *a = ctx;
    REQUIRE(account == a->id + 1);
    REQUIRE(bytes <= a->charged);
    a->charged -= bytes;
}

static mail_fn *const HANDLERS[KINDS] = {[KIND_FLOOD] = on_flood, [KIND_TOKEN] = on_token};

/* ---- an actor's turns ---------------------------------------------------------------- */

static bool has_all_flood(const struct actor *a)
{
    for (unsigned i = 0; i < a->scene->cores; i++)
        if (i != a->id && (a->sent[i] < FLOOD || a->got[i] < FLOOD)) return false;
    return true;
}

static bool is_over(struct actor *a)
{
    struct scene *s = a->scene;
    if (s->flood && !has_all_flood(a)) return false;
    if (atomic_load(&s->tokens_left) > 0 || atomic_load(&s->strangers_left) > 0) return false;
    return mesh_outbox_bytes(a->port) == 0;
}

static bool has_sent_all(const struct actor *a)
{
    for (unsigned i = 0; i < a->scene->cores; i++)
        if (i != a->id && a->sent[i] < FLOOD) return false;
    return true;
}

/* A burst to one core, if it is one that lacks mail. False if too much waits already. */
static bool send_burst(struct actor *a)
{
    unsigned to = (unsigned)rng_below(&a->luck, a->scene->cores);
    uint64_t n = 1 + rng_below(&a->luck, 40);
    if (a->charged > OUTBOX_MAX) return false;
    if (to == a->id) return true;
    while (n-- > 0 && a->sent[to] < FLOOD)
        send_numbered(a, to, KIND_FLOOD, 0);
    return true;
}

static void sleep_if_allowed(struct actor *a)
{
    if (!mesh_may_sleep(a->port)) return;
    struct pollfd fd = {.fd = mesh_bell_fd(a->port), .events = POLLIN};
    poll(&fd, 1, -1);
    mesh_awake(a->port);
}

static void turn(struct actor *a)
{
    bool wants_turn = false;
    mesh_take(a->port);
    atomic_store(&a->done, atomic_load(&a->work));
    if (a->scene->flood && !has_sent_all(a)) wants_turn = send_burst(a);
    mesh_post(a->port);
    REQUIRE(mesh_outbox_bytes(a->port) == a->charged);
    if (!wants_turn && !is_over(a)) sleep_if_allowed(a);
}

static void *act(void *arg)
{
    struct actor *a = arg;
    if (a->id == 0)
        for (unsigned i = 0; i < a->scene->tokens; i++)
            send_numbered(a, (i + 1) % a->scene->cores, KIND_TOKEN, HOPS);
    while (!is_over(a))
        turn(a);
    return NULL;
}

/* ---- strangers ----------------------------------------------------------------------- */

/* Work for a random core, one piece after the other: a lost call is waited for in vain. */
static void *call(void *arg)
{
    struct scene *s = arg;
    struct rng luck;
    rng_seed(&luck, s->cores);
    for (unsigned i = 0; i < CALLS; i++) {
        struct actor *a = &s->actor[rng_below(&luck, s->cores)];
        unsigned piece = atomic_fetch_add(&a->work, 1) + 1;
        mesh_ring(a->port);
        while (atomic_load(&a->done) < piece)
            sched_yield();
    }
    if (atomic_fetch_sub(&s->strangers_left, 1) == 1) ring_everybody(s);
    return NULL;
}

/* ---- scenes -------------------------------------------------------------------------- */

struct plan {
    const char *name;
    unsigned cores;
    uint32_t slots;
    bool flood;
    unsigned tokens, strangers;
};

static void actor_init(struct actor *a, struct scene *s, unsigned id, uint64_t seed)
{
    a->scene = s;
    a->id = id;
    a->port = mesh_port_at(s->mesh, id);
    rng_seed(&a->luck, seed * CORES_MAX + id);
    mesh_port_bind(a->port, HANDLERS, KINDS, on_relief, a);
    for (unsigned to = 0; to < s->cores; to++) {
        a->cell[to] = calloc(FLOOD, sizeof a->cell[to][0]);
        REQUIRE(a->cell[to]);
    }
}

static void scene_report(const struct scene *s, const struct plan *plan)
{
    struct mesh_counts all = {0};
    for (unsigned i = 0; i < s->cores; i++) {
        struct mesh_counts c = mesh_counts(s->actor[i].port);
        all.sent += c.sent;
        all.taken += c.taken;
        all.waited += c.waited;
        all.bells += c.bells;
        for (unsigned k = 0; k < s->cores; k++)
            REQUIRE(s->actor[i].sent[k] == s->actor[k].got[i]);
    }
    REQUIRE(all.sent == all.taken);
    printf("%-10s %u cores, %3u slots: %llu mails in order, %llu waited, %llu wake-ups\n",
           plan->name, plan->cores, plan->slots, (unsigned long long)all.taken,
           (unsigned long long)all.waited, (unsigned long long)all.bells);
    fflush(stdout);
}

static void play(const struct plan *plan, uint64_t seed)
{
    enum { STRANGERS_MAX = 2 };
    struct scene s = {.cores = plan->cores, .flood = plan->flood, .tokens = plan->tokens};
    pthread_t core[CORES_MAX], stranger[STRANGERS_MAX];
    int err = 0;

    s.tokens_left = plan->tokens;
    s.strangers_left = plan->strangers;
    s.mesh = mesh_new(&(struct mesh_options){.cores = s.cores, .ring_slots = plan->slots}, &err);
    REQUIRE(s.mesh);
    for (unsigned i = 0; i < s.cores; i++)
        actor_init(&s.actor[i], &s, i, seed);
    for (unsigned i = 0; i < s.cores; i++)
        core[i] = torture_start(act, &s.actor[i]);
    for (unsigned i = 0; i < plan->strangers; i++)
        stranger[i] = torture_start(call, &s);
    for (unsigned i = 0; i < plan->strangers; i++)
        torture_join(stranger[i]);
    for (unsigned i = 0; i < s.cores; i++)
        torture_join(core[i]);

    scene_report(&s, plan);
    for (unsigned i = 0; i < s.cores; i++)
        for (unsigned to = 0; to < s.cores; to++)
            free(s.actor[i].cell[to]);
    mesh_free(&s.mesh);
}

int main(int argc, char **argv)
{
    static const struct plan PLANS[] = {
        {"flood", 2, 2, true, 0, 0},       {"flood", 2, 64, true, 0, 0},
        {"flood", 4, 4, true, 0, 0},       {"tokens", 2, 2, false, 1, 0},
        {"tokens", 3, 2, false, 2, 0},     {"tokens", 4, 16, false, 3, 0},
        {"strangers", 2, 2, false, 0, 2},  {"everything", 4, 2, true, 2, 2},
        {"everything", 3, 64, true, 1, 1},
    };
    uint64_t seed = torture_seed(argc, argv);

    torture_watchdog();
    for (size_t i = 0; i < ARRAY_LEN(PLANS); i++)
        play(&PLANS[i], seed + i);
    return 0;
}
