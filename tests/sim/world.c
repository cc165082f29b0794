/* SPDX-License-Identifier: BSD-3-Clause */
/* world.c -- the story of a run: calm, storm, calm again, a look at what is owed, farewell. */
#include "world.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"

enum {
    ROUNDS_MAX = 200000, /* to come to rest */
    JUMPS_MAX = 100,     /* waits for a timer while something is outstanding */
    STARVED_STEPS_MAX = 400,
    STEP_NS_MAX = 300000,
    ROUND_NS = 20000,
    FILL_AT_ONCE = 500,
    FILLERS = 4 * FILL_AT_ONCE,
    LEAP_NS_MAX = 1500000000,
    WILL_WAIT_S = 10, /* longer than any will's delay */
    FOLD_STEPS = 2000,
    ORPHANS_WAIT_S = 3600, /* as the journal has it */
};

static bool over(const struct world *w)
{
    return w->trace.broken[0] != 0;
}

/* ---- coming to rest ------------------------------------------------------------------------- */

static bool anybody_busy(const struct world *w)
{
    for (unsigned i = 0; i < w->clients; i++)
        if (client_busy(&w->client[i])) return true;
    return !net_quiet();
}

static void name_the_hanging(struct world *w)
{
    for (unsigned i = 0; i < w->clients; i++) {
        struct client *c = &w->client[i];
        if (client_busy(c))
            broken(&w->trace,
                   "%s waits for ever (phase %d, %u in flight, %u asked, %u old connections)",
                   c->name, c->phase, c->nflight, c->nasked, c->nghosts + !!c->stale);
    }
    broken(&w->trace, "bytes wait for ever for a core that sleeps");
}

/* Everybody once. True if anything happened. */
static bool round_of_all(struct world *w)
{
    bool any = false;
    unsigned first = any_below(w->cores);
    for (unsigned i = 0; i < w->cores; i++)
        any |= cores_run_one(w, (first + i) % w->cores);
    for (unsigned i = 0; i < w->clients; i++)
        any |= client_act(&w->client[i], false);
    return any;
}

/* Nothing moves: on to the next timer. False if there is nothing to wait for. */
static bool jump(struct world *w, unsigned *jumps)
{
    uint64_t timer = cores_wake_ns(w);
    if (timer == UINT64_MAX || ++*jumps > JUMPS_MAX) return false;
    machine()->now_ns = timer;
    return true;
}

void world_settle(struct world *w)
{
    unsigned jumps = 0;
    machine()->calm = true;
    for (unsigned rounds = 0; !over(w); rounds++) {
        if (rounds == ROUNDS_MAX) {
            broken(&w->trace, "the cores don't come to rest");
            return;
        }
        machine()->now_ns += ROUND_NS;
        if (round_of_all(w) || !cores_asleep(w)) continue;
        if (!anybody_busy(w)) return;
        if (!jump(w, &jumps)) name_the_hanging(w);
    }
}

static void wait_s(struct world *w, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        machine()->now_ns += NS_PER_S;
        world_settle(w);
    }
}

/* ---- storm
 * ---------------------------------------------------------------------------------------- */

static void run_a_core(struct world *w)
{
    unsigned i = any_below(w->cores);
    struct place *p = &w->place[i];
    if (p->starved) return;
    cores_run_one(w, i);
    if (once_in(200)) p->starved = any_below(STARVED_STEPS_MAX);
}

static void time_passes(struct world *w)
{
    machine()->now_ns += any_below(STEP_NS_MAX);
    if (once_in(400)) machine()->now_ns += any_below(LEAP_NS_MAX);
    for (unsigned i = 0; i < w->cores; i++)
        if (w->place[i].starved) w->place[i].starved--;
}

/* Runs all cores but `without` until they sleep, with no news from the clients. */
void world_run_until_asleep(struct world *w, unsigned without)
{
    for (unsigned rounds = 0; rounds < ROUNDS_MAX; rounds++) {
        bool any = false;
        machine()->now_ns += ROUND_NS;
        for (unsigned i = 0; i < w->cores; i++)
            if (i != without) any |= cores_run_one(w, i);
        if (!any) return;
    }
    broken(&w->trace, "the cores don't fall asleep");
}

/* The clients pause, and one core is slow: the others fill its rings and fall asleep. When it
 * has caught up, it must have woken whoever still had something for it. */
