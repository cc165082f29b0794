/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_admin.c -- what the cores' admin interfaces share: the tokens, and what they show; and what
 * they share to tell of themselves under $SYS. */
#include <stdio.h>

#include "app/serve/serve.h"
#include "base/clock.h"
#include "base/err.h"

int serve_admin_make(struct serve *s, char *error)
{
    const struct options *o = s->options;
    struct admin_tokens *tokens = NULL;
    struct clock clock;

    for (unsigned i = 0; i < o->listeners.n; i++)
        s->has_admin = s->has_admin || listen_is_admin(&o->listeners.how[i]);
    clock_tick(&clock);
    s->sys.version = PINION_VERSION;
    s->sys.began_ms = clock.wall_ms;
    s->sys.interval_s = o->sys_interval_s;
    if (!s->has_admin) return 0;
    s->admin.listeners = s->listener;
    s->admin.nlisteners = o->listeners.n;
    s->admin.version = PINION_VERSION;
    s->admin.began_ms = clock.wall_ms;
    s->admin.health_needs_token = o->admin_health_token;
    int err = serve_admin_read(s, &tokens, error);
    if (err == 0) admin_set_tokens(&s->admin, tokens);
    return err;
}

int serve_admin_read(const struct serve *s, struct admin_tokens **tokens, char *error)
{
    char why[OPTION_TEXT_MAX * 2];

    if (!s->has_admin) return 0;
    *tokens = admin_tokens_load(serve_options(s)->admin_token_file, why, sizeof why);
    if (*tokens) return 0;
    snprintf(error, OPTIONS_ERROR, "admin.token_file: %.400s", why);
    return -ERR_INVALID;
}
