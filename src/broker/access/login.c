/* SPDX-License-Identifier: BSD-3-Clause */
/* login.c -- the steps of a login, in the order of login.h.
 *
 * A step either answers at once, and the next one follows, or it waits: for other cores, for a
 * helper thread. If none had to wait the answer is there before login_begin() returns. What the
 * client said is copied, and wiped when the login ends. */
#include "broker/access/login.h"

#include <stdlib.h>
#include <string.h>

#include "broker/access/login_internal.h"

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

void login_free(struct login *l)
{
    scram_free(&l->exchange);
    access_unref(&l->access);
    explicit_bzero(l->text, l->said);
    free(l);
}

enum next login_refuse(struct login *l, enum login_verdict v, const char *setting)
{
    guard_drop(&l->answer.pass, v == LOGIN_WRONG);
    identity_free(&l->answer.identity);
    l->answer = (struct login_answer){.verdict = v, .why = login_text(v), .setting = setting};
    l->step = STEP_DONE;
    return NEXT_GO_ON;
}

/* ---- a configuration that is replaced meanwhile ------------------------------------------------
 */

/* What it has proved counts no more, and it can't be asked again from here. */
static enum next refuse_outdated(struct login *l)
{
    login_refuse(l, LOGIN_UNAVAILABLE, NULL);
    l->answer.why = "the configuration has changed meanwhile";
    return NEXT_GO_ON;
}

enum next login_start_over(struct login *l)
{
    if (l->exchange) return refuse_outdated(l);
    identity_free(&l->answer.identity);
    access_unref(&l->access);
    l->access = access_ref(l->broker->access);
    l->step = STEP_WHO;
    return NEXT_GO_ON;
}

/* ---- all steps ------------------------------------------------------------------------------ */

static enum next take(struct login *l)
{
    if (l->access != l->broker->access) return refuse_outdated(l);
    l->answer.verdict = LOGIN_TAKEN;
    l->step = STEP_DONE;
    return NEXT_GO_ON;
}

static enum next take_step(struct login *l)
{
    switch (l->step) {
    case STEP_PLACES: return login_ask_places(l);
    case STEP_WHO: return l->claim.has_method ? login_begin_exchange(l) : login_ask_who(l);
    case STEP_HOOK: return login_ask_hook(l);
    case STEP_EXCHANGE: return login_exchange(l);
    case STEP_PLACE_OF_USER: return login_ask_place_of_user(l);
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
void login_run(struct login *l)
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
    if (c->door && (c->door->connections_max || login_is_watched(&b->guard.limits, c)))
        return false;
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
    if (l->question) hook_cancel(l->question);
    guard_drop(&l->answer.pass, false);
    identity_free(&l->answer.identity);
    login_free(l);
}
