/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_bench.c -- `pinion bench`: the command line of the load generator. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/bench/bench.h"
#include "app/bench/flow.h"
#include "app/command.h"
#include "app/number.h"
#include "app/resolve.h"
#include "app/suggest.h"
#include "base/assert.h"
#include "base/err.h"

static const struct scenario *const scenarios[] = {
    &bench_pairs,  &bench_fan_out,  &bench_fan_in, &bench_shared, &bench_idle,
    &bench_retain, &bench_connrate, &bench_acks,   &bench_drain,
};

enum {
    ARG_MODE,
    ARG_HOST,
    ARG_PORT,
    ARG_TRANSPORT,
    ARG_RESUME,
    ARG_PUBLISHERS,
    ARG_SUBSCRIBERS,
    ARG_COUNT,
    ARG_QOS,
    ARG_LENGTH,
    ARG_WINDOW,
    ARG_RATE,
    ARG_SECONDS,
    ARG_WARMUP,
    ARG_THREADS,
    ARG_VERSION,
    ARG_PID,
    ARG_AWAY,
    ARG_NAME,
    ARG_JSON,
    ARG_PROGRESS,
    ARGS
};

static const struct arg bench_args[ARGS] = {
    [ARG_MODE] = {'m', "mode", "MODE", "what to do, see below (pairs)"},
    [ARG_HOST] = {'h', "host", "HOST", "the broker (127.0.0.1)"},
    [ARG_PORT] = {'p', "port", "PORT", "its port (1883)"},
    [ARG_TRANSPORT] = {'t', "transport", "T",
                       "tcp, tls, ws or wss; certificates are not judged (tcp)"},
    [ARG_RESUME] = {0, "resume", NULL, "connrate: show the TLS ticket of the time before"},
    [ARG_PUBLISHERS] = {'P', "publishers", "N", "clients that publish (1)"},
    [ARG_SUBSCRIBERS] = {'S', "subscribers", "N", "clients that subscribe (1)"},
    [ARG_COUNT] = {'n', "count", "N", "connections or messages (1000; acks, drain: no end)"},
    [ARG_QOS] = {'q', "qos", "QOS", "0, 1 or 2 (0)"},
    [ARG_LENGTH] = {'l', "length", "SIZE", "bytes of a payload, at least 16 (64)"},
    [ARG_WINDOW] = {'w', "window", "N", "closed loop: messages under way per publisher (100)"},
    [ARG_RATE] = {'r', "rate", "N", "open loop: messages a second, all publishers together"},
    [ARG_SECONDS] = {'d', "duration", "TIME", "how long to measure (5s)"},
    [ARG_WARMUP] = {'W', "warmup", "TIME", "how long to run before that (1s)"},
    [ARG_THREADS] = {'T', "threads", "N", "threads of the load generator (1)"},
    [ARG_VERSION] = {'V', "protocol-version", "V", "31, 311 or 5 (311)"},
    [ARG_PID] = {'B', "broker-pid", "PID", "the broker's process: report its CPU time and memory"},
    [ARG_AWAY] = {0, "away", NULL, "acks: subscribers leave before messages come"},
    [ARG_NAME] = {0, "name", "NAME", "of the run, in client ids and topics (one of its own)"},
    [ARG_JSON] = {0, "json", NULL, "one line of JSON"},
    [ARG_PROGRESS] = {0, "progress", NULL, "a line on stderr each second (default on a terminal)"},
};

/* Where a number of the command line goes, and what it may be. */
static const struct {
    size_t offset;
    enum number_kind kind;
    uint32_t min, max;
} numbers[ARGS] = {
    [ARG_PUBLISHERS] = {offsetof(struct bench_options, publishers), NUMBER_COUNT, 1, 1000000},
    [ARG_SUBSCRIBERS] = {offsetof(struct bench_options, subscribers), NUMBER_COUNT, 1, 1000000},
    [ARG_COUNT] = {offsetof(struct bench_options, count), NUMBER_COUNT, 1, 10000000},
    [ARG_LENGTH] = {offsetof(struct bench_options, payload_bytes), NUMBER_SIZE, STAMP_BYTES,
                    64 << 20},
    [ARG_WINDOW] = {offsetof(struct bench_options, window), NUMBER_COUNT, 1, 65535},
    [ARG_THREADS] = {offsetof(struct bench_options, threads), NUMBER_COUNT, 1, BENCH_THREADS_MAX},
    [ARG_RATE] = {offsetof(struct bench_options, rate), NUMBER_COUNT, 1, 1000000000},
    [ARG_SECONDS] = {offsetof(struct bench_options, measure_ms), NUMBER_MS, 1, 86400000},
    [ARG_WARMUP] = {offsetof(struct bench_options, warmup_ms), NUMBER_MS, 0, 86400000},
    [ARG_QOS] = {offsetof(struct bench_options, qos), NUMBER_COUNT, 0, 2},
    [ARG_PID] = {offsetof(struct bench_options, broker_pid), NUMBER_COUNT, 1, 1 << 30},
};

static int set_number(const struct command *c, struct bench_options *o, int row, const char *text)
{
    uint64_t v;

    if (number_parse(numbers[row].kind, text, &v) < 0 || v < numbers[row].min ||
        v > numbers[row].max) {
        char min[NUMBER_TEXT], max[NUMBER_TEXT];
        return args_refuse(c, "--%s %s: expected %s from %s to %s", bench_args[row].name, text,
                           number_form(numbers[row].kind),
                           number_text(numbers[row].kind, numbers[row].min, min),
                           number_text(numbers[row].kind, numbers[row].max, max));
    }
    uint32_t v32 = (uint32_t)v;
    memcpy((char *)o + numbers[row].offset, &v32, sizeof v32);
    return EXIT_OK;
}

