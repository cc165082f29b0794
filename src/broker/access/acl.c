/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/acl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/utf8.h"
#include "broker/access/glob.h"
#include "broker/name.h"

struct acl {
    struct acl_options options;
    unsigned n;
    struct acl_rule rule[]; /* behind them: nets, topics, text */
};

/* ---- is it well-formed? --------------------------------------------------------------------- */

static int refuse(char *error, const char *what, const char *why)
{
    snprintf(error, ACL_ERROR, "%s: %s", what, why);
    return -ERR_INVALID;
}

static bool has(struct bytes s, const char *what)
{
    return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static bool is_variable(struct bytes level)
{
    return bytes_eq(level, BYTES("%u")) || bytes_eq(level, BYTES("%c"));
}

/* What is wrong with a topic filter, or NULL. */
static const char *topic_fault(struct bytes topic)
{
    struct level_iter it = level_iter(topic);
    unsigned levels = 0;

    if (topic.n == 0) return "it is empty";
    if (topic.n > ACL_TOPIC_MAX) return "it is longer than 1024 bytes";
    if (!utf8_valid(topic)) return "it is not UTF-8";
    if (bytes_starts(topic, BYTES("$share/"))) /* what is judged never begins so */
        return "it stands without $share/GROUP/, which rules do not see";
    for (struct bytes level; level_next(&it, &level); levels++) {
        bool wild = has(level, "+") || has(level, "#");
        if (wild && level.n > 1) return "+ and # are whole levels";
        if (has(level, "#") && it.more) return "# is the last level";
        if ((has(level, "%u") || has(level, "%c")) && !is_variable(level))
            return "%u and %c are whole levels";
    }
    return levels <= NAME_LEVELS_MAX ? NULL : "it has more than 128 levels";
}

static const char *pattern_fault(struct bytes pattern)
{
    if (pattern.n > ACL_PATTERN_MAX) return "it is longer than 256 bytes";
    return pattern.n && !utf8_valid(pattern) ? "it is not UTF-8" : NULL;
}

static const char *user_fault(struct bytes user)
{
    bool word = bytes_eq(user, BYTES("$anonymous")) || bytes_eq(user, BYTES("$authenticated"));
    if (!word && user.n && user.p[0] == '$') return "after $ stands anonymous or authenticated";
    return pattern_fault(user);
}

int acl_rule_check(const struct acl_rule *r, char *error)
{
    const char *why;

    if ((why = user_fault(r->user)) != NULL) return refuse(error, "user", why);
    if ((why = pattern_fault(r->client)) != NULL) return refuse(error, "client", why);
    if ((why = pattern_fault(r->listener)) != NULL) return refuse(error, "listener", why);
    if (r->actions == 0 || r->actions > ACL_ALL)
        return refuse(error, "action", "it is read, write or all");
    if (r->nnets > ACL_LIST_MAX) return refuse(error, "address", "more than 256 in one rule");
    if (r->ntopics > ACL_LIST_MAX) return refuse(error, "topics", "more than 256 in one rule");
    for (uint32_t i = 0; i < r->ntopics; i++) {
        char what[64];
        struct bytes t = r->topics[i];
        snprintf(what, sizeof what, "topics: \"%.*s\"", t.n < 40 ? (int)t.n : 40,
                 t.n ? (const char *)t.p : "");
        if ((why = topic_fault(t)) != NULL) return refuse(error, what, why);
    }
    return 0;
}

/* ---- one block --------------------------------------------------------------------------------
 */

/* What is left of the block, part by part. */
struct copy {
    struct acl_net *nets;
    struct bytes *topics;
    uint8_t *text;
};

static struct bytes copy_text(struct copy *c, struct bytes s)
{
    struct bytes own = bytes_of(c->text, s.n);
    if (s.n) memcpy(c->text, s.p, s.n);
    c->text += s.n;
    return own;
}

static struct acl_rule copy_rule(struct copy *c, const struct acl_rule *r)
{
    struct acl_rule own = *r;

    own.user = copy_text(c, r->user);
    own.client = copy_text(c, r->client);
    own.listener = copy_text(c, r->listener);
    own.nets = c->nets;
    if (r->nnets) memcpy(c->nets, r->nets, r->nnets * sizeof *r->nets);
    c->nets += r->nnets;
    own.topics = c->topics;
    for (uint32_t i = 0; i < r->ntopics; i++)
        *c->topics++ = copy_text(c, r->topics[i]);
    return own;
}

struct acl *acl_new(const struct acl_rule *rules, unsigned n, const struct acl_options *o)
{
    size_t nets = 0, topics = 0, text = 0;

    ASSERT(n <= ACL_RULES_MAX);
    for (unsigned i = 0; i < n; i++) {
        nets += rules[i].nnets;
        topics += rules[i].ntopics;
        text += rules[i].user.n + rules[i].client.n + rules[i].listener.n;
        for (uint32_t k = 0; k < rules[i].ntopics; k++)
            text += rules[i].topics[k].n;
    }
    size_t head = sizeof(struct acl) + n * sizeof(struct acl_rule);
    struct acl *a =
        malloc(head + topics * sizeof(struct bytes) + nets * sizeof(struct acl_net) + text + 1);
    if (!a) return NULL;
    struct copy c = {.topics = (struct bytes *)(void *)((char *)a + head)};
    c.nets = (struct acl_net *)(void *)(c.topics + topics);
    c.text = (uint8_t *)(c.nets + nets);
    *a = (struct acl){.options = *o, .n = n};
    for (unsigned i = 0; i < n; i++)
        a->rule[i] = copy_rule(&c, &rules[i]);
    return a;
}

void acl_free(struct acl **a)
{
    free(*a);
    *a = NULL;
}

const struct acl_rule *acl_rules(const struct acl *a, unsigned *n)
{
    *n = a->n;
    return a->rule;
}

const struct acl_options *acl_options(const struct acl *a)
{
    return &a->options;
}

/* ---- does it concern this client? ---------------------------------------------------------------
 */

/* The words are judged before any text of the client's: a user who calls himself
 * "$authenticated" is not one of them by that. */
static bool user_fits(struct bytes user, struct bytes who)
{
    if (user.n == 0) return true;
    if (bytes_eq(user, BYTES("$anonymous"))) return who.n == 0;
    if (who.n == 0) return false; /* a pattern is for those who have a name */
    return bytes_eq(user, BYTES("$authenticated")) || glob_matches(user, who);
}

static bool text_fits(struct bytes pattern, struct bytes text)
{
    return pattern.n == 0 || (text.n > 0 && glob_matches(pattern, text));
}

/* "::/0" is every IPv6 address, but neither one of IPv4 nor none at all. */
static bool net_has(const struct acl_net *net, const uint8_t ip[16])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF}, none[16];
    bool of_v6 = net->bits < 96 && memcmp(net->ip, v4, sizeof v4) != 0;
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (of_v6 && memcmp(ip, v4, sizeof v4) == 0) return false;
    if (net->bits < 128 && memcmp(ip, none, sizeof none) == 0) return false;
    if (memcmp(net->ip, ip, whole) != 0) return false;
    return rest == 0 || (net->ip[whole] ^ ip[whole]) >> (8 - rest) == 0;
}

static bool address_fits(const struct acl_rule *r, const uint8_t ip[16])
{
    for (uint32_t i = 0; i < r->nnets; i++)
        if (net_has(&r->nets[i], ip)) return true;
    return r->nnets == 0;
}

bool acl_applies(const struct acl_rule *r, const struct acl_subject *who)
{
    bool listener =
        text_fits(r->listener, who->listener) || text_fits(r->listener, who->listener_name);
    return user_fits(r->user, who->user) && text_fits(r->client, who->client_id) && listener &&
           address_fits(r, who->ip);
}
