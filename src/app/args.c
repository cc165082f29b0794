/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/args.h"

#include <stdarg.h>
#include <string.h>

#include "app/suggest.h"

struct args args_of(const struct command *c, int argc, char **argv)
{
    return (struct args){.command = c, .argv = argv, .argc = argc};
}

int args_refuse(const struct command *c, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "pinion %s: ", c->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nSee \"pinion help %s\".\n", c->name);
    return EXIT_USAGE;
}

/* The value of option `row`, called `shown` by the user. */
static int with_value(struct args *a, int row, const char *shown, const char **value)
{
    if (a->at == a->argc) {
        args_refuse(a->command, "%s needs a value: %s %s", shown, shown,
                    a->command->args[row].value);
        return ARGS_ERROR;
    }
    *value = a->argv[a->at++];
    return row;
}

static int long_option(struct args *a, const char *text, const char **value)
{
    const struct command *c = a->command;
    struct suggest near;
    char name[SUGGEST_WORD_MAX + 1];
    size_t n = strcspn(text, "=");
    const char *given = text[n] == '=' ? text + n + 1 : NULL;

    snprintf(name, sizeof name, "%.*s", (int)n, text);
    near = suggest_start(name);
    for (unsigned i = 0; i < c->nargs; i++) {
        const struct arg *arg = &c->args[i];
        suggest_offer(&near, arg->name);
        if (!arg->name || strlen(arg->name) != n || memcmp(arg->name, text, n) != 0) continue;
        if (arg->value && !given) return with_value(a, (int)i, a->argv[a->at - 1], value);
        if (!arg->value && given) {
            args_refuse(c, "--%s takes no value", arg->name);
            return ARGS_ERROR;
        }
        *value = given;
        return (int)i;
    }
    const char *best = suggest_best(&near);
    args_refuse(c, best ? "unknown option --%s; did you mean --%s?" : "unknown option --%s", name,
                best);
    return ARGS_ERROR;
}

static int short_option(struct args *a, const char **value)
{
    const struct command *c = a->command;
    char letter = *a->cluster++;
    const char shown[] = {'-', letter, '\0'};

    for (unsigned i = 0; i < c->nargs; i++) {
        if (c->args[i].letter != letter) continue;
        const char *rest = a->cluster;
        if (!c->args[i].value || !*rest) {
            if (!*rest) a->cluster = NULL;
            return c->args[i].value ? with_value(a, (int)i, shown, value) : (int)i;
        }
        a->cluster = NULL;
        *value = rest;
        return (int)i;
    }
    args_refuse(c, "unknown option %s", shown);
    return ARGS_ERROR;
}

int args_next(struct args *a, const char **value)
{
    *value = NULL;
    if (a->cluster) return short_option(a, value);
    if (a->at == a->argc) return ARGS_END;

    const char *text = a->argv[a->at++];
    if (!a->only_operands && strcmp(text, "--") == 0) {
        a->only_operands = true;
        return args_next(a, value);
    }
    if (a->only_operands || text[0] != '-' || !text[1]) {
        *value = text;
        return ARGS_OPERAND;
    }
    if (text[1] == '-') return long_option(a, text + 2, value);
    a->cluster = text + 1;
    return short_option(a, value);
}

/* "  -h, --host NAME" in a column, the help beside it or, if that is full, below. */
static void help_row(const struct arg *arg, FILE *out)
{
    enum { COLUMN = 30 };
    char left[128];
    int n = snprintf(left, sizeof left, arg->letter ? "  -%c" : "    ", arg->letter);

    if (arg->name)
        n += snprintf(left + n, sizeof left - (size_t)n, arg->letter ? ", --%s" : "  --%s",
                      arg->name);
    if (arg->value) n += snprintf(left + n, sizeof left - (size_t)n, " %s", arg->value);
    fprintf(out, "%s", left);
    if (n >= COLUMN) {
        fputc('\n', out);
        n = 0;
    }
    fprintf(out, "%*s%s\n", COLUMN - n, "", arg->help);
}

void args_help(const struct command *c, FILE *out)
{
    fprintf(out, "pinion %s -- %s\n\nusage: pinion %s%s%s%s\n", c->name, c->what, c->name,
            c->nargs ? " [OPTION...]" : "", *c->operands ? " " : "", c->operands);
    if (c->nargs) fputs("\noptions:\n", out);
    for (unsigned i = 0; i < c->nargs; i++)
        help_row(&c->args[i], out);
    if (c->notes) fprintf(out, "\n%s", c->notes);
}