static int set_mode(const struct command *c, struct bench_options *o, const char *name)
{
    struct suggest near = suggest_start(name);

    for (unsigned i = 0; i < ARRAY_LEN(scenarios); i++) {
        suggest_offer(&near, scenarios[i]->name);
        if (strcmp(scenarios[i]->name, name) == 0) o->scenario = scenarios[i];
    }
    if (o->scenario) return EXIT_OK;
    const char *best = suggest_best(&near);
    return args_refuse(c, best ? "there is no mode %s; did you mean %s?" : "there is no mode %s",
                       name, best);
}

struct target {
    const char *host, *port;
};

static int set_transport(const struct command *c, struct bench_options *o, const char *name)
{
    int kind = wire_kind_find(name);

    if (kind < 0) return args_refuse(c, "-t %s: expected tcp, tls, ws or wss", name);
    o->transport = (uint8_t)kind;
    return EXIT_OK;
}

static int set_name(const struct command *c, struct bench_options *o, const char *name)
{
    if (!*name || strlen(name) >= BENCH_NAME || strpbrk(name, "+#/"))
        return args_refuse(c, "--name %s: expected 1 to %d characters, none of them + # /", name,
                           BENCH_NAME - 1);
    o->name = name;
    return EXIT_OK;
}

static int set_arg(const struct command *c, struct bench_options *o, struct target *t, int row,
                   const char *value)
{
    switch (row) {
    case ARG_MODE: o->scenario = NULL; return set_mode(c, o, value);
    case ARG_HOST: t->host = value; return EXIT_OK;
    case ARG_PORT: t->port = value; return EXIT_OK;
    case ARG_TRANSPORT: return set_transport(c, o, value);
    case ARG_RESUME: o->resume = true; return EXIT_OK;
    case ARG_AWAY: o->away = true; return EXIT_OK;
    case ARG_NAME: return set_name(c, o, value);
    case ARG_JSON: o->json = true; return EXIT_OK;
    case ARG_PROGRESS: o->progress = true; return EXIT_OK;
    case ARG_VERSION:
        o->version = resolve_version(value);
        return o->version ? EXIT_OK : args_refuse(c, "-V %s: expected 31, 311 or 5", value);
    case ARGS_OPERAND: return args_refuse(c, "\"%s\" is not an option", value);
    case ARGS_ERROR: return EXIT_USAGE;
    default: return set_number(c, o, row, value);
    }
}

static int run_bench(const struct command *c, const struct bench_options *o)
{
    struct bench b = {.options = o, .scenario = o->scenario};
    int status = EXIT_FAILED;
    int err = bench_start(&b);

    if (err < 0)
        fprintf(stderr, "pinion %s: %s\n", c->name, err_text(err));
    else
        status = o->scenario->conduct(&b);
    if (bench_phase(&b) != PHASE_STOP) bench_stop(&b);
    bench_free(&b);
    return status;
}

/* What the mode leaves no choice about, or has a default of its own for. */
static void suit_mode(struct bench_options *o)
{
    bool keeps = o->scenario == &bench_acks || o->scenario == &bench_drain;

    if (o->scenario == &bench_pairs) o->subscribers = o->publishers;
    if (o->scenario == &bench_retain) o->threads = 1; /* two links that may not miss each other */
    if (keeps && o->qos == 0) o->qos = 1;
    if (!keeps && o->count == 0) o->count = 1000;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct bench_options o = {
        .scenario = &bench_pairs,
        .version = MQTT_V311,
        .publishers = 1,
        .subscribers = 1,
        .payload_bytes = 64,
        .window = 100,
        .threads = 1,
        .measure_ms = 5000,
        .warmup_ms = 1000,
        .progress = isatty(STDERR_FILENO),
    };
    struct target target = {"127.0.0.1", "1883"};
    struct args args = args_of(c, argc, argv);
    struct rlimit files;
    const char *value;
    char error[RESOLVE_ERROR];

    for (int row; (row = args_next(&args, &value)) != ARGS_END;) {
        int status = set_arg(c, &o, &target, row, value);
        if (status != EXIT_OK) return status;
    }
    suit_mode(&o);
    if (resolve_host(&o.server, 1, target.host, target.port, error) < 0) {
        fprintf(stderr, "pinion %s: %s\n", c->name, error);
        return EXIT_FAILED;
    }
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files); /* if there are too few, connecting will say so */
    }
    return run_bench(c, &o);
}

const struct command command_bench = {
    .name = "bench",
    .what = "put load on a broker and measure",
    .operands = "",
    .args = bench_args,
    .nargs = ARGS,
    .run = run,
    .notes =
        "modes:\n"
        "  pairs     each of -P publishers has a topic and a subscriber of its own\n"
        "  fan-out   all -S subscribers get what -P publishers send\n"
        "  fan-in    the same, meant for -P above -S\n"
        "  shared    -S subscribers share what -P publishers send\n"
        "  idle      -n connections that do nothing, for -d: the broker's memory for each\n"
        "  retain    -n retained messages are stored, read by one subscriber, and removed\n"
        "  connrate  -n clients connect, leave and come again\n"
        "  acks      how fast -P publishers (QoS 1 or 2) are acknowledged, while -S sessions that\n"
        "            the broker keeps take their messages, or (--away) have left: until -n or -d\n"
        "  drain     the sessions that acks --away left behind, with the same -P, -S, -l and "
        "--name,\n"
        "            come back, take what waits for them, count it (-n) and are removed\n\n"
        "Without -r a publisher has at most -w messages under way (closed loop). With -r messages\n"
        "leave at a fixed rate, and latency counts from when each should have left.\n",
};
