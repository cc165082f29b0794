/* SPDX-License-Identifier: BSD-3-Clause */
/* options_listen.c -- lists of addresses to listen on. */
#include <errno.h>
#include <grp.h>
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
        s->how[s->n] = listen_how_default();
        if (len >= sizeof one || sock_addr_parse(a, one) < 0) {
            snprintf(error, n, "\"%.60s\" is not an address with a port, nor unix: and a path",
                     one);
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
        used += (size_t)snprintf(out + used, n - used, "%s%s%s%s%s", i ? ", " : "",
                                 sock_addr_text(&s->at[i], one), s->how[i].transport ? " " : "",
                                 s->how[i].transport ? listen_transport_text(&s->how[i]) : "",
                                 listen_is_admin(&s->how[i]) ? " admin" : "");
    return out;
}

/* ---- Unix sockets --------------------------------------------------------------------- */

enum { MODE = 0660 };

struct listen_how listen_how_default(void)
{
    return (struct listen_how){
        .transport = LISTEN_TCP,
        .path = "/mqtt",
        .mode = MODE,
        .proxy = {.nfrom = 3,
                  .from = {{.ip = {[10] = 0xFF, [11] = 0xFF, 127}, .bits = 104},
                           {.ip = {[15] = 1}, .bits = 128},
                           {.bits = 128}}}, /* this machine; the last is its Unix sockets */
    };
}

/* -1: none is asked for. */
static int find_group(const char *name, gid_t *gid)
{
    *gid = (gid_t)-1;
    if (!*name) return 0;
    errno = 0;
    const struct group *g = getgrnam(name);
    if (!g) return -ERR_ABSENT;
    *gid = g->gr_gid;
    return 0;
}

int listen_file_open(struct sock_file *f, const struct sock_addr *a, const struct listen_how *h,
                     char *error, size_t n)
{
    char address[SOCK_ADDR_TEXT];
    gid_t gid;

    sock_addr_text(a, address);
    if (find_group(h->group, &gid) < 0) {
        snprintf(error, n, "%s: group: there is no \"%.60s\"", address, h->group);
        return -ERR_INVALID;
    }
    int err = sock_file_open(f, a, h->mode, gid);
    if (err < 0)
        snprintf(error, n, "%s: %s", address,
                 err == -ERR_EXISTS   ? "there is a file of that name, and it is no socket"
                 : err == -ERR_BUSY   ? "another program listens there"
                 : err == -ERR_ABSENT ? "the folder does not exist"
                                      : err_text(err));
    return err;
}

/* ---- transports ---------------------------------------------------------------------- */

static const char *const transports[] = {
    [LISTEN_TCP] = "tcp",
    [LISTEN_TLS] = "tls",
    [LISTEN_WS] = "ws",
    [LISTEN_WSS] = "wss",
};

const char *listen_transport_text(const struct listen_how *h)
{
    return transports[h->transport];
}

int listen_transport_find(const char *text)
{
    for (int i = 0; i <= LISTEN_WSS; i++)
        if (strcmp(transports[i], text) == 0) return i;
    return -ERR_INVALID;
}

const char *const listen_protocol_words[3] = {"mqtt", "admin", NULL};
const char *const listen_anonymous_words[4] = {"auto", "no", "yes", NULL};

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

struct tls_context *listen_tls_new(const struct listen_how *h, char *error, size_t n)
{
    struct tls_options o = {
        .pair = {.certificate = h->certificate, .key = h->key},
        .ca = given(h->ca),
        .crl = given(h->crl),
        .ciphers = given(h->ciphers),
        .alpn = h->transport == LISTEN_WSS || listen_is_admin(h) ? "http/1.1" : "mqtt",
        .client = h->client,
        .only_v13 = h->only_v13,
        .nnames = h->nnames,
    };

    for (unsigned i = 0; i < h->nnames; i++)
        o.names[i] = (struct tls_pair){h->names[i].certificate, h->names[i].key};
    return tls_context_new(&o, error, n);
}

int options_check_tls(struct options *o)
{
    char error[OPTION_TEXT_MAX], address[SOCK_ADDR_TEXT];

    for (unsigned i = 0; i < o->listeners.n; i++) {
        const struct listen_how *h = &o->listeners.how[i];
        if (h->transport != LISTEN_TLS && h->transport != LISTEN_WSS) continue;
        struct tls_context *x = listen_tls_new(h, error, sizeof error);
        if (!x)
            return options_refuse(o, "listeners: %s: %s",
                                  sock_addr_text(&o->listeners.at[i], address), error);
        tls_context_free(&x);
    }
    return 0;
}
