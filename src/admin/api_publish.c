/* SPDX-License-Identifier: BSD-3-Clause */
/* api_publish.c -- publishes a message that a request describes. Its topic's owner does it, and
 * says what became of it. */
#include <stdlib.h>

#include "admin/ask.h"
#include "admin/param.h"
#include "admin/publish_body.h"
#include "base/err.h"

struct publish {
    struct ask ask;
    struct publish_body body;
    int status;
};

static struct publish *publish_of(struct ask *a)
{
    return CONTAINER_OF(a, struct publish, ask);
}

static void fini(struct ask *a)
{
    publish_body_fini(&publish_of(a)->body);
}

static void look(struct ask *a, struct broker *there)
{
    struct publish *p = publish_of(a);

    p->status = broker_publish_here(there, &p->body.publication);
}

static void back(struct ask *a)
{
    int status = publish_of(a)->status;

    if (status == 0)
        http_answer(a->x, &(struct http_answer){.status = 204});
    else /* subscribers got it all the same */
        admin_problem(a->x, status == -ERR_FULL ? 409 : 503, "retain",
                      "it was not retained: a limit is reached, or memory is");
    ask_done(a);
}

void admin_on_publish(struct http_exchange *x)
{
    static const struct ask_kind kind = {
        .bytes = sizeof(struct publish), .look = look, .back = back, .fini = fini};

    if (!param_known(x, "")) return;
    struct ask *a = ask_new(x, &kind);
    if (!a) return;
    const struct broker *b = a->admin->broker;
    struct publish *p = publish_of(a);
    const char *field, *fault = publish_body_read(&p->body, x->body, &field);
    if (fault) {
        admin_problem(x, 400, field, fault);
        ask_done(a);
        return;
    }
    p->body.publication.topic_hash = broker_topic_hash(b, p->body.publication.topic);
    ask_send(a, broker_owner(b, p->body.publication.topic_hash));
}
