/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/session_ask.h"

#include <stdlib.h>

#include "broker/access/hook_cache.h"
#include "broker/access/identity.h"
#include "broker/access/login_source.h"
#include "broker/internal.h"

/* A question under way, and who is told. It is cancelled before the session goes. */
struct asking_hook {
    struct session *session;
    uint32_t reloads;       /* the broker's, when it was asked */
    session_ask_done *done; /* NULL: it is about the will */
    void *context;
};

/* Answers about the packet that waits. The cache may lose them before the last one is there: then
 * they would be asked for again, for ever. No more than the packet has filters. */
struct asked_packet {
    uint32_t n, cap;
    struct asked_topic {
        struct hook_key key;
        bool allowed;
    } topic[];
};

enum { TOPICS_FIRST = 4 };

bool session_asks(const struct session *s)
{
    const struct access *a = s->broker->access;

    return s->identity && s->identity->source == IDENTITY_HOOK && a && a->hook &&
           hook_options(a->hook)->access;
}

static struct hook_text text_of(const struct session *s, enum hook_action action,
                                struct bytes topic, char address[LOGIN_ADDRESS])
{
    struct hook_text t = {
        .action = action,
        .user = identity_user(s->identity),
        .client_id = session_client_id(s),
        .address = login_address(s->identity->ip, address),
        .topic = topic,
    };

    if (s->identity->door) t.listener = bytes_str(s->identity->door->name);
    return t;
}

static bool is_allowed(enum hook_verdict v)
{
    return v != HOOK_DENY; /* ignored: the rules say it all */
}

static const struct asked_topic *find_asked(const struct asked_packet *p, const struct hook_key *k)
{
    for (uint32_t i = 0; p && i < p->n; i++)
        if (memcmp(p->topic[i].key.mac, k->mac, sizeof k->mac) == 0) return &p->topic[i];
    return NULL;
}

enum asked session_asked(struct session *s, enum hook_action action, struct bytes topic)
{
    struct broker *b = s->broker;
    char address[LOGIN_ADDRESS];
    struct hook_text text = text_of(s, action, topic, address);
    struct hook_key key;

    if (!b->answers_of_hook || !hook_cache_key(b->answers_of_hook, &text, &key))
        return ASKED_DENIED;
    const struct asked_topic *t = find_asked(s->asked, &key);
    if (t) return t->allowed ? ASKED_ALLOWED : ASKED_DENIED;
    const struct hook_answer *a = hook_cache_find(b->answers_of_hook, &key, &b->core->clock);
    if (a) return is_allowed(a->verdict) ? ASKED_ALLOWED : ASKED_DENIED;
    return s->ask_failed ? ASKED_DENIED : ASKED_UNKNOWN;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static bool keep_asked(struct session *s, const struct hook_key *k, bool allowed)
{
    struct asked_packet *p = s->asked;

    if (!p || p->n == p->cap) {
        uint32_t n = p ? p->n : 0, cap = p ? 2 * p->cap : TOPICS_FIRST;
        p = realloc(p, sizeof *p + cap * sizeof p->topic[0]);
        if (!p) return false;
        p->n = n;
        p->cap = cap;
        s->asked = p;
    }
    p->topic[p->n++] = (struct asked_topic){.key = *k, .allowed = allowed};
    return true;
}

/* What a failure allows it allows for this topic alone: who can bring one about is to get no
 * further by it. What it denies holds for all of the packet, so that nobody waits for each. */
static void settle_packet(struct session *s, struct hook_question *q, bool current)
{
    struct hook_cache *cache = s->broker->answers_of_hook;
    bool answered = q->answer.origin == HOOK_ANSWERED, allowed = is_allowed(q->answer.verdict);
    struct hook_key key;

    if (answered && !current) return; /* it is asked again */
    bool known = cache && hook_cache_key(cache, &q->text, &key);
    if (known && answered) hook_cache_put(cache, &key, &q->answer, &s->broker->core->clock);
    known = known && (answered || allowed) && keep_asked(s, &key, allowed);
    s->ask_failed = s->ask_failed || !known;
}

static void on_answer(struct hook_question *q)
{
    struct asking_hook *ask = q->context;
    struct session *s = ask->session;

    if (ask->done) {
        settle_packet(s, q, ask->reloads == s->broker->reloads);
        ask->done(ask->context);
    } else {
        s->will_allowed = is_allowed(q->answer.verdict);
        s->will_question = NULL;
    }
    free(ask);
    hook_question_free(&q);
}

static struct hook_question *ask(struct session *s, const struct hook_text *text,
                                 const struct asking_hook *how)
{
    struct core *core = s->broker->core;
    struct hook_question *q = hook_question_new(text, core->id, on_answer);
    struct asking_hook *own = malloc(sizeof *own);

    if (!q || !own) {
        free(own);
        hook_question_free(&q);
        return NULL;
    }
    *own = *how;
    q->context = own;
    q->drop_context = free;
    q->counters = &core->counters;
    hook_ask(s->broker->access->hook, q);
    return q;
}

struct hook_question *session_ask(struct session *s, const struct hook_text *what,
                                  session_ask_done *done, void *context)
{
    char address[LOGIN_ADDRESS];
    struct hook_text text = text_of(s, what->action, what->topic, address);
    const struct asking_hook how = {
        .session = s, .reloads = s->broker->reloads, .done = done, .context = context};

    return ask(s, &text, &how);
}

void session_ask_over(struct session *s)
{
    s->ask_failed = false;
    free(s->asked);
    s->asked = NULL;
}

void session_ask_will(struct session *s)
{
    char address[LOGIN_ADDRESS];
    const struct asking_hook how = {.session = s};
    struct hook_text text = text_of(s, HOOK_PUBLISH, message_topic(s->will), address);

    session_unask_will(s);
    s->will_question = ask(s, &text, &how);
}

void session_unask_will(struct session *s)
{
    if (s->will_question) hook_cancel(s->will_question);
    s->will_question = NULL;
    s->will_allowed = false;
}
