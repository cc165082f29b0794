/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_log.c -- `pinion log`: looks into a data directory, and changes nothing there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/log/log_print.h"
#include "base/assert.h"
#include "base/err.h"

enum { LOG_JSON, LOG_CORE, LOG_ARGS };

static const struct arg args_table[LOG_ARGS] = {
    [LOG_JSON] = {'j', "json", NULL, "one JSON object per line"},
    [LOG_CORE] = {'n', "core", "N", "only the log of this core"},
};

static const char *const verbs[] = {
    [LOG_CHECK] = "check", [LOG_DUMP] = "dump", [LOG_STAT] = "stat"};

struct request {
    struct log_look look;
    const char *path;
    long core; /* -1: all */
    bool has_verb;
};

static int set_operand(const struct command *c, struct request *r, const char *word)
{
    if (r->has_verb) {
        if (r->path) return args_refuse(c, "one directory at a time");
        r->path = word;
        return EXIT_OK;
    }
    for (unsigned i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(word, verbs[i]) != 0) continue;
        r->look.verb = (enum log_verb)i;
        r->has_verb = true;
        return EXIT_OK;
    }
    return args_refuse(c, "\"%s\" is none of check, dump, stat", word);
}

static int set_core(const struct command *c, struct request *r, const char *value)
{
    char *end;
    r->core = strtol(value, &end, 10);
    if (*value && !*end && r->core >= 0 && r->core < STORE_CORES_MAX) return EXIT_OK;
    return args_refuse(c, "--core %s: expected a number from 0 to %d", value, STORE_CORES_MAX - 1);
}

static int read_args(const struct command *c, struct request *r, int argc, char **argv)
{
    struct args args = args_of(c, argc, argv);
    const char *value;
    int status = EXIT_OK;

    for (int row; status == EXIT_OK && (row = args_next(&args, &value)) != ARGS_END;) {
        switch (row) {
        case ARGS_ERROR: return EXIT_USAGE;
        case LOG_JSON: r->look.json = true; break;
        case LOG_CORE: status = set_core(c, r, value); break;
        default: status = set_operand(c, r, value); break;
        }
    }
    if (status == EXIT_OK && !r->path)
        return args_refuse(c, "say what and where: pinion log check DIR");
    return status;
}

/* Reads one core's log to the end, whatever is wrong with it. */
static int look_at(struct log_look *look, const struct store_dir *dir, unsigned core)
{
    static const struct clock clock;
    struct disk *disk = disk_new_inline(dir->io);
    const struct store_options o = {.io = dir->io,
                                    .disk = disk,
                                    .dir = dir,
                                    .core = core,
                                    .generation = dir->generation,
                                    .clock = &clock,
                                    .salvage = true,
                                    .read_only = true,
                                    .read_all = true};
    struct store *s = disk ? store_new(&o) : NULL;
    const struct store_replay replay = {
        .ctx = look, .record = log_on_record, .found = log_on_found};

    log_look_begin(look, core);
    int err = s ? store_recover(s, &replay) : -ERR_NOMEM;
    if (err < 0) fprintf(stderr, "pinion log: %s\n", s ? store_why(s) : err_text(err));
    if (s) log_look_end(look, err == 0 ? store_stats(s) : (struct store_stats){0});
    store_close(&s);
    disk_free(&disk);
    return err;
}

static int run(const struct command *c, int argc, char **argv)
{
    struct request r = {.core = -1};
    struct store_dir dir;
    int status = read_args(c, &r, argc, argv);

    if (status != EXIT_OK) return status;
    if (store_dir_open(&dir, store_io_linux(), r.path, true) < 0) {
        fprintf(stderr, "pinion log: %s\n", dir.why);
        return EXIT_FAILED;
    }
    if (dir.generation == 0 || (r.core >= 0 && r.core >= (long)dir.cores)) {
        if (dir.generation == 0)
            fprintf(stderr, "pinion log: %s is no data directory: there is no layout\n", r.path);
        else
            fprintf(stderr, "pinion log: --core %ld: there are %" PRIu32 " cores, from 0\n", r.core,
                    dir.cores);
        store_dir_close(&dir);
        return EXIT_FAILED;
    }
    for (unsigned core = 0; core < dir.cores; core++)
        if ((r.core < 0 || r.core == (long)core) && look_at(&r.look, &dir, core) < 0)
            status = EXIT_FAILED;
    store_dir_close(&dir);
    if (r.look.damaged) status = EXIT_FAILED;
    return fflush(stdout) == 0 ? status : EXIT_FAILED;
}

const struct command command_log = {
    .name = "log",
    .what = "check, dump or measure what the broker keeps on disk",
    .operands = "check|dump|stat DIR",
    .args = args_table,
    .nargs = LOG_ARGS,
    .run = run,
    .notes =
        "check proves every record and says what is wrong: exit status 0 if nothing is, else 1.\n"
        "dump prints the records, stat how many of each type there are, and how large.\n"
        "Nothing is changed. While a broker uses DIR, the end of a log may look torn.\n",
};
