/* SPDX-License-Identifier: BSD-3-Clause */
/* test_metric_docs.c -- docs/operations.md lists every metric and every route, as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/internal.h"
#include "admin/metric.h"

enum { ROW = 512 };

static char *read_page(void)
{
    const char *here = strstr(__FILE__, "tests/unit/admin/");
    char path[1024], *text = NULL;
    size_t room = 0;

    assert_non_null(here);
    snprintf(path, sizeof path, "%.*sdocs/operations.md", (int)(here - __FILE__), __FILE__);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is not there", path);
    assert_true(getdelim(&text, &room, '\0', f) > 0);
    fclose(f);
    return text;
}

/* Prints all that is missing, so that it can be copied. */
static unsigned miss(const char *page, const char *row)
{
    if (strstr(page, row)) return 0;
    print_error("%s", row + 1);
    return 1;
}

static void counter_row(enum counter c, char out[ROW])
{
    struct metric m = metric_of(c);

    if (m.label)
        snprintf(out, ROW, "\n| `%s{%s=\"%s\"}` | %s | core | %s |\n", m.name, m.label, m.value,
                 m.kind, counter_help(c));
    else
        snprintf(out, ROW, "\n| `%s` | %s | core | %s |\n", m.name, m.kind, counter_help(c));
}

static void the_page_lists_every_metric(void **state)
{
    char *page = read_page(), row[ROW];
    unsigned missing = 0;

    (void)state;
    for (enum metric_id id = 0; id < METRICS; id++) {
        const struct metric_extra *e = metric_extra(id);
        snprintf(row, sizeof row, "\n| `%s` | %s | %s | %s |\n", e->name, e->kind, e->labels,
                 e->help);
        missing += miss(page, row);
    }
    for (enum counter c = 0; c < COUNTERS; c++) {
        counter_row(c, row);
        missing += miss(page, row);
    }
    free(page);
    if (missing) fail_msg("docs/operations.md lacks these rows");
}

static void the_page_lists_every_route(void **state)
{
    char *page = read_page(), row[ROW];
    unsigned missing = 0;

    (void)state;
    for (unsigned i = 0; i < admin_routes_count(); i++) {
        const struct admin_route *r = admin_route_at(i);
        snprintf(row, sizeof row, "\n| `%s %s` | %s |\n", http_method_text(r->method), r->pattern,
                 r->help);
        missing += miss(page, row);
    }
    free(page);
    if (missing) fail_msg("docs/operations.md lacks these rows");
}

static void the_page_lists_nothing_that_is_not_there(void **state)
{
    char *page = read_page();
    unsigned rows = 0;

    (void)state;
    for (const char *p = page; (p = strstr(p, "\n| `pinion_")) != NULL; p++)
        rows++;
    free(page);
    assert_int_equal(rows, METRICS + COUNTERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_lists_every_metric),
        cmocka_unit_test(the_page_lists_every_route),
        cmocka_unit_test(the_page_lists_nothing_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
