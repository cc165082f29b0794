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
    uint64_t done, all;
    struct journal_found found;
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

static void tell(struct progress *p, struct serve *s)
{
    struct sum sum = add_up(s);
    double seconds = (double)(s->clock.now_ns - p->began_ns) / 1e9;

    notify_say(&s->notify, "STATUS=Reading %s: %u %%\nEXTEND_TIMEOUT_USEC=%llu",
               s->options->data.dir, percent(&sum), PATIENCE_S * 1000000ull);
    if (p->terminal) {
        fprintf(stderr, "\rreading %s: %3u %%, %.1f of %.1f MiB, %.0f s ", s->options->data.dir,
                percent(&sum), (double)sum.done / 1048576, (double)sum.all / 1048576, seconds);
        p->has_line = true;
    }
    if (s->clock.now_ns < p->log_due_ns) return;
    p->log_due_ns = s->clock.now_ns + LOG_S * NS_PER_S;
    if (p->has_line && s->log.how.fd == STDERR_FILENO) return; /* it is there already */
    LOG(&s->log, LOG_INFO, "recovering", F_U64("percent", percent(&sum)), F_U64("bytes", sum.done),
        F_U64("of_bytes", sum.all), F_U64("seconds", seconds));
}

void progress_look(struct progress *p, struct serve *s)
{
    serve_log(s);
    if (!s->data.is_open || s->clock.now_ns < p->line_due_ns) return;
    p->line_due_ns = s->clock.now_ns + LINE_S * NS_PER_S;
    tell(p, s);
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

void progress_end(struct progress *p, struct serve *s)
{
    serve_log(s);
    if (p->has_line) fputc('\n', stderr);
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
