/* SPDX-License-Identifier: BSD-3-Clause */
/* login_who.c -- the steps of a login that find out who it is: by what can be said at once, on a
 * helper thread, by a web service, or in an exchange with the client. */
#include <arpa/inet.h>
#include <string.h>

#include "broker/access/hook_cache.h"
#include "broker/access/login_internal.h"

/* ---- by ourselves --------------------------------------------------------------------------- */

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
    case SOURCE_REFUSES:
        login_refuse(l, s->nobody ? LOGIN_NO_IDENTITY : LOGIN_WRONG, s->setting);
        if (s->why) l->answer.why = s->why;
        return NEXT_GO_ON;
    case SOURCE_ASKS: l->step = STEP_HOOK; return NEXT_GO_ON;
    default: return login_refuse(l, LOGIN_UNAVAILABLE, s->setting);
    }
}

/* It need not be hashed again for a while. */
static void note_password(struct login *l)
{
    struct broker *b = l->broker;
    const struct password_entry *e;

    if (l->source.who->source != IDENTITY_PASSWORD) return;
    e = password_file_find(l->access->passwords, l->claim.user);
    password_cache_keep(&b->passwords, e, l->claim.password, core_now_s(b->core));
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
    if (l->source.verdict == SOURCE_KNOWS) note_password(l);
    on_source(l, &l->source);
    login_run(l);
}

/* Was this password right a moment ago? */
static bool was_right(const struct login *l)
{
    const struct broker *b = l->broker;
    const struct password_entry *e = NULL;

    if (!l->access->passwords || !l->claim.has_user || !l->claim.has_password) return false;
    e = password_file_find(l->access->passwords, l->claim.user);
    return e && password_cache_knows(&b->passwords, e, l->claim.password, core_now_s(b->core));
}

enum next login_ask_who(struct login *l)
{
    struct core *core = l->broker->core;
    struct source_answer s = source_now(l->access, &l->claim);

    if (s.verdict == SOURCE_ASKS && was_right(l))
        s = source_known(&l->claim, IDENTITY_PASSWORD, l->claim.user);
    if (s.verdict != SOURCE_ASKS) return on_source(l, &s);
    l->job = (struct helper_job){.work = work, .done = work_done};
    if (!core->helpers || helper_submit(core->helpers, core->id, &l->job) < 0)
        return login_refuse(l, LOGIN_BUSY, "helper_threads");
    l->at_work = true;
    return NEXT_WAIT;
}

/* ---- by a web service ----------------------------------------------------------------------- */

struct bytes login_address(const uint8_t ip[16], char out[LOGIN_ADDRESS])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF}, none[16];
    bool is_v4 = memcmp(ip, v4, sizeof v4) == 0;

    if (memcmp(ip, none, sizeof none) == 0) return BYTES("unix");
    inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? ip + 12 : ip, out, LOGIN_ADDRESS);
    return bytes_str(out);
}

static struct hook_text question_of(const struct login_claim *c, char address[LOGIN_ADDRESS])
{
    struct hook_text q = {
        .action = HOOK_LOGIN, .client_id = c->client_id, .address = login_address(c->ip, address)};

    if (c->has_user) q.user = c->user;
    if (c->has_password) q.password = c->password;
    if (c->door) q.listener = bytes_str(c->door->name);
    if (c->certificate.n) q.certificate = c->certificate;
    return q;
}

static enum next on_hook(struct login *l, const struct hook_answer *a)
{
    struct source_given g = {a->user, &a->rules, a->expires_s};

    if (!g.user.n) g.user = l->claim.user;
    if (a->verdict == HOOK_ALLOW) {
        struct source_answer yes = source_given(&l->claim, IDENTITY_HOOK, &g);
        return on_source(l, &yes);
    }
    if (a->origin == HOOK_ANSWERED) return login_refuse(l, LOGIN_WRONG, NULL);
    login_refuse(l, LOGIN_UNAVAILABLE, "hook.on_failure");
    l->answer.why = hook_origin_word(a->origin);
    return NEXT_GO_ON;
}

static void hook_done(struct hook_question *q)
{
    struct login *l = q->context;
    struct broker *b = l->broker;
    const struct hook_answer *a = &q->answer;
    struct hook_key key;

    l->question = NULL;
    bool current = l->access == b->access; /* else the cache was cleared meanwhile, for a reason */
    if (current && b->answers_of_hook && hook_cache_key(b->answers_of_hook, &q->text, &key))
        a = hook_cache_put(b->answers_of_hook, &key, &q->answer, &b->core->clock);
    on_hook(l, a);
    hook_question_free(&q);
    login_run(l);
}

/* The answer to the same question, if it is known. */
static const struct hook_answer *answer_known(struct login *l, const struct hook_text *text)
{
    struct broker *b = l->broker;
    struct hook_key key;

    if (!b->answers_of_hook) b->answers_of_hook = hook_cache_new(hook_options(l->access->hook));
    if (!b->answers_of_hook || !hook_cache_key(b->answers_of_hook, text, &key)) return NULL;
    return hook_cache_find(b->answers_of_hook, &key, &b->core->clock);
}

enum next login_ask_hook(struct login *l)
{
    char address[LOGIN_ADDRESS];
    struct hook_text text = question_of(&l->claim, address);
    struct core *core = l->broker->core;
    const struct hook_answer *known = answer_known(l, &text);

    if (known) {
        count(&core->counters, C_hook_cached);
        return on_hook(l, known);
    }
    l->question = hook_question_new(&text, core->id, hook_done);
    if (!l->question) return login_refuse(l, LOGIN_UNAVAILABLE, NULL);
    l->question->counters = &core->counters;
    l->question->context = l;
    hook_ask(l->access->hook, l->question);
    return NEXT_WAIT;
}

/* ---- an exchange ---------------------------------------------------------------------------- */

enum next login_begin_exchange(struct login *l)
{
    uint64_t luck[(SCRAM_LUCK + 7) / 8];
    bool known = bytes_eq(l->claim.method, LOGIN_SCRAM);

    if (!known || !l->access || !l->access->passwords)
        return login_refuse(l, LOGIN_BAD_METHOD, "access.passwords");
    for (unsigned i = 0; i < ARRAY_LEN(luck); i++)
        luck[i] = rng_os_seed();
    l->exchange = scram_new((const uint8_t *)luck);
    if (!l->exchange) return login_refuse(l, LOGIN_UNAVAILABLE, NULL);
    l->data = l->claim.data;
    l->step = STEP_EXCHANGE;
    return NEXT_GO_ON;
}

enum next login_exchange(struct login *l)
{
    struct writer w = wr_of(l->answer.say, sizeof l->answer.say);
    enum scram_turn turn = scram_take(l->exchange, l->access->passwords, l->data, &w);

    if (turn == SCRAM_REFUSES) return login_refuse(l, LOGIN_WRONG, NULL);
    if (turn == SCRAM_KNOWS && !source_is_certified(&l->claim, scram_user(l->exchange)))
        return login_refuse(l, LOGIN_WRONG, "listeners: tls: identity");
    l->answer.nsay = wr_len(&w);
    if (turn == SCRAM_GOES_ON) {
        l->answer.verdict = LOGIN_GOES_ON;
        return NEXT_WAIT;
    }
    l->answer.identity = identity_new(l->claim.door, l->claim.ip, scram_user(l->exchange));
    if (!l->answer.identity) return login_refuse(l, LOGIN_UNAVAILABLE, NULL);
    l->answer.identity->source = IDENTITY_PASSWORD;
    l->step = STEP_PLACE_OF_USER;
    return NEXT_GO_ON;
}
