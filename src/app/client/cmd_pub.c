/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_pub.c -- `pinion pub`: publishes one message, or one per line of input. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "app/client/client_args.h"
#include "app/command.h"
#include "base/err.h"

enum {
    PUB_MESSAGE = CLIENT_ARGS,
    PUB_RETAIN,
    PUB_LINES,
    PUB_FILE,
    PUB_EMPTY,
    PUB_STDIN,
    PUB_ARGS,
};

static const struct arg args_table[PUB_ARGS] = {
    CLIENT_ARG_ROWS,
    [PUB_MESSAGE] = {'m', "message", "TEXT", "the payload, instead of an argument"},
    [PUB_RETAIN] = {'r', "retain", NULL, "the broker keeps it for later subscribers"},
    [PUB_LINES] = {'l', "stdin-line", NULL, "one message per line of standard input"},
    [PUB_FILE] = {'f', "file", "FILE", "the payload is this file"},
    [PUB_EMPTY] = {'n', "null-message", NULL, "no payload; with -r: forget what is retained"},
    [PUB_STDIN] = {'s', "stdin-file", NULL, "the payload is all of standard input"},
};

enum payload_from { FROM_NOWHERE, FROM_TEXT, FROM_LINES, FROM_NAMED_FILE, FROM_STDIN, FROM_EMPTY };

struct pub {
    struct client_setup setup;
    const char *topic, *text; /* text or file name */
    enum payload_from from;
    bool retain;
};

static int set_payload(const struct command *c, struct pub *p, enum payload_from from,
                       const char *text)
{
    if (p->from != FROM_NOWHERE)
        return args_refuse(c, "only one payload: a message, or one of -m -l -f -n -s");
    p->from = from;
    p->text = text;
    return EXIT_OK;
}

static int set_arg(const struct command *c, struct pub *p, int row, const char *value)
{
    switch (row) {
    case CLIENT_TOPIC: p->topic = value; return EXIT_OK;
    case PUB_RETAIN: p->retain = true; return EXIT_OK;
    case PUB_MESSAGE: return set_payload(c, p, FROM_TEXT, value);
    case PUB_LINES: return set_payload(c, p, FROM_LINES, NULL);
    case PUB_FILE: return set_payload(c, p, FROM_NAMED_FILE, value);
    case PUB_EMPTY: return set_payload(c, p, FROM_EMPTY, NULL);
    case PUB_STDIN: return set_payload(c, p, FROM_STDIN, NULL);
    case ARGS_ERROR: return EXIT_USAGE;
    case ARGS_OPERAND:
        if (p->topic) return set_payload(c, p, FROM_TEXT, value);
        p->topic = value;
        return EXIT_OK;
    default: return client_arg_set(c, &p->setup, row, value);
    }
}

static int check(const struct command *c, const struct pub *p)
{
    if (!p->topic) return args_refuse(c, "there is no topic: pinion pub TOPIC MESSAGE");
    if (!mqtt_topic_valid(bytes_str(p->topic)))
        return args_refuse(c, "\"%s\" is not a topic (one can't publish to + or #)", p->topic);
    if (p->from == FROM_NOWHERE)
        return args_refuse(c, "there is no message: pinion pub TOPIC MESSAGE, or -n for an empty "
                              "one");
    return client_setup_check(c, &p->setup);
}

static int publish(struct client *c, const struct pub *p, struct bytes payload)
{
    struct mqtt_publish_out out = {
        .topic = bytes_str(p->topic),
        .payload = payload,
        .qos = p->setup.qos,
        .retain = p->retain,
    };

    return client_publish(c, &out);
}

static int publish_lines(struct client *c, const struct pub *p)
{
    char *line = NULL;
    size_t room = 0;
    int err = 0;

    for (ssize_t n; err >= 0 && (n = getline(&line, &room, stdin)) >= 0;) {
        if (n > 0 && line[n - 1] == '\n') n--;
        err = publish(c, p, bytes_of(line, (size_t)n));
    }
    free(line);
    return err;
}

static int publish_all_of(struct client *c, const struct pub *p, FILE *f)
{
    char *all = NULL;
    size_t room = 0;
    ssize_t n = getdelim(&all, &room, EOF, f); /* EOF is no character: reads to the end */
    int err = ferror(f) ? client_refuse(c, -ERR_OS, "the input can't be read: %s", strerror(errno))
                        : publish(c, p, bytes_of(all, n > 0 ? (size_t)n : 0));

    free(all);
    return err;
}

static int publish_file(struct client *c, const struct pub *p)
{
    FILE *f = fopen(p->text, "re");

    if (!f) return client_refuse(c, -ERR_OS, "%s: %s", p->text, strerror(errno));
    int err = publish_all_of(c, p, f);
    fclose(f);
    return err;
}

static int publish_payload(struct client *c, const struct pub *p)
{
    switch (p->from) {
    case FROM_LINES: return publish_lines(c, p);
    case FROM_NAMED_FILE: return publish_file(c, p);
    case FROM_STDIN: return publish_all_of(c, p, stdin);
    case FROM_TEXT: return publish(c, p, bytes_str(p->text));
    default: return publish(c, p, bytes_of(NULL, 0));
    }
}

static int run(const struct command *c, int argc, char **argv)
{
    struct pub p = {.setup = client_setup_default()};
    struct args args = args_of(c, argc, argv);
    struct client client;
    const char *value;

    for (int row; (row = args_next(&args, &value)) != ARGS_END;) {
        int status = set_arg(c, &p, row, value);
        if (status != EXIT_OK) return status;
    }
    int status = check(c, &p);
    if (status != EXIT_OK) return status;

    int err = client_open(&client, &p.setup.options);
    if (err == 0) err = publish_payload(&client, &p);
    if (err < 0) fprintf(stderr, "pinion %s: %s\n", c->name, client.error);
    client_close(&client);
    return err < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct command command_pub = {
    .name = "pub",
    .what = "publish a message",
    .operands = "TOPIC [MESSAGE]",
    .args = args_table,
    .nargs = PUB_ARGS,
    .run = run,
    .notes = "examples:\n"
             "  pinion pub greenhouse/3/temperature 21.5\n"
             "  pinion pub -q 1 -r greenhouse/3/state on\n"
             "  tail -f log | pinion pub -l logs/web1\n",
};
