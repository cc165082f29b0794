/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/session_ask.h"

#include <stdlib.h>

#include "broker/access/hook_cache.h"
#include "broker/access/identity.h"
#include "broker/access/login_source.h"
#include "broker/internal.h"

/* A question under way, and who is told. */
struct asking_hook {
    struct broker *broker;
    uint32_t session; /* its slot: it may be gone when the answer comes */
    uint32_t will_made_s;
    session_ask_done *done; /* NULL: it is about the will */
    void *context;
};

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

static enum asked asked_of(enum hook_verdict v)
{
    return v == HOOK_DENY ? ASKED_DENIED : ASKED_ALLOWED; /* ignored: the rules say it all */
}

enum asked session_asked(struct session *s, enum hook_action action, struct bytes topic)
{
    struct broker *b = s->broker;
    char address[LOGIN_ADDRESS];
    struct hook_text text = text_of(s, action, topic, address);
    struct hook_key key;

    if (!b->answers_of_hook || !hook_cache_key(b->answers_of_hook, &text, &key))
        return ASKED_DENIED;
    const struct hook_answer *a = hook_cache_find(b->answers_of_hook, &key, &b->core->clock);
    if (a) return asked_of(a->verdict);
    return s->ask_failed ? asked_of((enum hook_verdict)(s->ask_failed - 1)) : ASKED_UNKNOWN;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static void settle_will(struct session *s, const struct asking_hook *ask, enum asked answer)
{
    if (s->will_made_s == ask->will_made_s) s->will_allowed = answer == ASKED_ALLOWED;
}

static void on_answer(struct hook_question *q)
{
    struct asking_hook *ask = q->context;
    struct broker *b = ask->broker;
    struct session *s = slots_find(&b->session_ids, ask->session);
    enum hook_verdict verdict = q->answer.verdict;
    struct hook_key key;

    bool kept = q->answer.origin == HOOK_ANSWERED && b->answers_of_hook &&
                hook_cache_key(b->answers_of_hook, &q->text, &key);
    if (kept) hook_cache_put(b->answers_of_hook, &key, &q->answer, &b->core->clock);
    if (s && !s->dead) {
        if (!ask->done)
            settle_will(s, ask, asked_of(verdict));
        else if (!kept)
            s->ask_failed = (uint8_t)(verdict + 1);
    }
    if (ask->done) ask->done(ask->context);
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
        .broker = s->broker, .session = s->id, .done = done, .context = context};

    return ask(s, &text, &how);
}

void session_ask_over(struct session *s)
{
    s->ask_failed = 0;
}

void session_ask_will(struct session *s)
{
    char address[LOGIN_ADDRESS];
    const struct asking_hook how = {
        .broker = s->broker, .session = s->id, .will_made_s = s->will_made_s};
    struct hook_text text = text_of(s, HOOK_PUBLISH, message_topic(s->will), address);

    s->will_allowed = false;
    ask(s, &text, &how);
}
