/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules, names and filters of any bytes. Held to this: a rule is refused or works; what is told
 * of a topic is what its rules say when they are read plainly; and a filter's answer agrees with
 * every topic that it matches.
 *
 * Input, in lines: user, client id, topic, filter, address, pattern, then rules: '+' or '-', a byte
 * for the action, the topic filter. A rule that begins with '*' is one of the client's own. */
#include "base/utf8.h"
#include "broker/access/glob.h"
#include "broker/access/grant_internal.h"
#include "broker/name.h"
#include "fuzz/fuzz.h"

enum { RULES_MAX = 24 };

struct rules {
    struct acl_rule rule[RULES_MAX];
    struct bytes topic[RULES_MAX];
    unsigned n;
};

static struct bytes take_line(struct bytes *in)
{
    const uint8_t *end = in->n ? memchr(in->p, '\n', in->n) : NULL;
    struct bytes line = bytes_of(in->p, end ? (size_t)(end - in->p) : in->n);
    *in = bytes_skip(*in, line.n + (end != NULL));
    return line;
}

static void add_rule(struct rules *to, struct bytes line)
{
    char error[ACL_ERROR];
    struct acl_rule *r = &to->rule[to->n];
    if (to->n == RULES_MAX || line.n < 2) return;
    to->topic[to->n] = bytes_skip(line, 2);
    *r = (struct acl_rule){.allow = line.p[0] == '+',
                           .actions = line.p[1] % 3 + 1,
                           .place = to->n + 1,
                           .topics = &to->topic[to->n],
                           .ntopics = line.n > 2};
    if (acl_rule_check(r, error) == 0) to->n++;
}

static bool is_topic(struct bytes t)
{
    size_t levels = 1;
    for (size_t i = 0; i < t.n; i++)
        levels += t.p[i] == '/';
    return t.n && levels <= NAME_LEVELS_MAX && utf8_valid(t) && !name_has_wildcard(t);
}

static bool is_filter(struct bytes f)
{
    char error[ACL_ERROR];
    struct acl_rule r = {.actions = ACL_READ, .topics = &f, .ntopics = 1};
    return f.n && acl_rule_check(&r, error) == 0;
}

static bool fits_plainly(const struct grant *g, const struct grant_rule *r, const void *topic)
{
    return (r->flags & GRANT_WHOLE) ||
           name_matches(grant_rule_filter(g, r), *(const struct bytes *)topic);
}

static void try_topic(const struct grant *g, const struct grant *strict, struct bytes topic,
                      struct bytes filter)
{
    for (uint8_t action = ACL_READ; action <= ACL_WRITE; action++) {
        struct grant_verdict v = grant_judge(g, action, topic);
        struct grant_verdict w = grant_decide(g, action, fits_plainly, &topic, topic.p[0] == '$');
        ASSERT(v.allowed == w.allowed && v.place == w.place && v.own == w.own);
    }
    if (!is_filter(filter) || !name_matches(filter, topic)) return;
    if (grant_may(g, ACL_READ, topic))
        ASSERT(grant_may_subscribe(g, filter));
    else
        ASSERT(!grant_may_subscribe(strict, filter));
}

static const struct grant *make(const struct rules *rules, const struct acl_subject *who,
                                struct acl_options o)
{
    const struct grant *g;
    struct acl *a = acl_new(rules->rule, rules->n, &o);
    ASSERT(a);
    int err = grant_new(&g, a, who);
    ASSERT(err == 0 && g);
    acl_free(&a);
    return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes whole = fuzz_copy(bytes_of(data, size)), in = whole;
    struct acl_subject who = {.user = take_line(&in)};
    struct acl_net net;
    char text[ACL_NET_TEXT];
    who.client_id = take_line(&in);
    struct bytes topic = take_line(&in), filter = take_line(&in), address = take_line(&in);
    struct bytes pattern = take_line(&in);
    static struct rules rules, own;
    rules.n = own.n = 0;
    while (in.n) {
        struct bytes line = take_line(&in);
        bool his = line.n && line.p[0] == '*';
        add_rule(his ? &own : &rules, his ? bytes_skip(line, 1) : line);
    }
    who.own = own.rule;
    who.nown = own.n;
    who.has_own = own.n > 0;

    if (acl_net_parse(&net, address) == 0) { /* what is written back means the same */
        struct acl_net again;
        int err = acl_net_parse(&again, bytes_str(acl_net_text(&net, text)));
        ASSERT(err == 0 && again.bits == net.bits && memcmp(again.ip, net.ip, 16) == 0);
    }
    if (pattern.n < 64) glob_matches(pattern, who.user);
    struct acl_options o = {.allow_rest = size % 2};
    const struct grant *g = make(&rules, &who, o);
    o.strict = true;
    const struct grant *strict = make(&rules, &who, o);
    if (is_topic(topic)) try_topic(g, strict, topic, filter);
    grant_free(&g);
    grant_free(&strict);
    fuzz_free(whole);
    return 0;
}
