/* SPDX-License-Identifier: BSD-3-Clause */
/* options_file_rules.c -- the entries under `rules` in the YAML file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options/options_file.h"
#include "base/assert.h"
#include "base/err.h"

/* ---- schema ---------------------------------------------------------------------------- */

#define TEXT_FIELD(name)                                                                           \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_rule,      \
                           name, 0, CYAML_UNLIMITED)
#define LIST_FIELD(name)                                                                           \
    CYAML_FIELD_SEQUENCE(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_rule, name,  \
                         &text_schema, 1, ACL_LIST_MAX)

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t rule_fields[] = {
    TEXT_FIELD(allow),   TEXT_FIELD(deny),     TEXT_FIELD(user),   TEXT_FIELD(client),
    LIST_FIELD(address), TEXT_FIELD(listener), LIST_FIELD(topics), CYAML_FIELD_END,
};

const cyaml_schema_value_t file_rule_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_rule, rule_fields),
};

/* ---- lines ------------------------------------------------------------------------------- */

/* Of entry `i` of the list below line `first`: the entries' dashes stand in one column, those of
 * lists inside them further in. A list in one line has that line. */
static unsigned line_of_entry(const char *text, unsigned first, unsigned i)
{
    unsigned line = 1, seen = 0;
    size_t column = SIZE_MAX;

    for (const char *p = text; *p; line++) {
        size_t indent = strspn(p, " "), n = strcspn(p, "\n");
        bool dash = line > first && p[indent] == '-' && strchr(" \n", p[indent + 1]);
        if (dash && column == SIZE_MAX) column = indent;
        if (dash && indent == column && seen++ == i) return line;
        p += n + (p[n] == '\n');
    }
    return first;
}

/* ---- values ------------------------------------------------------------------------------ */

/* Rules being made from entries; what they point to is the file's, but for the two arrays. */
struct making {
    struct acl_rule *rules;
    struct acl_net *nets;
    struct bytes *topics;
    unsigned nnets, ntopics;
    char why[ACL_ERROR];
};

static int refuse(struct making *m, const char *what, const char *why)
{
    snprintf(m->why, sizeof m->why, "%s: %s", what, why);
    return -ERR_INVALID;
}

static int take_action(struct making *m, const struct file_rule *f, struct acl_rule *r)
{
    static const char *const words[] = {
        [ACL_READ] = "read", [ACL_WRITE] = "write", [ACL_ALL] = "all"};
    const char *word = f->allow ? f->allow : f->deny;

    if (!f->allow == !f->deny) return refuse(m, "allow or deny", "one of them stands in each rule");
    r->allow = f->allow != NULL;
    for (uint8_t i = ACL_READ; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i], word) == 0) r->actions = i;
    return r->actions ? 0 : refuse(m, r->allow ? "allow" : "deny", "it is read, write or all");
}

/* An empty text would be no condition at all, which nobody means who writes it. */
static int take_text(struct making *m, const char *name, const char *text, struct bytes *to)
{
    if (!text) return 0;
    if (!*text) return refuse(m, name, "it is empty; leave it out for all");
    *to = bytes_str(text);
    return 0;
}

static int take_addresses(struct making *m, const struct file_rule *f, struct acl_rule *r)
{
    r->nets = m->nets + m->nnets;
    r->nnets = f->address_count;
    for (unsigned i = 0; i < f->address_count; i++) {
        if (acl_net_parse(&m->nets[m->nnets++], bytes_str(f->address[i])) == 0) continue;
        char what[80];
        snprintf(what, sizeof what, "address: \"%.60s\"", f->address[i]);
        return refuse(m, what, "not an address, a network such as 10.0.0.0/8, or unix");
    }
    return 0;
}

static int take_rule(struct making *m, const struct file_rule *f, struct acl_rule *r)
{
    int err = take_action(m, f, r);

    if (err == 0) err = take_text(m, "user", f->user, &r->user);
    if (err == 0) err = take_text(m, "client", f->client, &r->client);
    if (err == 0) err = take_text(m, "listener", f->listener, &r->listener);
    if (err == 0) err = take_addresses(m, f, r);
    if (err < 0) return err;
    r->topics = m->topics + m->ntopics;
    r->ntopics = f->topics_count;
    for (unsigned i = 0; i < f->topics_count; i++)
        m->topics[m->ntopics++] = bytes_str(f->topics[i]);
    return acl_rule_check(r, m->why);
}

static bool make_room(struct making *m, const struct file_rule *f, unsigned n)
{
    size_t nets = 0, topics = 0;

    for (unsigned i = 0; i < n; i++) {
        nets += f[i].address_count;
        topics += f[i].topics_count;
    }
    m->rules = calloc(n, sizeof *m->rules);
    m->nets = calloc(nets + 1, sizeof *m->nets);
    m->topics = calloc(topics + 1, sizeof *m->topics);
    return m->rules && m->nets && m->topics;
}

int file_take_rules(struct options *o, const struct file_rules *from, const char *text,
                    unsigned line)
{
    static const struct acl_options none; /* settings of their own; see options_acl() */
    struct making m = {.rules = NULL};
    bool room = make_room(&m, from->at, from->n);
    int err = room ? 0 : -ERR_NOMEM;

    for (unsigned i = 0; err == 0 && i < from->n; i++) {
        m.rules[i].place = line_of_entry(text, line, i);
        if (take_rule(&m, &from->at[i], &m.rules[i]) < 0)
            err = options_refuse(o, "%s:%u: rules: %s", o->file, m.rules[i].place, m.why);
    }
    if (err == 0) o->rules = acl_new(m.rules, from->n, &none);
    if (err == -ERR_NOMEM || (err == 0 && !o->rules))
        err = options_refuse(o, "rules: %s", err_text(ERR_NOMEM));
    free(m.rules);
    free(m.nets);
    free(m.topics);
    return err;
}
