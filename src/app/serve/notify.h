/* SPDX-License-Identifier: BSD-3-Clause */
/* notify.h -- tells the service manager how it stands: a line of text to the socket that
 * NOTIFY_SOCKET names, as sd_notify(3) describes it. Without one nothing happens.
 *
 * Owner: the main thread. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    socklen_t to_len;
    uint32_t watchdog_ms; /* without a sign of life for so long we are killed; 0: never */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void notify_open(struct notify *n);
void notify_close(struct notify *n);

/* Sends "READY=1" and the like. Lost if the manager does not listen: it is not waited for. */
__attribute__((format(printf, 2, 3))) void notify_say(const struct notify *n, const char *format,
                                                      ...);
