/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_recover.c -- what a restart finds. So far the log is proved and opened; sessions and
 * messages are not given back yet. */
#include "broker/journal/journal_internal.h"

static int on_record(void *ctx, const struct store_record *r)
{
    (void)ctx;
    (void)r;
    return 0;
}

int journal_recover(struct journal *j, struct store *s, const struct store_replay *watch,
                    struct journal_found *found)
{
    struct store_replay replay = watch ? *watch : (struct store_replay){.ctx = NULL};

    *found = (struct journal_found){.sessions = 0};
    replay.record = on_record;
    int err = store_recover(s, &replay);
    if (err < 0) return err;
    store_start(s);
    j->store = s;
    return 0;
}
