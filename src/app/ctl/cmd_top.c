/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_top.c -- `pinion top`: what each core of a running broker does, now and now and now.
 *
 * Escape sequences every terminal knows are enough for it. Without a terminal it prints once. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/command.h"
#include "app/ctl/ctl_http.h"
#include "app/ctl/top_view.h"

enum { TOP_URL, TOP_TOKEN_FILE, TOP_CA, TOP_INTERVAL, TOP_ONCE, TOP_ARGS };

static const struct arg args_table[TOP_ARGS] = {
    [TOP_URL] = {0, "url", "URL", "the admin interface; else PINION_URL, else port 8081 here"},
    [TOP_TOKEN_FILE] = {0, "token-file", "FILE",
                        "holds the token; else PINION_TOKEN or PINION_TOKEN_FILE"},
    [TOP_CA] = {0, "ca", "FILE", "authorities that may vouch for the broker, in PEM"},
    [TOP_INTERVAL] = {'i', "interval", "SECONDS", "time between looks, 1 to 60 (1)"},
    [TOP_ONCE] = {'1', "once", NULL, "print one interval and end"},
};

struct top {
    struct ctl_where where;
    struct ctl_http http;
    int interval_s;
    bool once;
    bool raw; /* the terminal's manners were changed */
    struct termios usual;
};

static json_t *look(struct top *t)
{
    struct ctl_question q = {.method = "GET", .path = "/api/v1/cores"};
    json_t *v = ctl_ask_json(&t->http, &q);
    json_t *cores = json_incref(json_object_get(v, "cores"));

    json_decref(v);
    return cores;
}

/* ---- the terminal --------------------------------------------------------------------------- */

/* Keys come one by one and are not shown. Ctrl-C comes as a key, so that nothing is left behind. */
static void enter(struct top *t)
{
    struct termios raw;

    if (t->once || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &t->usual) < 0) return;
    raw = t->usual;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    t->raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
    fputs("\x1b[?1049h\x1b[?25l", stdout); /* another screen, no cursor */
}

static void leave(struct top *t)
{
    if (!t->raw) return;
    fputs("\x1b[?25h\x1b[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &t->usual);
}

/* Waits for the interval, or till a key ends it: false. */
static bool wait_for(const struct top *t)
{
    struct pollfd in = {.fd = t->raw ? STDIN_FILENO : -1, .events = POLLIN};
    char key;

    if (poll(&in, 1, t->interval_s * 1000) <= 0) return true;
    if (read(STDIN_FILENO, &key, 1) != 1) return false;
    return key != 'q' && key != 'Q' && key != 3 && key != 4; /* Ctrl-C, Ctrl-D */
}

/* Over what was there, so that nothing flickers. */
static void show(const struct top *t, const json_t *before, const json_t *now)
{
    if (t->once) {
        top_view(stdout, before, now, "\n");
        return;
    }
    printf("\x1b[Hpinion top -- %s -- q ends\x1b[K\n\x1b[K\n", t->http.url);
    top_view(stdout, before, now, "\x1b[K\n");
    fputs("\x1b[J", stdout);
    fflush(stdout);
}

static bool run_views(struct top *t)
{
    json_t *before = look(t);
    bool go_on = before != NULL, good = go_on;

    while (go_on) {
        go_on = wait_for(t);
        json_t *now = go_on ? look(t) : NULL;
        good = !go_on || now;
        if (now) show(t, before, now);
        json_decref(before);
        before = now;
        go_on = now && !t->once;
    }
    json_decref(before);
    return good;
}

/* ---- the command line ----------------------------------------------------------------------- */

static int set_arg(const struct command *c, struct top *t, int row, const char *value)
{
    switch (row) {
    case TOP_URL: t->where.url = value; return EXIT_OK;
    case TOP_TOKEN_FILE: t->where.token_file = value; return EXIT_OK;
    case TOP_CA: t->where.ca = value; return EXIT_OK;
    case TOP_ONCE: t->once = true; return EXIT_OK;
    case TOP_INTERVAL:
        t->interval_s = atoi(value);
        if (t->interval_s >= 1 && t->interval_s <= 60) return EXIT_OK;
        return args_refuse(c, "--interval %s: expected a number from 1 to 60", value);
    case ARGS_OPERAND: return args_refuse(c, "\"%s\": takes no operands", value);
    default: return EXIT_USAGE;
    }
}

static int run(const struct command *c, int argc, char **argv)
{
    struct args args = args_of(c, argc, argv);
    struct top t = {.interval_s = 1};
    const char *value;

    for (int row; (row = args_next(&args, &value)) != ARGS_END;) {
        int status = set_arg(c, &t, row, value);
        if (status != EXIT_OK) return status;
    }
    t.once = t.once || !isatty(STDOUT_FILENO);
    bool good = ctl_http_open(&t.http, &t.where) == 0;
    if (good) {
        enter(&t);
        good = run_views(&t);
        leave(&t);
    }
    if (!good) fprintf(stderr, "pinion top: %s\n", t.http.error);
    ctl_http_close(&t.http);
    return good ? EXIT_OK : EXIT_FAILED;
}

const struct command command_top = {
    .name = "top",
    .what = "watch the cores of a running broker",
    .operands = "",
    .args = args_table,
    .nargs = TOP_ARGS,
    .run = run,
    .notes =
        "BUSY% is the time not asleep; q ends. Sums of all cores are in the last line; BUSY% is\n"
        "their mean and LONGEST the longest turn of all in the last ten seconds or more.\n",
};
