/* SPDX-License-Identifier: BSD-3-Clause */
/* session_grant.c -- what a session may do, asked on every path that a message takes.
 *
 * Publishing, retaining and clearing ask broker_publish; a will asks when it is sent;
 * subscribing asks for the filter; delivery asks when a topic's targets are looked up (match.c), a
 * share group when it chooses a member (group.c), and what waits or is sent again asks once
 * more when its turn comes. Home's. */
#include "broker/access/grant.h"
#include "broker/access/identity.h"
#include "broker/internal.h"
#include "broker/session_ask.h"
#include "broker/share.h"

void session_set_grant(struct session *s, const struct grant *g)
{
    if (grant_eq(s->grant, g)) {
        grant_free(&g);
        return;
    }
    grant_free(&s->grant);
    s->grant = g;
    if (s->subs) s->broker->local.generation++; /* cached targets were made by the old one */
    if (s->queue.head != s->queue.tail) s->recheck = true;
}

/* `rule`: 0 if none matched. */
static void tell(struct session *s, enum log_level level, const char *event, struct bytes topic,
                 uint32_t rule)
{
    LOG(&s->broker->core->log, level, event, F_TEXT("client", session_client_id(s)),
        F_TEXT("user", identity_user(s->identity)), F_TEXT("topic", topic), F_U64("rule", rule));
}

bool session_judge_publish(struct session *s, struct bytes topic)
{
    struct grant_verdict v = grant_judge(s->grant, ACL_WRITE, topic);
    bool asked = !s->asks || session_asked(s, HOOK_PUBLISH, topic) == ASKED_ALLOWED;
    if (v.allowed && asked && !acl_reserved(topic)) return true;
    count(&s->broker->core->counters, C_denied_publish);
    tell(s, LOG_INFO, "publish_denied", topic, v.place);
    return false;
}

bool session_may_subscribe(struct session *s, struct bytes filter)
{
    bool asked = !s->asks || session_asked(s, HOOK_SUBSCRIBE, filter) == ASKED_ALLOWED;
    if (asked && (LIKELY(!s->grant) || grant_may_subscribe(s->grant, filter))) return true;
    count(&s->broker->core->counters, C_denied_subscribe);
    LOG(&s->broker->core->log, LOG_INFO, "subscribe_denied", F_TEXT("client", session_client_id(s)),
        F_TEXT("user", identity_user(s->identity)), F_TEXT("filter", filter));
    return false;
}

/* With a wide filter this is everyday life: only for those who look for it. */
bool session_judge_read(struct session *s, const struct message *m)
{
    struct grant_verdict v = grant_judge(s->grant, ACL_READ, message_topic(m));
    if (v.allowed) return true;
    tell(s, LOG_DEBUG, "deliver_denied", message_topic(m), v.place);
    return false;
}

void session_withhold(struct session *s, struct pending *p)
{
    if (!p->group || !group_give_back(s->broker, p->group, p, s))
        count(&s->broker->core->counters, C_denied_deliver);
}