static void lull(struct world *w)
{
    world_run_until_asleep(w, any_below(w->cores));
    world_run_until_asleep(w, w->cores);
    uint64_t sent = 0, taken = 0;
    for (unsigned i = 0; i < w->cores; i++) {
        struct mesh_counts m = mesh_counts(w->place[i].core.mesh);
        sent += m.sent;
        taken += m.taken;
    }
    if (sent != taken)
        broken(&w->trace, "%llu mails wait while all cores sleep",
               (unsigned long long)(sent - taken));
}

/* The disk starts to fail, or to be full. */
static void spoil_disk(struct world *w)
{
    static const struct {
        enum sim_call call;
        int error;
        bool is_short;
    } ways[] = {{SIM_SYNC, EIO, false}, {SIM_WRITE, EIO, false}, {SIM_WRITE, ENOSPC, true}};
    unsigned way = any_below(ARRAY_LEN(ways) + 1);
    struct sim_disk *d = w->sim;
    oracle_trouble(&w->oracle);
    if (way == ARRAY_LEN(ways)) {
        d->bytes_max = d->bytes + any_below(200000);
        trace(&w->trace, "the disk will be full at %llu bytes", (unsigned long long)d->bytes_max);
        return;
    }
    d->fail_call = ways[way].call;
    d->fail_errno = ways[way].error;
    d->fail_short = ways[way].is_short;
    d->fail_all = once_in(2);
    d->fail_at = 1 + any_below(8);
    trace(&w->trace, "the disk will fail: way %u%s", way, d->fail_all ? ", for good" : "");
}

/* All who have a session come back for what is theirs. */
static void return_all(struct world *w)
{
    for (unsigned i = 0; i < w->clients; i++) {
        struct client *c = &w->client[i];
        if (c->phase == AWAY && c->have == HAVE_SESSION) client_connect(c, false, true);
    }
    world_settle(w);
}

/* A full disk refuses new things, but all that waits is delivered: to those that come back, unless
 * there is no room to write even of that; then they are sent away. */
static void check_consuming(struct world *w)
{
    bool all = true;
    world_settle(w);
    if (!over(w)) return_all(w);
    wait_s(w, 2);
    for (unsigned i = 0; i < w->clients; i++)
        all &= w->client[i].phase == ONLINE || w->client[i].have == HAVE_NONE;
    uint64_t queued = cores_count(w, C_queued);
    if (!over(w) && all && queued)
        broken(&w->trace, "the disk is full, and %llu messages wait for clients that are there",
               (unsigned long long)queued);
    trace(&w->trace, "the disk is full: %s", all ? "all were there" : "some were not let in");
}

static void storm(struct world *w, unsigned steps)
{
    unsigned spoiled = w->may_spoil && once_in(3) ? any_below(steps + 1) : steps;
    machine()->calm = false;
    for (unsigned i = 0; i < steps && !over(w); i++) {
        if (i == spoiled) spoil_disk(w);
        if (w->sim && w->sim->nsteps > FOLD_STEPS) sim_disk_fold(w->sim);
        for (unsigned k = 1 + any_below(3); k > 0; k--)
            run_a_core(w);
        client_act(&w->client[any_below(w->clients)], true);
        if (once_in(250)) client_harm(&w->client[any_below(w->clients)]);
        if (once_in(100)) lull(w);
        time_passes(w);
    }
    for (unsigned i = 0; i < w->cores; i++)
        w->place[i].starved = 0;
}

/* ---- before and after
 * ------------------------------------------------------------------------------- */

static void add_client(struct world *w, enum role role)
{
    struct client *c = &w->client[w->clients];
    client_init(c, w->clients++, &w->trace, &w->oracle);
    c->role = role;
    if (role == ROLE_MEMBER) c->lasting = true;
    if (role == ROLE_CHECKER) c->lasting = false;
}

static void fill(struct world *w, bool clear)
{
    for (unsigned i = 0; i < w->fillers && !over(w); i += FILL_AT_ONCE) {
        client_fill(&w->client[0], i, i + FILL_AT_ONCE, clear);
        world_settle(w);
    }
}

static void begin(struct world *w)
{
    add_client(w, ROLE_WITNESS);
    struct client *witness = &w->client[0];
    witness->lasting = w->sim;
    client_connect(witness, !w->sim, true);
    world_settle(w);
    if (witness->phase != ONLINE) broken(&w->trace, "the first client is not let in");
    if (over(w)) return;
    w->oracle.witness = witness->seat;
    client_subscribe(witness, FILTER_ALL, false, 2);
    world_settle(w);
    if (once_in(12)) w->fillers = FILLERS;
    fill(w, false);
    unsigned plain = 3 + any_below(10), members = any_below(8);
    while (plain--)
        add_client(w, ROLE_PLAIN);
    while (members--)
        add_client(w, ROLE_MEMBER);
}

