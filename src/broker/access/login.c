/* SPDX-License-Identifier: BSD-3-Clause */
/* login.c -- the steps of a login, in the order of login.h.
 *
 * A step either answers at once, and the next one follows, or it waits: for other cores, for a
 * helper thread. If none had to wait the answer is there before login_begin() returns. What the
 * client said is copied, and wiped when the login ends. */
#include "broker/access/login.h"

#include <stdlib.h>
#include <string.h>

#include "broker/access/guard.h"
#include "broker/access/login_source.h"
#include "broker/access/scram.h"
#include "broker/internal.h"

enum step {
    STEP_PLACES, /* of the listener and the address */
    STEP_WHO,
    STEP_EXCHANGE, /* the client proves itself, message by message */
    STEP_PLACE_OF_USER,
    STEP_TAKEN,
    STEP_DONE,
};

enum next { NEXT_GO_ON, NEXT_WAIT };

struct login {
    struct helper_job job; /* while `at_work` */
    struct broker *broker;
    struct access *access; /* one use: what held when it began */
    struct login_claim claim;
    struct login_answer answer;
    struct source_answer source;
    login_done *done;
    void *asker;
    int64_t wall_s;
    struct scram *exchange;
    struct bytes data; /* of the client, in the exchange; borrowed */
    enum step step;
    bool at_work; /* a helper thread has it */
    bool gone;    /* nobody asks any more */
    size_t said;
    uint8_t text[]; /* what the client said */
};

const char *login_text(enum login_verdict v)
{
    static const char *const texts[LOGIN_VERDICTS] = {
#define VERDICT(name, counter, text) [LOGIN_##name] = (text),
#include "broker/access/login_verdicts.def"
#undef VERDICT
    };
    return texts[v];
}

static void count_verdict(struct broker *b, enum login_verdict v)
{
    static const uint8_t counters[LOGIN_VERDICTS] = {
#define VERDICT(name, counter, text) [LOGIN_##name] = C_##counter,
#include "broker/access/login_verdicts.def"
#undef VERDICT
    };
    count(&b->core->counters, (enum counter)counters[v]);
}

/* ---- its life ------------------------------------------------------------------------------ */

static struct bytes keep(struct login *l, struct bytes b)
{
    uint8_t *at = l->text + l->said;
    if (b.n) memcpy(at, b.p, b.n);
    l->said += b.n;
    return bytes_of(at, b.n);
}

static struct login *login_new(struct broker *b, const struct login_claim *c)
{
    size_t n = c->client_id.n + c->user.n + c->password.n + c->certificate.n + c->data.n;
    struct login *l = calloc(1, sizeof *l + n);

    if (!l) return NULL;
    l->broker = b;
    l->access = access_ref(b->access);
    l->claim = *c;
    l->claim.client_id = keep(l, c->client_id);
    l->claim.user = keep(l, c->user);
    l->claim.password = keep(l, c->password);
    l->claim.certificate = keep(l, c->certificate);
    l->claim.data = keep(l, c->data);
    l->wall_s = (int64_t)(b->core->clock.wall_ms / 1000);
    return l;
}

static void login_free(struct login *l)
{
    scram_free(&l->exchange);
    access_unref(&l->access);
    explicit_bzero(l->text, l->said);
    free(l);
}

static enum next refuse(struct login *l, enum login_verdict v, const char *setting)
{
    guard_drop(&l->answer.pass, v == LOGIN_WRONG);
    identity_free(&l->answer.identity);
    l->answer = (struct login_answer){.verdict = v, .why = login_text(v), .setting = setting};
    l->step = STEP_DONE;
    return NEXT_GO_ON;
}

/* ---- places --------------------------------------------------------------------------------- */

static enum next on_guard(struct login *l, enum guard_answer a)
{
    switch (a) {
    case GUARD_OK: l->step = l->step == STEP_PLACES ? STEP_WHO : STEP_TAKEN; return NEXT_GO_ON;
    case GUARD_ASKED: return NEXT_WAIT;
    case GUARD_TOO_MANY:
        return refuse(l, LOGIN_TOO_MANY,
                      "limits.address_connections, limits.user_connections or listeners: "
                      "connections");
    case GUARD_TOO_FAST: return refuse(l, LOGIN_TOO_FAST, "limits.connect_rate");
    case GUARD_BANNED: return refuse(l, LOGIN_BANNED, "limits.login_failures");
    default: return refuse(l, LOGIN_UNAVAILABLE, NULL);
    }
}

static void run(struct login *l);

static void on_places(void *login, enum guard_answer a)
{
    struct login *l = login;
    on_guard(l, a);
    run(l);
}

