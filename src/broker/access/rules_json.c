/* SPDX-License-Identifier: BSD-3-Clause */
/* rules_json.c -- see rules_json.h. Two passes over the same walk: the first adds up the room,
 * the second fills it. */
#include "broker/access/rules_json.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/json_in.h"

/* What the walk adds to. */
struct filling {
    struct acl_rule *rule; /* NULL in the first pass, as are the next two */
    struct bytes *topic;
    uint8_t *text;
    unsigned nrules, ntopics;
    size_t bytes;
};

struct word {
    const char *text;
    uint8_t actions;
};

static const struct word grants[] = {{"pub", ACL_WRITE}, {"sub", ACL_READ}, {"all", ACL_ALL}};
static const struct word actions[] = {{"read", ACL_READ}, {"write", ACL_WRITE}, {"all", ACL_ALL}};

static uint8_t actions_of(const struct word *words, size_t n, struct bytes text)
{
    for (size_t i = 0; i < n; i++)
        if (bytes_eq(bytes_str(words[i].text), text)) return words[i].actions;
    return 0;
}

static void add_topic(struct filling *f, struct bytes topic)
{
    if (f->rule) {
        uint8_t *at = f->text + f->bytes;
        memcpy(at, topic.p, topic.n);
        f->topic[f->ntopics] = bytes_of(at, topic.n);
    }
    f->ntopics++;
    f->bytes += topic.n;
}

static int add_topics(struct filling *f, const json_t *topics)
{
    size_t i;
    json_t *topic;

    if (json_array_size(topics) > RULES_TOPICS_MAX - f->ntopics) return -ERR_FULL;
    json_array_foreach(topics, i, topic)
    {
        struct bytes text = json_in_text(topic);
        if (!text.n || text.n > ACL_TOPIC_MAX) return -ERR_INVALID;
        add_topic(f, text);
    }
    return 0;
}

static int add_rule(struct filling *f, bool allow, uint8_t what, const json_t *topics)
{
    if (!json_is_array(topics) || !what) return -ERR_INVALID;
    if (f->nrules == RULES_GIVEN_MAX) return -ERR_FULL;
    unsigned first = f->ntopics;
    int err = add_topics(f, topics);
    if (err < 0) return err;
    if (f->rule)
        f->rule[f->nrules] = (struct acl_rule){
            .allow = allow,
            .actions = what,
            .place = f->nrules + 1,
            .topics = f->topic + first,
            .ntopics = f->ntopics - first,
        };
    f->nrules++;
    return 0;
}

/* {"pub": [...], "sub": [...], "all": [...]} */
static int walk_grants(struct filling *f, const json_t *from)
{
    const char *key;
    json_t *topics;

    /* jansson walks an object without changing it, but has no const for that. */
    json_object_foreach((json_t *)(uintptr_t)from, key, topics)
    {
        uint8_t what = actions_of(grants, ARRAY_LEN(grants), bytes_str(key));
        /* A rule without topics would be one for all of them. */
        if (what && json_is_array(topics) && json_array_size(topics) == 0) continue;
        int err = add_rule(f, true, what, topics);
        if (err < 0) return err;
    }
    return 0;
}

/* {"allow": "read", "topics": [...]} */
static int walk_rule(struct filling *f, const json_t *rule)
{
    json_t *allow = json_object_get(rule, "allow"), *deny = json_object_get(rule, "deny");
    json_t *topics = json_object_get(rule, "topics");

    if (json_object_size(rule) != 2 || !!allow == !!deny) return -ERR_INVALID;
    if (json_array_size(topics) == 0) return -ERR_INVALID; /* all, or none? */
    struct bytes word = json_in_text(allow ? allow : deny);
    return add_rule(f, allow != NULL, actions_of(actions, ARRAY_LEN(actions), word), topics);
}

static int walk(struct filling *f, const json_t *from)
{
    size_t i;
    json_t *rule;

    if (json_is_object(from)) return walk_grants(f, from);
    if (!json_is_array(from)) return -ERR_INVALID;
    json_array_foreach(from, i, rule)
    {
        int err = walk_rule(f, rule);
        if (err < 0) return err;
    }
    return 0;
}

static int check(const struct rules_given *r)
{
    char error[ACL_ERROR];

    for (unsigned i = 0; i < r->n; i++) {
        int err = acl_rule_check(&r->rule[i], error);
        if (err < 0) return err;
    }
    return 0;
}

int rules_json_read(struct rules_given *r, const json_t *from)
{
    struct filling need = {.rule = NULL}, fill = {.rule = NULL};

    *r = (struct rules_given){.given = false};
    int err = walk(&need, from);
    if (err < 0) return err;
    size_t rules = need.nrules * sizeof *fill.rule, topics = need.ntopics * sizeof *fill.topic;
    fill.rule = malloc(rules + topics + need.bytes + 1);
    if (!fill.rule) return -ERR_NOMEM;
    fill.topic = (struct bytes *)(fill.rule + need.nrules);
    fill.text = (uint8_t *)(fill.topic + need.ntopics);
    err = walk(&fill, from);
    ASSERT(err == 0 && fill.nrules == need.nrules && fill.bytes == need.bytes);
    *r = (struct rules_given){.given = true, .n = fill.nrules, .rule = fill.rule};
    err = check(r);
    if (err < 0) rules_given_free(r);
    return err;
}

void rules_given_free(struct rules_given *r)
{
    free(r->rule);
    *r = (struct rules_given){.given = false};
}
