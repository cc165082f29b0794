/* SPDX-License-Identifier: BSD-3-Clause */
/* access.c -- what asking a grant costs: the last of N rules decides, so that all are looked at.
 *
 *     access [--json]
 *
 * Rules differ at once ("r17/#"), only behind a common prefix, or behind a wildcard, which is
 * the most that a rule can cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench.h"
#include "broker/access/grant.h"

enum { RULES = 1000, CHECKS = 2000000, RUNS = 5 };

static const struct {
    const char *name, *rule, *topic;
} shapes[] = {
    {"apart", "r%u/in/#", "r%u/in/state"},
    {"prefix", "site/north/device%u/#", "site/north/device%u/state"},
    {"wildcard", "+/%u/#", "site/%u/state"},
};

static const struct grant *make_grant(const char *form, unsigned n)
{
    static char text[RULES][64];
    static struct bytes topic[RULES];
    static struct acl_rule rule[RULES];
    const struct grant *g;
    for (unsigned i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], form, 10000 + i); /* NOLINT: one of our own forms */
        topic[i] = bytes_str(text[i]);
        rule[i] =
            (struct acl_rule){.allow = true, .actions = ACL_ALL, .topics = &topic[i], .ntopics = 1};
    }
    struct acl *a = acl_new(rule, n, &(struct acl_options){.strict = false});
    struct acl_subject who = {.client_id = BYTES("c")};
    if (!a || grant_new(&g, a, &who) < 0) bench_die("out of memory");
    acl_free(&a);
    return g;
}

static double one_run(const struct grant *g, struct bytes topic, unsigned checks)
{
    unsigned allowed = 0;
    uint64_t began = bench_cpu_ns(); /* others may use the CPU meanwhile */
    for (unsigned i = 0; i < checks; i++) {
        __asm__ volatile("" : "+r"(topic.p)); /* as if it were another one each time */
        allowed += grant_may(g, ACL_WRITE, topic);
    }
    uint64_t took = bench_cpu_ns() - began;
    if (allowed != checks) bench_die("the rule should allow");
    return (double)took / checks;
}

static void measure(const struct bench *b, unsigned shape, unsigned n)
{
    char topic[64];
    double ns[RUNS];
    const struct grant *g = make_grant(shapes[shape].rule, n);
    snprintf(topic, sizeof topic, shapes[shape].topic, 10000 + n - 1);
    for (unsigned i = 0; i < RUNS; i++)
        ns[i] = one_run(g, bytes_str(topic), CHECKS / n);
    struct figure f[] = {{"rules", n}, {"ns_per_check", bench_median(ns, RUNS)}};
    bench_report(b, "grant_may", shapes[shape].name, f, ARRAY_LEN(f));
    grant_free(&g);
}

int main(int argc, char **argv)
{
    struct bench b = {
        .name = "access", .json = argc > 1 && strcmp(argv[1], "--json") == 0, .runs = RUNS};
    static const unsigned sizes[] = {1, 10, 100, 1000};
    for (unsigned s = 0; s < ARRAY_LEN(shapes); s++)
        for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
            measure(&b, s, sizes[i]);
    return 0;
}