static bool is_anybody(const struct guard_request *r)
{
    for (unsigned i = 0; i < GUARD_KINDS; i++)
        if (r->name[i].wanted) return false;
    return true;
}

static enum next ask_guard(struct login *l, const struct guard_request *r)
{
    if (is_anybody(r)) return on_guard(l, GUARD_OK);
    if (!l->answer.pass) l->answer.pass = guard_pass_new(l->broker, on_places, l);
    if (!l->answer.pass) return refuse(l, LOGIN_UNAVAILABLE, NULL);
    return on_guard(l, guard_ask(l->answer.pass, r));
}

/* Addresses of this machine are free, and so is who has none (a Unix socket, a test). */
static bool is_local(const uint8_t ip[16])
{
    static const uint8_t none[16], loopback_6[16] = {[15] = 1};
    static const uint8_t loopback_4[13] = {[10] = 0xFF, [11] = 0xFF, [12] = 127};

    return memcmp(ip, none, 16) == 0 || memcmp(ip, loopback_6, 16) == 0 ||
           memcmp(ip, loopback_4, 13) == 0;
}

static bool is_watched(const struct guard_limits *g, const struct login_claim *c)
{
    return !is_local(c->ip) && (g->address_connections || g->connect_rate || g->failures);
}

static enum next ask_places(struct login *l)
{
    const struct guard_limits *g = &l->broker->guard.limits;
    const struct login_claim *c = &l->claim;
    struct guard_request r = {.name = {[GUARD_USER] = {.wanted = false}}};

    if (c->door && c->door->connections_max) {
        struct bytes door = bytes_of(&c->door, sizeof(void *)); /* as good a name as any */
        r.name[GUARD_LISTENER] = (struct guard_name){guard_hash(l->broker, GUARD_LISTENER, door),
                                                     c->door->connections_max, true};
    }
    if (is_watched(g, c)) {
        struct bytes ip = bytes_of(c->ip, sizeof c->ip);
        r.name[GUARD_ADDRESS] = (struct guard_name){guard_hash(l->broker, GUARD_ADDRESS, ip),
                                                    g->address_connections, true};
    }
    return ask_guard(l, &r);
}

static enum next ask_place_of_user(struct login *l)
{
    uint32_t max = l->claim.again ? 0 : l->broker->guard.limits.user_connections;
    struct bytes user = identity_user(l->answer.identity);
    struct guard_request r = {.name = {[GUARD_USER] = {.wanted = max > 0 && user.n > 0}}};

    if (r.name[GUARD_USER].wanted) {
        r.name[GUARD_USER].hash = guard_hash(l->broker, GUARD_USER, user);
        r.name[GUARD_USER].max = max;
    }
    return ask_guard(l, &r);
}

/* ---- who is it ------------------------------------------------------------------------------ */

static void work(struct helper_job *job)
{
    struct login *l = CONTAINER_OF(job, struct login, job);
    l->source = source_work(l->access, &l->claim, l->wall_s);
}

static enum next on_source(struct login *l, const struct source_answer *s)
{
    switch (s->verdict) {
    case SOURCE_KNOWS:
        l->answer.identity = s->who;
        l->step = STEP_PLACE_OF_USER;
        return NEXT_GO_ON;
    case SOURCE_REFUSES: return refuse(l, s->nobody ? LOGIN_NO_IDENTITY : LOGIN_WRONG, s->setting);
    default: return refuse(l, LOGIN_UNAVAILABLE, s->setting);
    }
}

static void work_done(struct helper_job *job)
{
    struct login *l = CONTAINER_OF(job, struct login, job);

    l->at_work = false;
    if (l->gone) {
        guard_drop(&l->answer.pass, l->source.verdict == SOURCE_REFUSES);
        identity_free(&l->source.who);
        login_free(l);
        return;
    }
    on_source(l, &l->source);
    run(l);
}

static enum next ask_who(struct login *l)
{
    struct core *core = l->broker->core;
    struct source_answer s = source_now(l->access, &l->claim);

    if (s.verdict != SOURCE_ASKS) return on_source(l, &s);
    l->job = (struct helper_job){.work = work, .done = work_done};
    if (!core->helpers || helper_submit(core->helpers, core->id, &l->job) < 0)
        return refuse(l, LOGIN_BUSY, "helper_threads");
    l->at_work = true;
    return NEXT_WAIT;
}

/* ---- an exchange ---------------------------------------------------------------------------- */

static enum next begin_exchange(struct login *l)
{
    uint64_t luck[(SCRAM_LUCK + 7) / 8];
    bool known = bytes_eq(l->claim.method, LOGIN_SCRAM);

