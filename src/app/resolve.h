/* SPDX-License-Identifier: BSD-3-Clause */
/* resolve.h -- from the words of a client's command line to an address and a version. */
#pragma once

#include "core/sock.h"
#include "proto/mqtt/mqtt.h"

enum { RESOLVE_ERROR = 192 };

/* Up to `max` addresses of `host` (a name, an address, or "unix:" and a path), best first. May
 * block. How many, or -ERR_ABSENT, -ERR_INVALID with a sentence in error[RESOLVE_ERROR]. */
int resolve_host(struct sock_addr *a, unsigned max, const char *host, const char *port,
                 char *error);

/* "31", "311", "5" (and "mqttv311" as others write it); 0 for anything else. */
enum mqtt_version resolve_version(const char *text);
