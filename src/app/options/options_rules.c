/* SPDX-License-Identifier: BSD-3-Clause */
/* options_rules.c -- access rules as the settings have them: made, shown, tried out. */
#include <string.h>

#include "app/options/options.h"
#include "app/options/options_rules.h"
#include "base/assert.h"
#include "base/err.h"
#include "broker/access/grant.h"
#include "broker/name.h"

/* Somebody who has written "access.default: deny" and no rule means it. */
static bool all_denied(const struct options *o)
{
    int row = option_find("access.default", strlen("access.default"));

    ASSERT(row >= 0);
    return !o->acl.allow_rest && o->origin[row].source != FROM_DEFAULT;
}

int options_acl(const struct options *o, struct acl **a)
{
    unsigned n = 0;
    const struct acl_rule *rules = o->rules ? acl_rules(o->rules, &n) : NULL;

    *a = NULL;
    if (!rules && !all_denied(o)) return 0;
    *a = acl_new(rules, n, &o->acl);
    return *a ? 0 : -ERR_NOMEM;
}

/* ---- show ------------------------------------------------------------------------------------ */

static void print_text(FILE *out, const char *name, struct bytes text)
{
    if (text.n) fprintf(out, ", %s %.*s", name, (int)text.n, (const char *)text.p);
}

static void print_nets(FILE *out, const struct acl_rule *r)
{
    char text[ACL_NET_TEXT];

    for (uint32_t i = 0; i < r->nnets; i++)
        fprintf(out, "%s%s", i ? " " : ", from ", acl_net_text(&r->nets[i], text));
}

static void print_rule(FILE *out, const struct acl_rule *r)
{
    static const char *const actions[] = {
        [ACL_READ] = "read", [ACL_WRITE] = "write", [ACL_ALL] = "all"};

    fprintf(out, "%s %s", r->allow ? "allow" : "deny", actions[r->actions]);
    print_text(out, "user", r->user);
    print_text(out, "client", r->client);
    print_text(out, "listener", r->listener);
    print_nets(out, r);
    for (uint32_t i = 0; i < r->ntopics; i++)
        fprintf(out, "%s%.*s", i ? " " : ", topics ", (int)r->topics[i].n,
                (const char *)r->topics[i].p);
    fputc('\n', out);
}

void rules_print(const struct options *o, const struct acl *a, FILE *out)
{
    unsigned n = 0;
    const struct acl_rule *r = a ? acl_rules(a, &n) : NULL;

    if (!a) {
        fprintf(out, "\nno access rules: who is in may read and write everything\n");
        return;
    }
    fprintf(out, "\nACCESS RULES; the first that fits decides\n");
    for (unsigned i = 0; i < n; i++) {
        fprintf(out, "%s:%-5u ", o->file, r[i].place);
        print_rule(out, &r[i]);
    }
    fprintf(out, "else: %s\n",
            o->acl.allow_rest ? "allow all, but not topics that begin with $" : "deny all");
}

/* ---- try out --------------------------------------------------------------------------------- */

static struct bytes strip_share(struct bytes filter)
{
    const struct bytes prefix = BYTES("$share/");
    struct bytes rest = bytes_skip(filter, bytes_starts(filter, prefix) ? prefix.n : 0);
    const uint8_t *slash = rest.n < filter.n ? memchr(rest.p, '/', rest.n) : NULL;

    return slash ? bytes_skip(rest, (size_t)(slash - rest.p) + 1) : filter;
}

static void print_reason(const struct options *o, const struct acl *a, struct grant_verdict v,
                         FILE *out)
{
    unsigned n = 0;
    const struct acl_rule *r = a ? acl_rules(a, &n) : NULL;

    for (unsigned i = 0; i < n && v.place; i++) {
        if (r[i].place != v.place) continue;
        fprintf(out, "%s: by %s:%u: ", v.allowed ? "allowed" : "denied", o->file, v.place);
        print_rule(out, &r[i]);
        return;
    }
    if (!a)
        fprintf(out, "allowed: there are no rules\n");
    else if (v.allowed)
        fprintf(out, "allowed: no rule fits, and access.default is allow\n");
    else
        fprintf(out, "denied: no rule fits%s\n",
                o->acl.allow_rest ? ", and topics that begin with $ need one" : "");
}

static bool try_filter(const struct options *o, const struct grant *g, struct bytes filter,
                       FILE *out)
{
    bool may = grant_may_subscribe(g, filter);

    if (!may)
        fprintf(out, "denied: %s may be read\n",
                o->acl.strict ? "not all that the filter matches"
                              : "nothing that the filter matches");
    else
        fprintf(out, "allowed: %s\n",
                o->acl.strict || !g ? "all that it matches may be read"
                                    : "delivers those of its topics that may be read");
    return may;
}

int rules_try(const struct options *o, const struct acl *a, const struct rules_question *q,
              FILE *out)
{
    const struct grant *g;
    struct bytes topic = bytes_str(q->topic);

    int err = grant_new(&g, a, &q->who);
    if (err < 0) return err;
    bool may;
    if (q->action == ACL_READ) topic = strip_share(topic);
    if (q->action == ACL_WRITE && acl_reserved(topic)) {
        may = false;
        fprintf(out, "denied: only the broker writes $SYS\n");
    } else if (q->action == ACL_READ && name_has_wildcard(topic)) {
        may = try_filter(o, g, topic, out);
    } else {
        struct grant_verdict v = grant_judge(g, q->action, topic);
        may = v.allowed;
        print_reason(o, a, v, out);
    }
    grant_free(&g);
    return may;
}
