/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c -- signals are waited for by the main thread; no handler runs any code. */
#include <signal.h>
#include <time.h>

#include "app/serve/serve.h"

static sigset_t ending(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

static sigset_t heard(void)
{
    sigset_t set = ending();

    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void signals_init(void)
{
    sigset_t set = heard();

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a log file at the limit of its size is an error of the write */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_next(int wait_ms)
{
    const struct timespec t = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000l};
    sigset_t set = heard();
    int which = wait_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &t);

    return which > 0 ? which : 0; /* time is over, or a debugger was here */
}

void signals_look(void)
{
    int which = signals_next(0);

    if (which != SIGTERM && which != SIGINT) return;
    signals_let_end();
    raise(which);
}

void signals_let_end(void)
{
    sigset_t set = ending();

    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
