/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.c -- a start that takes long says how far it is: reading back gigabytes must not look
 * like hanging, and the service manager must not lose its patience. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "app/number.h"
#include "app/serve/serve.h"

enum { LINE_S = 1, LOG_S = 10, PATIENCE_S = 60 };

struct sum {
    uint64_t done, all; /* bytes */
};

static struct sum add_up(const struct serve *s)
{
    struct sum sum = {.done = 0};

    for (unsigned i = 0; i < s->started; i++) {
        const struct data_core *d = &s->cores[i].data;
        sum.done += atomic_load_explicit(&d->done_bytes, memory_order_relaxed);
        sum.all += atomic_load_explicit(&d->all_bytes, memory_order_relaxed);
    }
    return sum;
}

static unsigned percent(const struct sum *sum)
{
    return sum->all ? (unsigned)(sum->done / (sum->all / 100 + 1)) : 0;
}

void progress_begin(struct progress *p, struct serve *s)
{
    serve_log(s);
    p->began_ns = s->clock.now_ns;
    p->line_due_ns = p->log_due_ns = p->began_ns + LINE_S * NS_PER_S;
    p->terminal = isatty(STDERR_FILENO);
    p->has_line = false;
}

/* Is it time to say something again? */
static bool is_due(struct progress *p, struct serve *s)
{
    serve_log(s);
    if (s->clock.now_ns < p->line_due_ns) return false;
    p->line_due_ns = s->clock.now_ns + LINE_S * NS_PER_S;
    return true;
}

/* What is done, and how much of it. */
struct told {
    const char *what;
    unsigned percent;
    uint64_t bytes; /* 0: not counted */
};

static void tell(struct progress *p, struct serve *s, const struct told *step)
{
    uint64_t seconds = (s->clock.now_ns - p->began_ns) / NS_PER_S;
    const char *dir = s->options->data.dir;
    char bytes[32] = "";

    notify_say(&s->notify, "STATUS=%s %.200s: %u %%\nEXTEND_TIMEOUT_USEC=%llu", step->what, dir,
               step->percent, PATIENCE_S * 1000000ull);
    if (step->bytes) snprintf(bytes, sizeof bytes, ", %.1f MiB", (double)step->bytes / 1048576);
    if (p->terminal) {
        fprintf(stderr, "\r%s %s: %3u %%%s, %" PRIu64 " s ", step->what, dir, step->percent, bytes,
                seconds);
        p->has_line = true;
    }
    if (s->clock.now_ns < p->log_due_ns) return;
    p->log_due_ns = s->clock.now_ns + LOG_S * NS_PER_S;
    if (p->has_line && !*s->options->log_file) return; /* it is there already */
    LOG(&s->log, LOG_INFO, "recovering", F_STR("step", step->what), F_U64("percent", step->percent),
        F_U64("bytes", step->bytes), F_U64("seconds", seconds));
}

void progress_look(struct progress *p, struct serve *s)
{
    if (!s->data.is_open || !is_due(p, s)) return;
    struct sum sum = add_up(s);
    tell(p, s, &(struct told){"reading", percent(&sum), sum.done});
}

void progress_rewrite(struct progress *p, struct serve *s, unsigned permille)
{
    if (is_due(p, s)) tell(p, s, &(struct told){"rewriting", permille / 10, 0});
}

static struct journal_found found_by_all(const struct serve *s)
{
    struct journal_found sum = {.sessions = 0};

    for (unsigned i = 0; i < s->started; i++) {
        const struct journal_found *f = &s->cores[i].data.found;
        sum.sessions += f->sessions;
        sum.subscriptions += f->subscriptions;
        sum.messages += f->messages;
        sum.retained += f->retained;
        sum.lost += f->lost;
    }
    return sum;
}

void progress_end(struct progress *p)
{
    if (p->has_line) fputc('\n', stderr);
    p->has_line = false;
}

void progress_recovered(const struct progress *p, struct serve *s)
{
    serve_log(s);
    if (!s->data.is_open) return;
    struct journal_found f = found_by_all(s);
    s->data.found = f;
    s->data.recovery_ms = (s->clock.now_ns - p->began_ns) / NS_PER_MS;
    LOG(&s->log, LOG_INFO, "recovered", F_STR("dir", s->options->data.dir),
        F_U64("sessions", f.sessions), F_U64("subscriptions", f.subscriptions),
        F_U64("messages", f.messages), F_U64("retained", f.retained),
        F_U64("bytes", add_up(s).done), F_U64("ms", s->data.recovery_ms));
    if (f.lost) LOG(&s->log, LOG_ERROR, "messages_lost", F_U64("messages", f.lost));
}
