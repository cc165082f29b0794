/* SPDX-License-Identifier: BSD-3-Clause */
/* options_listen.c -- lists of addresses to listen on. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/options/options.h"
#include "base/err.h"

/* Can a socket have this address here? Asked only for loopback: containers often lack IPv6. */
static bool address_exists(const struct sock_addr *a)
{
    struct sock_addr any_port = *a;
    struct sockaddr_in6 *in6 = (void *)&any_port.ss;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) return false;
    in6->sin6_port = 0;
    bool ok = bind(fd, (struct sockaddr *)&any_port.ss, any_port.len) == 0;
    close(fd);
    return ok;
}

int listen_set_parse(struct listen_set *s, const char *text, bool lenient, char *error, size_t n)
{
    char one[SOCK_ADDR_TEXT];

    s->n = 0;
    for (const char *p = text; *p;) {
        p += strspn(p, " ,");
        size_t len = strcspn(p, " ,");
        if (len == 0) break;
        snprintf(one, sizeof one, "%.*s", (int)len, p);
        p += len;
        if (s->n == NET_LISTENERS_MAX) {
            snprintf(error, n, "more than %d addresses", NET_LISTENERS_MAX);
            return -ERR_INVALID;
        }
        struct sock_addr *a = &s->at[s->n];
        if (len >= sizeof one || sock_addr_parse(a, one) < 0) {
            snprintf(error, n, "\"%.60s\" is not an address with a port", one);
            return -ERR_INVALID;
        }
        if (!lenient || a->ss.ss_family != AF_INET6 || address_exists(a)) s->n++;
    }
    if (s->n > 0) return 0;
    snprintf(error, n, "there must be at least one address");
    return -ERR_INVALID;
}

const char *listen_set_text(const struct listen_set *s, char *out, size_t n)
{
    char one[SOCK_ADDR_TEXT];
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < s->n && used < n; i++)
        used += (size_t)snprintf(out + used, n - used, "%s%s", i ? ", " : "",
                                 sock_addr_text(&s->at[i], one));
    return out;
}
