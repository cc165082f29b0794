/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_addr.c -- socket addresses as text. "*" is the IPv6 "any" address, which
 * a listening socket of ours opens for both families. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/err.h"
#include "core/sock.h"

#define HANDED "systemd:"
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

enum { HANDED_AT = sizeof(sa_family_t), HANDED_NAME_MAX = 40 };

/* Digits only, 0 to 65535; -1 if it is anything else. */
static int parse_port(const char *s)
{
    int port = 0;
    if (!*s) return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9') return -1;
        port = port * 10 + (*s - '0');
        if (port > UINT16_MAX) return -1;
    }
    return port;
}

static void set_v6(struct sock_addr *a, struct in6_addr ip, int port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = ip};
    in6.sin6_port = htons((uint16_t)port);
    memcpy(&a->ss, &in6, sizeof in6);
    a->len = sizeof in6;
}

static void set_v4(struct sock_addr *a, struct in_addr ip, int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = ip};
    in.sin_port = htons((uint16_t)port);
    memcpy(&a->ss, &in, sizeof in);
    a->len = sizeof in;
}

/* A path from the root, so that it means the same wherever the broker was started. */
static int parse_unix(struct sock_addr *a, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (path[0] != '/' || path[n - 1] == '/' || n >= sizeof un.sun_path) return -ERR_INVALID;
    for (size_t i = 0; i < n; i++)
        if (path[i] <= ' ' || path[i] == '"' || path[i] == '\\' || path[i] == 0x7F)
            return -ERR_INVALID; /* it stands in lists, labels and log lines */
    memcpy(un.sun_path, path, n + 1);
    memcpy(&a->ss, &un, sizeof un);
    a->len = sizeof un;
    return 0;
}

/* A name stands where an address of no family would. */
static int parse_handed(struct sock_addr *a, const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > HANDED_NAME_MAX || strspn(name, NAME_LETTERS) != n) return -ERR_INVALID;
    a->ss.ss_family = AF_UNSPEC;
    memcpy((char *)&a->ss + HANDED_AT, name, n + 1);
    a->len = (socklen_t)(HANDED_AT + n + 1);
    return 0;
}

const char *sock_addr_handed(const struct sock_addr *a)
{
    bool handed = a->ss.ss_family == AF_UNSPEC && a->len > HANDED_AT;
    return handed ? (const char *)&a->ss + HANDED_AT : NULL;
}

int sock_addr_parse(struct sock_addr *a, const char *text)
{
    *a = (struct sock_addr){0};
    if (strncmp(text, "unix:", 5) == 0) return parse_unix(a, text + 5);
    if (strncmp(text, HANDED, sizeof HANDED - 1) == 0)
        return parse_handed(a, text + sizeof HANDED - 1);
    const char *colon = strrchr(text, ':');
    if (!colon) return -ERR_INVALID;
    int port = parse_port(colon + 1);
    size_t n = (size_t)(colon - text);
    char host[INET6_ADDRSTRLEN + 2];
    if (port < 0 || n == 0 || n >= sizeof host) return -ERR_INVALID;
    memcpy(host, text, n);
    host[n] = '\0';

    struct in_addr v4;
    struct in6_addr v6;
    if (strcmp(host, "*") == 0) {
        set_v6(a, in6addr_any, port);
        return 0;
    }
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &v6) != 1) return -ERR_INVALID;
        set_v6(a, v6, port);
        return 0;
    }
    if (inet_pton(AF_INET, host, &v4) != 1) return -ERR_INVALID;
    set_v4(a, v4, port);
    return 0;
}

const char *sock_addr_text(const struct sock_addr *a, char *out)
{
    char host[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;

    const char *name = sock_addr_handed(a);
    snprintf(out, SOCK_ADDR_TEXT, name ? HANDED "%s" : "?", name);
    if (a->ss.ss_family == AF_INET) {
        memcpy(&in, &a->ss, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(out, SOCK_ADDR_TEXT, "%s:%u", host, (unsigned)ntohs(in.sin_port));
    } else if (a->ss.ss_family == AF_INET6) {
        memcpy(&in6, &a->ss, sizeof in6);
        unsigned port = ntohs(in6.sin6_port);
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        if (IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr))
            snprintf(out, SOCK_ADDR_TEXT, "*:%u", port);
        else
            snprintf(out, SOCK_ADDR_TEXT, "[%s]:%u", host, port);
    } else if (a->ss.ss_family == AF_UNIX) {
        memcpy(&un, &a->ss, sizeof un);
        snprintf(out, SOCK_ADDR_TEXT, "unix:%.*s", (int)sizeof un.sun_path, un.sun_path);
    }
    return out;
}
