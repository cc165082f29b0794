/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "app/number.h"
#include "base/err.h"

int resolve_host(struct sock_addr *a, unsigned max, const char *host, const char *port, char *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    uint64_t number;
    unsigned n = 0;

    if (strncmp(host, "unix:", 5) == 0) {
        if (sock_addr_parse(&a[0], host) == 0) return 1;
        snprintf(error, RESOLVE_ERROR, "\"%.100s\" is not unix: and a path from /", host);
        return -ERR_INVALID;
    }
    if (number_parse(NUMBER_COUNT, port, &number) < 0 || number < 1 || number > 65535) {
        snprintf(error, RESOLVE_ERROR, "\"%.40s\" is not a port from 1 to 65535", port);
        return -ERR_INVALID;
    }
    int err = getaddrinfo(host, port, &hints, &found);
    if (err != 0) {
        snprintf(error, RESOLVE_ERROR, "%.100s: %s", host, gai_strerror(err));
        return -ERR_ABSENT;
    }
    for (const struct addrinfo *i = found; i && n < max; i = i->ai_next, n++) {
        a[n] = (struct sock_addr){.len = i->ai_addrlen};
        memcpy(&a[n].ss, i->ai_addr, i->ai_addrlen);
    }
    freeaddrinfo(found);
    return (int)n;
}

enum mqtt_version resolve_version(const char *text)
{
    if (strncmp(text, "mqttv", 5) == 0) text += 5;
    if (strcmp(text, "31") == 0) return MQTT_V31;
    if (strcmp(text, "311") == 0) return MQTT_V311;
    if (strcmp(text, "5") == 0 || strcmp(text, "50") == 0) return MQTT_V5;
    return (enum mqtt_version)0;
}
