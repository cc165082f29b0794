/* SPDX-License-Identifier: BSD-3-Clause */
/* test_commands.c -- what documents say of commands and settings is what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/options/config_args.h"
#include "app/options/listen_show.h"
#include "app/options/options.h"
#include "unit/app/stderr.h"

/* A file of the tree: this one's path tells where that is. */
static void tree_path(const char *name, char *out, size_t n)
{
    const char *here = strstr(__FILE__, "tests/unit/app/");

    assert_non_null(here);
    snprintf(out, n, "%.*s%s", (int)(here - __FILE__), __FILE__, name);
}

static char *read_tree(const char *name)
{
    char path[1024], *text = NULL;
    size_t room = 0;

    tree_path(name, path, sizeof path);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is not there", path);
    assert_true(getdelim(&text, &room, '\0', f) > 0);
    fclose(f);
    return text;
}

/* The part of the manual about `command`. */
static char *manual_of(const char *manual, const char *command)
{
    char title[64];

    snprintf(title, sizeof title, ".Ss pinion %s\n", command);
    const char *from = strstr(manual, title);
    if (!from) return NULL;
    const char *to = strstr(from + 1, "\n.S");
    return strndup(from, to ? (size_t)(to - from) : strlen(from));
}

/* "--will-topic" as mdoc writes it: "Fl \-will\-topic". */
static void manual_option(const char *name, char *out, size_t n)
{
    size_t used = (size_t)snprintf(out, n, "Fl \\-");

    for (; *name && used + 3 < n; name++) {
        if (*name == '-') out[used++] = '\\';
        out[used++] = *name;
    }
    out[used] = '\0';
}

/* Where the manual tells of option `k`: what serve takes too, check's part does not repeat. */
static const char *part_of_option(const struct command *c, unsigned k)
{
    return strcmp(c->name, "check") == 0 && k < CONFIG_ARGS_SERVE ? "serve" : c->name;
}

static void the_manual_has_every_option_of_every_command(void **state)
{
    char *manual = read_tree("docs/pinion.1");
    const struct command *c;

    (void)state;
    for (unsigned i = 0; (c = command_at(i)) != NULL; i++) {
        for (unsigned k = 0; k < c->nargs; k++) {
            char option[80], row[120];
            const char *value = c->args[k].value;
            char *part = manual_of(manual, part_of_option(c, k));
            manual_option(c->args[k].name, option, sizeof option);
            snprintf(row, sizeof row, "%s%s%s\n", option, value ? " Ar " : "", value ? value : "");
            if (!part || !strstr(part, row)) fail_msg("%s --%s", c->name, c->args[k].name);
            free(part);
        }
    }
    free(manual);
}

static void the_manual_and_the_reference_have_every_setting(void **state)
{
    char *manual = read_tree("docs/pinion.1"), *reference = read_tree("docs/configuration.md");
    char line[OPTION_TEXT_MAX * 2], allowed[OPTION_TEXT_MAX];

    (void)state;
    for (unsigned i = 0; i < options_count(); i++) {
        snprintf(line, sizeof line, "\n.It Va %s\n", option_at(i)->key);
        if (!strstr(manual, line)) fail_msg("docs/pinion.1: %s", option_at(i)->key);
        snprintf(line, sizeof line, "\nAllowed: %s.\n", option_allowed(i, allowed));
        if (!strstr(manual, line)) fail_msg("docs/pinion.1: %s", option_at(i)->key);
        snprintf(line, sizeof line, "\n## %s\n\n%s\n", option_at(i)->key, option_at(i)->help);
        if (!strstr(reference, line)) fail_msg("docs/configuration.md: %s", option_at(i)->key);
    }
    const struct listen_key *k;
    for (unsigned i = 0; (k = listen_key_at(i)) != NULL; i++) {
        snprintf(line, sizeof line, "\n.It Va %s\n", k->key);
        if (!strstr(manual, line)) fail_msg("docs/pinion.1: %s", k->key);
        snprintf(line, sizeof line, "\n| `%s` | ", k->key);
        if (!strstr(reference, line)) fail_msg("docs/configuration.md: %s", k->key);
    }
    free(manual);
    free(reference);
}

static bool is_counter(const char *name)
{
    for (enum counter c = 0; c < COUNTERS; c++)
        if (strcmp(counter_name(c), name) == 0) return true;
    return false;
}

/* The next of the words in backquotes, cut out of *text; NULL: there is none. */
static char *next_quoted(char **text)
{
    char *from = strchr(*text, '`'), *to = from ? strchr(from + 1, '`') : NULL;

    if (!to) return NULL;
    *to = '\0';
    *text = to + 1;
    return from + 1;
}

/* "| `setting` | `default` | what happens | `counter`, `counter` | `event` |" */
static void judge_row(char *row)
{
    char *cells = NULL, *setting = strtok_r(row, "|", &cells), *initial, *counters, *word;

    initial = strtok_r(NULL, "|", &cells);
    strtok_r(NULL, "|", &cells);
    counters = strtok_r(NULL, "|", &cells);
    assert_non_null(counters);
    word = next_quoted(&setting);
    assert_non_null(word);
    int option = option_find(word, strlen(word));
    if (option < 0) fail_msg("docs/limits.md: %s is no setting", word);
    assert_string_equal(next_quoted(&initial), option_at((unsigned)option)->initial);
    while ((word = next_quoted(&counters)) != NULL)
        if (!is_counter(word)) fail_msg("docs/limits.md: %s is no counter", word);
}

