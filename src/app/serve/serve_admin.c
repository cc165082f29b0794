/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_admin.c -- what the cores' admin interfaces share: the tokens, and what they show. */
#include <stdio.h>

#include "app/serve/serve.h"
#include "base/clock.h"
#include "base/err.h"

int serve_admin_make(struct serve *s, char *error)
{
    const struct options *o = s->options;
    char why[OPTION_TEXT_MAX * 2];
    struct clock clock;
    bool made;

    for (unsigned i = 0; i < o->listeners.n; i++)
        s->has_admin = s->has_admin || listen_is_admin(&o->listeners.how[i]);
    if (!s->has_admin) return 0;
    clock_tick(&clock);
    s->admin.listeners = s->listener;
    s->admin.nlisteners = o->listeners.n;
    s->admin.version = PINION_VERSION;
    s->admin.began_ms = clock.wall_ms;
    s->admin.health_needs_token = o->admin_health_token;
    int err = admin_tokens_load(&s->admin.tokens, o->admin_token_file, &made, why, sizeof why);
    if (err < 0) snprintf(error, OPTIONS_ERROR, "admin.token_file: %.400s", why);
    return err;
}
