/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c -- signals are waited for by the main thread; no handler runs any code. */
#include <signal.h>

#include "app/serve/serve.h"

static sigset_t ending(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void signals_init(void)
{
    sigset_t set = ending();

    signal(SIGPIPE, SIG_IGN);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_wait(struct serve *s, void (*reload)(struct serve *s))
{
    sigset_t set = ending();
    sigset_t heard = set;
    int which = SIGHUP;

    sigaddset(&heard, SIGHUP);
    while (which == SIGHUP) {
        while (sigwait(&heard, &which) != 0)
            ;
        if (which == SIGHUP) reload(s);
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return which;
}
