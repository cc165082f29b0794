/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/serve/notify.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 512 };

/* A path, or '@' and a name that is in no file system. */
static bool address(struct notify *n, const char *text)
{
    size_t len = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof n->to.sun_path) return false;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, len);
    if (text[0] == '@') n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return true;
}

static uint32_t watchdog_ms(void)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    unsigned long long ms = us ? strtoull(us, NULL, 10) / 1000 : 0;

    if (pid && strtol(pid, NULL, 10) != (long)getpid()) return 0; /* another process's */
    return ms < INT32_MAX ? (uint32_t)ms : INT32_MAX;
}

void notify_open(struct notify *n)
{
    const char *text = getenv("NOTIFY_SOCKET");

    *n = (struct notify){.fd = -1};
    if (!text || !address(n, text)) return;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd >= 0) n->watchdog_ms = watchdog_ms();
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0) close(n->fd);
    n->fd = -1;
}

void notify_say(const struct notify *n, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    if (n->fd < 0) return;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len <= 0 || len >= TEXT_MAX) return;
    sendto(n->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
           n->to_len);
}