    if (!known || !l->access || !l->access->passwords)
        return refuse(l, LOGIN_BAD_METHOD, "access.passwords");
    for (unsigned i = 0; i < ARRAY_LEN(luck); i++)
        luck[i] = rng_os_seed();
    l->exchange = scram_new((const uint8_t *)luck);
    if (!l->exchange) return refuse(l, LOGIN_UNAVAILABLE, NULL);
    l->data = l->claim.data;
    l->step = STEP_EXCHANGE;
    return NEXT_GO_ON;
}

static enum next go_on_with_exchange(struct login *l)
{
    struct writer w = wr_of(l->answer.say, sizeof l->answer.say);
    enum scram_turn turn = scram_take(l->exchange, l->access->passwords, l->data, &w);

    if (turn == SCRAM_REFUSES) return refuse(l, LOGIN_WRONG, NULL);
    l->answer.nsay = wr_len(&w);
    l->answer.verdict = LOGIN_GOES_ON;
    if (turn == SCRAM_GOES_ON) return NEXT_WAIT;
    l->answer.identity = identity_new(l->claim.door, l->claim.ip, scram_user(l->exchange));
    if (!l->answer.identity) return refuse(l, LOGIN_UNAVAILABLE, NULL);
    l->answer.identity->source = IDENTITY_PASSWORD;
    l->step = STEP_PLACE_OF_USER;
    return NEXT_GO_ON;
}

/* ---- all steps ------------------------------------------------------------------------------ */

static enum next take(struct login *l)
{
    l->answer.verdict = LOGIN_TAKEN;
    l->step = STEP_DONE;
    return NEXT_GO_ON;
}

static enum next take_step(struct login *l)
{
    switch (l->step) {
    case STEP_PLACES: return ask_places(l);
    case STEP_WHO: return l->claim.has_method ? begin_exchange(l) : ask_who(l);
    case STEP_EXCHANGE: return go_on_with_exchange(l);
    case STEP_PLACE_OF_USER: return ask_place_of_user(l);
    case STEP_TAKEN: return take(l);
    default: return NEXT_WAIT;
    }
}

/* Goes on until a step waits or all are done; true: done. */
static bool go_on(struct login *l)
{
    if (l->step != STEP_DONE) l->answer.verdict = LOGIN_WAITS;
    while (l->step != STEP_DONE && take_step(l) == NEXT_GO_ON)
        ;
    return l->step == STEP_DONE;
}

/* After a wait. */
static void run(struct login *l)
{
    bool over = go_on(l);

    if (over) count_verdict(l->broker, l->answer.verdict);
    if (over || l->answer.verdict == LOGIN_GOES_ON) l->done(l->asker, &l->answer);
    if (over) login_free(l);
}

/* At the client's word: the login, or NULL if it is over. */
static struct login *run_now(struct login *l, struct login_answer *answer)
{
    bool over = go_on(l);

    *answer = l->answer;
    if (!over) return l;
    count_verdict(l->broker, answer->verdict);
    login_free(l);
    return NULL;
}

/* Without a guard to ask and a source to wait for, which is how most come in by loopback. */
static bool decide_now(struct broker *b, const struct login_claim *c, struct login_answer *answer)
{
    if (c->has_method) return false;
    if (c->door && (c->door->connections_max || is_watched(&b->guard.limits, c))) return false;
    struct source_answer s = source_now(b->access, c);
    if (s.verdict == SOURCE_KNOWS && !s.who) {
        *answer = (struct login_answer){.verdict = LOGIN_TAKEN};
        return true;
    }
    identity_free(&s.who);
    return false;
}

struct login *login_begin(struct broker *b, const struct login_claim *c, login_done *done,
                          void *asker, struct login_answer *answer)
{
    if (decide_now(b, c, answer)) {
        count_verdict(b, answer->verdict);
        return NULL;
    }
    struct login *l = login_new(b, c);
    if (!l) {
        *answer = (struct login_answer){.verdict = LOGIN_UNAVAILABLE,
                                        .why = login_text(LOGIN_UNAVAILABLE)};
        count_verdict(b, answer->verdict);
        return NULL;
    }
    l->done = done;
    l->asker = asker;
    if (c->again) l->step = STEP_WHO;
    return run_now(l, answer);
}

struct login *login_say(struct login *l, struct bytes data, struct login_answer *answer)
{
    ASSERT(l->step == STEP_EXCHANGE);
    l->data = data;
    return run_now(l, answer);
}

void login_cancel(struct login **lp)
{
    struct login *l = *lp;

    *lp = NULL;
    if (!l) return;
    l->gone = true;
    if (l->at_work) return; /* it comes back, and is freed then */
    guard_drop(&l->answer.pass, false);
    identity_free(&l->answer.identity);
    login_free(l);
}