static void the_page_of_limits_speaks_of_limits_and_counters_that_there_are(void **state)
{
    char *page = read_tree("docs/limits.md"), *lines = NULL;
    unsigned rows = 0;

    (void)state;
    for (unsigned i = 0; i < options_count(); i++) {
        char row[OPTION_TEXT_MAX];
        snprintf(row, sizeof row, "| `%s` |", option_at(i)->key);
        bool rate =
            strncmp(option_at(i)->key, "rates.", 6) == 0 && option_at(i)->kind != OPTION_CHOICE;
        if (rate && !strstr(page, row)) fail_msg("docs/limits.md: %s", option_at(i)->key);
    }
    for (char *row = strtok_r(page, "\n", &lines); row; row = strtok_r(NULL, "\n", &lines)) {
        if (strncmp(row, "| `", 3) != 0) continue;
        judge_row(row);
        rows++;
    }
    assert_true(rows > 20);
    free(page);
}

static void the_example_is_a_file_that_loads(void **state)
{
    struct options o;
    char path[1024];

    (void)state;
    tree_path("tools/pinion.example.yaml", path, sizeof path);
    if (options_load(&o, &(struct option_args){.file = path}) < 0) fail_msg("%s", o.error);
    assert_int_equal(o.broker.queue_bytes_max, 16 << 20);
}

static void no_command_has_the_same_letter_or_name_twice(void **state)
{
    const struct command *c;

    (void)state;
    for (unsigned i = 0; (c = command_at(i)) != NULL; i++) {
        for (unsigned k = 0; k < c->nargs; k++) {
            assert_non_null(c->args[k].help);
            for (unsigned j = 0; j < k; j++) {
                if (c->args[k].letter) assert_int_not_equal(c->args[k].letter, c->args[j].letter);
                assert_string_not_equal(c->args[k].name, c->args[j].name);
            }
        }
    }
}

/* Runs "pinion WORD..." and keeps what it says on stderr. */
static int run(struct heard *h, char **argv, int argc)
{
    const struct command *c = command_find(argv[0]);

    assert_non_null(c);
    hear_start(h);
    int status = c->run(c, argc - 1, argv + 1);
    hear_end(h);
    return status;
}

#define RUN(h, ...)                                                                                \
    run(h, (char *[]){__VA_ARGS__}, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))

static void clients_refuse_what_cannot_work_before_they_connect(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(RUN(&h, "pub"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "there is no topic"));
    assert_int_equal(RUN(&h, "pub", "a"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "there is no message"));
    assert_int_equal(RUN(&h, "pub", "a/#", "x"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "is not a topic"));
    assert_int_equal(RUN(&h, "pub", "a", "x", "-l"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "only one payload"));
    assert_int_equal(RUN(&h, "pub", "-q", "3", "a", "x"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "--qos 3: expected a whole number from 0 to 2"));
    assert_int_equal(RUN(&h, "sub"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "there is no filter"));
    assert_int_equal(RUN(&h, "sub", "a#"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "is not a filter"));
    assert_int_equal(RUN(&h, "sub", "-c", "a"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "-i ID"));
    assert_int_equal(RUN(&h, "sub", "-V", "4", "a"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "31, 311 or 5"));
    assert_int_equal(RUN(&h, "sub", "--will-qos", "1", "a"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "--will-topic"));
    assert_int_equal(RUN(&h, "bench", "-m", "pars"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "did you mean pairs?"));
    assert_int_equal(RUN(&h, "bench", "-l", "15"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "--length 15: expected a size such as 64 MiB from 16 B"));
    assert_int_equal(RUN(&h, "bench", "--name", "a/b"), EXIT_USAGE);
    assert_non_null(strstr(h.text, "--name a/b: expected 1 to 15 characters"));
    assert_int_equal(RUN(&h, "serve", "here"), EXIT_USAGE);
    assert_int_equal(RUN(&h, "check", "--set", "cores=5000"), EXIT_CONFIG);
    assert_non_null(strstr(h.text, "cores: 5000 is not a number of cores"));
}

static void nobody_at_the_other_end_is_a_failure_with_advice(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(RUN(&h, "pub", "-h", "127.0.0.1", "-p", "1", "a", "x"), EXIT_FAILED);
    assert_non_null(
        strstr(h.text, "127.0.0.1 port 1: Connection refused; no broker listens there"));
    assert_int_equal(RUN(&h, "sub", "-p", "0", "a"), EXIT_FAILED);
    assert_non_null(strstr(h.text, "\"0\" is not a port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_has_every_option_of_every_command),
        cmocka_unit_test(the_manual_and_the_reference_have_every_setting),
        cmocka_unit_test(the_page_of_limits_speaks_of_limits_and_counters_that_there_are),
        cmocka_unit_test(the_example_is_a_file_that_loads),
        cmocka_unit_test(no_command_has_the_same_letter_or_name_twice),
        cmocka_unit_test(clients_refuse_what_cannot_work_before_they_connect),
        cmocka_unit_test(nobody_at_the_other_end_is_a_failure_with_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
