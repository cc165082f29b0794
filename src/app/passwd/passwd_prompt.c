/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/passwd/passwd_prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"

static int complain(int err, const char *why)
{
    fprintf(stderr, "pinion passwd: %s\n", why);
    return err;
}

/* One line of `fd`, byte by byte: what follows it is not ours. */
static int read_line(int fd, struct passwd_secret *s)
{
    s->n = 0;
    for (;;) {
        ssize_t got = read(fd, &s->p[s->n], 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return complain(-ERR_OS, strerror(errno));
        if (got == 0 && s->n == 0) return complain(-ERR_CLOSED, "there is no password");
        if (got == 0 || s->p[s->n] == '\n') return 0;
        if (s->n == PASSWD_SECRET_MAX)
            return complain(-ERR_TOO_LARGE, "the password is longer than 4096 bytes");
        s->n++;
    }
}

int passwd_read_stdin(struct passwd_secret *s)
{
    return read_line(STDIN_FILENO, s);
}

/* ---- the terminal ------------------------------------------------------------------------- */

static sigset_t ending(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    sigset_t set;

    sigemptyset(&set);
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&set, signals[i]);
    return set;
}

/* A line of the terminal, or the first of the blocked signals: that one stays pending, and ends us
 * when it is no longer blocked. */
static int wait_and_read(int tty, const sigset_t *blocked, struct passwd_secret *s)
{
    struct pollfd fds[] = {
        {.fd = tty, .events = POLLIN},
        {.fd = signalfd(-1, blocked, SFD_CLOEXEC), .events = POLLIN},
    };
    int n, err = -ERR_CLOSED;

    if (fds[1].fd < 0) return complain(-ERR_OS, strerror(errno));
    do {
        n = poll(fds, 2, -1);
    } while (n < 0 && errno == EINTR);
    if (n > 0 && fds[1].revents == 0) err = read_line(tty, s);
    close(fds[1].fd);
    return err;
}

static int ask_quietly(int tty, const char *question, struct passwd_secret *s)
{
    struct termios before;

    if (tcgetattr(tty, &before) < 0) return complain(-ERR_OS, strerror(errno));
    struct termios quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    sigset_t blocked = ending(), mask;
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    int err = -ERR_OS;
    if (tcsetattr(tty, TCSAFLUSH, &quiet) == 0) {
        dprintf(tty, "%s: ", question);
        err = wait_and_read(tty, &blocked, s);
        dprintf(tty, "\n");
        tcsetattr(tty, TCSAFLUSH, &before);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return err;
}

int passwd_ask(struct passwd_secret *s, const char *question)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (tty < 0) return complain(-ERR_OS, "there is no terminal to ask on; see --stdin");
    int err = ask_quietly(tty, question, s);
    close(tty);
    return err;
}
