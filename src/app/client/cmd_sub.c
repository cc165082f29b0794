/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_sub.c -- `pinion sub`: subscribes and prints what comes. */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "app/client/client_args.h"
#include "app/client/sub_print.h"
#include "app/command.h"
#include "app/number.h"
#include "base/err.h"

enum { FILTERS_MAX = 64 };

enum {
    SUB_VERBOSE = CLIENT_ARGS,
    SUB_COUNT,
    SUB_WAIT,
    SUB_FORMAT,
    SUB_KEEP,
    SUB_NO_RETAINED,
    SUB_ARGS,
};

static const struct arg args_table[SUB_ARGS] = {
    CLIENT_ARG_ROWS,
    [SUB_VERBOSE] = {'v', "verbose", NULL, "the topic before each payload"},
    [SUB_COUNT] = {'C', "count", "N", "end after so many messages"},
    [SUB_WAIT] = {'W', "timeout", "TIME", "end after so long, with exit status 27"},
    [SUB_FORMAT] = {'F', "format", "FORMAT", "%t topic %p payload %q QoS %r retained %l length"},
    [SUB_KEEP] = {'c', "disable-clean-session", NULL, "resume the session of this identifier (-i)"},
    [SUB_NO_RETAINED] = {'R', "no-retained", NULL, "do not print retained messages"},
};

struct sub {
    struct client_setup setup;
    struct mqtt_filter filter[FILTERS_MAX];
    unsigned nfilters;
    const char *format;
    uint64_t count, until_ms; /* 0, UINT64_MAX: no limit */
    bool no_retained;

    struct client client;
    uint64_t printed;
};

static int add_filter(const struct command *c, struct sub *s, const char *text)
{
    struct bytes filter = bytes_str(text);

    if (!mqtt_filter_valid(filter))
        return args_refuse(c,
                           "\"%s\" is not a filter (+ and # stand alone in their level, # only "
                           "last)",
                           text);
    if (s->nfilters == FILTERS_MAX) return args_refuse(c, "more than %d filters", FILTERS_MAX);
    s->filter[s->nfilters++].filter = filter;
    return EXIT_OK;
}

static int set_arg(const struct command *c, struct sub *s, int row, const char *value)
{
    static const struct client_range count = {NUMBER_COUNT, 1, UINT32_MAX},
                                     wait = {NUMBER_MS, 1, 365ull * 86400000};
    int status;

    switch (row) {
    case ARGS_ERROR: return EXIT_USAGE;
    case CLIENT_TOPIC:
    case ARGS_OPERAND: return add_filter(c, s, value);
    case SUB_VERBOSE: s->format = "%t %p\\n"; return EXIT_OK;
    case SUB_KEEP: s->setup.options.keep_session = true; return EXIT_OK;
    case SUB_NO_RETAINED: s->no_retained = true; return EXIT_OK;
    case SUB_COUNT: return client_number(c, "count", value, count, &s->count);
    case SUB_WAIT:
        status = client_number(c, "timeout", value, wait, &s->until_ms);
        if (status == EXIT_OK) s->until_ms += client_now_ms();
        return status;
    case SUB_FORMAT:
        s->format = value;
        if (!sub_format_check(value)) return EXIT_OK;
        return args_refuse(c, "-F: \"%s\" is not known; there are %%t %%p %%q %%r %%l %%%%",
                           sub_format_check(value));
    default: return client_arg_set(c, &s->setup, row, value);
    }
}

static int read_args(const struct command *c, struct sub *s, int argc, char **argv)
{
    struct args args = args_of(c, argc, argv);
    const char *value;

    for (int row; (row = args_next(&args, &value)) != ARGS_END;) {
        int status = set_arg(c, s, row, value);
        if (status != EXIT_OK) return status;
    }
    if (s->nfilters == 0) return args_refuse(c, "there is no filter: pinion sub FILTER");
    for (unsigned i = 0; i < s->nfilters; i++)
        s->filter[i].qos = s->setup.qos;
    return client_setup_check(c, &s->setup);
}

static int on_message(void *ctx, const struct mqtt_frame *f)
{
    struct sub *s = ctx;
    struct client *c = &s->client;
    struct mqtt_publish p;

    if (mqtt_decode_publish(f, c->version, false, &p) != 0)
        return client_refuse(c, -ERR_MALFORMED, "a message from the broker is malformed");
    if (!(p.retain && s->no_retained)) {
        sub_print(stdout, s->format, &p);
        if (fflush(stdout) != 0) return client_refuse(c, -ERR_OS, "the output can't be written");
        s->printed++;
    }
    if (p.qos == 0) return 0;
    return client_ack(c, p.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, p.packet_id);
}

static int on_packet(void *ctx, const struct mqtt_frame *f)
{
    struct sub *s = ctx;
    struct mqtt_ack a;

    if (f->type == MQTT_PUBLISH) return on_message(ctx, f);
    if (f->type != MQTT_PUBREL) return 0;
    if (mqtt_decode_ack(f, s->client.version, &a) != 0)
        return client_refuse(&s->client, -ERR_MALFORMED, "a PUBREL from the broker is malformed");
    return client_ack(&s->client, MQTT_PUBCOMP, a.packet_id);
}

/* Does the user want to stop, or was it the time? */
static int watch_for_stop(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int take_messages(struct sub *s)
{
    struct client *c = &s->client;
    int err = client_open(c, &s->setup.options);

    if (err < 0) return err;
    c->stop_fd = watch_for_stop();
    err = client_subscribe(c, s->filter, s->nfilters, on_packet, s);
    while (err >= 0 && (s->count == 0 || s->printed < s->count)) {
        struct mqtt_frame f;
        err = client_receive(c, &f, s->until_ms);
        if (err <= 0) return err;
        err = on_packet(s, &f);
    }
    return err;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct sub s = {.setup = client_setup_default(), .format = "%p\\n", .until_ms = UINT64_MAX};

    int status = read_args(c, &s, argc, argv);
    if (status != EXIT_OK) return status;
    int err = take_messages(&s);
    if (err < 0) fprintf(stderr, "pinion %s: %s\n", c->name, s.client.error);
    client_close(&s.client);
    if (err < 0) return EXIT_FAILED;
    return client_now_ms() >= s.until_ms ? EXIT_TIMED_OUT : EXIT_OK;
}

const struct command command_sub = {
    .name = "sub",
    .what = "subscribe, and print what comes",
    .operands = "FILTER...",
    .args = args_table,
    .nargs = SUB_ARGS,
    .run = run,
    .notes = "examples:\n"
             "  pinion sub 'greenhouse/+/temperature'\n"
             "  pinion sub -v '#'\n"
             "  pinion sub -C 1 -W 5s -F '%t %q %p\\n' status\n",
};