static void check_retained(struct world *w)
{
    struct oracle *o = &w->oracle;
    add_client(w, ROLE_CHECKER);
    struct client *c = &w->client[w->clients - 1];
    client_connect(c, true, true);
    world_settle(w);
    if (over(w)) return;
    client_subscribe(c, FILTER_ALL, false, (uint8_t)any_below(3));
    world_settle(w);
    for (unsigned t = 0; t < TOPICS && !over(w); t++) {
        const struct receipts *got = &c->seat->retained[t];
        uint32_t wanted = oracle_retained(&w->oracle, t);
        uint32_t number = got->n ? got->at[0].number : CLEAR;
        bool fits = number == wanted || (o->crashes && oracle_may_be_retained(o, t, number));
        if (got->n > 1 || !fits)
            broken(&w->trace, "a new subscriber got %u retained messages on %s (%u instead of %u)",
                   got->n, topic_name(t), number, wanted);
    }
}

static void leave_for_good(struct world *w, struct client *c)
{
    client_connect(c, true, true);
    world_settle(w);
    client_leave(c);
    world_settle(w);
}

/* Everything goes: sessions, with their wills, and at last what is retained. */
static void farewell(struct world *w)
{
    struct client *witness = &w->client[0];
    for (unsigned i = 1; i < w->clients; i++)
        client_leave(&w->client[i]);
    world_settle(w);
    for (unsigned i = 1; i < w->clients && !over(w); i++) {
        struct client *c = &w->client[i];
        if (c->have != HAVE_NONE) leave_for_good(w, c);
    }
    for (unsigned t = 0; t < TOPICS && !over(w); t++) {
        client_publish(witness, t, 1, true, true);
        world_settle(w);
    }
    fill(w, true);
    client_leave(witness);
    world_settle(w);
    if (witness->have != HAVE_NONE) leave_for_good(w, witness);
    wait_s(w, 2);
    if (!w->sim || !cores_count(w, C_sessions)) return;
    machine()->now_ns += ORPHANS_WAIT_S * NS_PER_S; /* for members of groups after a crash */
    wait_s(w, 2);
}

static void check_empty(struct world *w)
{
    static const enum counter all[] = {C_sessions, C_subscriptions,  C_queued,
                                       C_retained, C_retained_bytes, C_connections};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        uint64_t left = cores_count(w, all[i]);
        if (left)
            broken(&w->trace, "when all had gone, %llu %s were left", (unsigned long long)left,
                   counter_name(all[i]));
    }
    for (unsigned i = 0; i < w->cores; i++) {
        const struct place *p = &w->place[i];
        size_t used = pool_bytes_used(p->core.pool);
        if (used != w->bytes_at_rest[i] && !w->moves)
            broken(&w->trace, "when all had gone, core %u used %zu bytes instead of %zu", i, used,
                   w->bytes_at_rest[i]);
    }
}

static void tell(struct world *w, const struct world_options *o)
{
    begin(w);
    for (unsigned i = 0; i < o->crashes && !over(w); i++) {
        w->may_spoil = true;
        storm(w, any_below(2 * o->steps / (o->crashes + 1) + 1));
        if (!over(w) && w->sim->bytes_max) check_consuming(w);
        if (!over(w)) world_crash(w);
    }
    w->may_spoil = false;
    if (!over(w)) storm(w, o->steps / (o->crashes + 1));
    world_settle(w);
    if (!over(w)) wait_s(w, WILL_WAIT_S);
    if (!over(w) && !o->crashes) oracle_judge_shares(&w->oracle, true);
    if (!over(w)) return_all(w);
    if (!over(w)) oracle_judge(&w->oracle);
    if (!over(w)) check_retained(w);
    if (!over(w)) farewell(w);
    if (!over(w)) check_empty(w);
}

bool world_run(struct world *w, const struct world_options *o)
{
    memset(w, 0, sizeof *w);
    trace_init(&w->trace, o->print);
    oracle_init(&w->oracle, &w->trace);
    machine_init(o->seed);
    cores_choose(w, o);
    w->moves = o->moves;
    w->sim = o->disk ? sim_disk_new() : NULL;
    cores_start(w);
    tell(w, o);
    cores_stop(w);
    sim_disk_free(&w->sim);
    for (unsigned i = 0; i < w->clients; i++)
        client_fini(&w->client[i]);
    machine_fini();
    oracle_fini(&w->oracle);
    return !over(w);
}
