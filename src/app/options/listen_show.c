/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/options/listen_show.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/assert.h"

#define KEY(key_, initial_, allowed_, help_) {key_, initial_, allowed_, help_},
static const struct listen_key keys[] = {
#include "app/options/listener.def"
};

const struct listen_key *listen_key_at(unsigned i)
{
    return i < ARRAY_LEN(keys) ? &keys[i] : NULL;
}

/* ---- values ------------------------------------------------------------------------------ */

static void line(FILE *out, const char *key, const char *value)
{
    if (*value) fprintf(out, "  %-24s %s\n", key, value);
}

static const char *net_text(const struct peer_net *net, char *out, size_t n)
{
    bool v4 = net->bits >= 96 && net->ip[10] == 0xFF && net->ip[11] == 0xFF;
    static const uint8_t none[16];
    char ip[INET6_ADDRSTRLEN];

    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? net->ip + 12 : net->ip, ip, sizeof ip);
    if (net->bits == 128 && memcmp(net->ip, none, sizeof none) == 0)
        snprintf(out, n, "unix");
    else
        snprintf(out, n, "%s/%d", ip, net->bits - (v4 ? 96 : 0));
    return out;
}

static void show_proxy(const struct listen_how *h, FILE *out)
{
    char one[INET6_ADDRSTRLEN + 8];

    line(out, "proxy_protocol", h->proxied ? "required" : "no");
    if (!h->proxied) return;
    fprintf(out, "  %-24s ", "proxy_from");
    for (unsigned i = 0; i < h->proxy.nfrom; i++)
        fprintf(out, "%s%s", i ? ", " : "", net_text(&h->proxy.from[i], one, sizeof one));
    fputc('\n', out);
}

static void show_tls(const struct listen_how *h, FILE *out)
{
    static const char *const clients[] = {"none", "optional", "required"};

    line(out, "tls.certificate", h->certificate);
    line(out, "tls.key", h->key);
    for (unsigned i = 0; i < h->nnames; i++)
        line(out, "tls.names", h->names[i].certificate);
    line(out, "tls.ca", h->ca);
    line(out, "tls.crl", h->crl);
    line(out, "tls.client_certificate", clients[h->client]);
    if (h->client != TLS_CLIENT_NONE)
        line(out, "tls.identity", h->certificate_is_no_user ? "password" : "certificate");
    line(out, "tls.min_version", h->only_v13 ? "1.3" : "1.2");
    line(out, "tls.ciphers", h->ciphers);
}

static void show_websocket(const struct listen_how *h, FILE *out)
{
    line(out, "websocket.path", h->path);
    line(out, "websocket.deflate", h->deflate ? "true" : "false");
    for (unsigned i = 0; i < h->norigins; i++)
        line(out, "websocket.origins", h->origins[i]);
}

static void show_one(const struct sock_addr *a, const struct listen_how *h, FILE *out)
{
    char text[SOCK_ADDR_TEXT];

    fprintf(out, "\nLISTENER %s\n", sock_addr_text(a, text));
    line(out, "protocol", listen_protocol_words[h->protocol]);
    line(out, "transport", listen_transport_text(h));
    line(out, "anonymous", listen_anonymous_words[h->anonymous]);
    line(out, "durability", listen_durability_words[h->durability]);
    snprintf(text, sizeof text, "%u", h->connections_max);
    line(out, "connections", text);
    if (a->ss.ss_family == AF_UNIX) {
        snprintf(text, sizeof text, "%04o", h->mode);
        line(out, "mode", text);
        line(out, "group", h->group);
    }
    show_proxy(h, out);
    if (h->transport == LISTEN_TLS || h->transport == LISTEN_WSS) show_tls(h, out);
    if (h->transport == LISTEN_WS || h->transport == LISTEN_WSS) show_websocket(h, out);
}

void listen_show(const struct listen_set *s, FILE *out)
{
    for (unsigned i = 0; i < s->n; i++)
        show_one(&s->at[i], &s->how[i], out);
}

/* ---- keys -------------------------------------------------------------------------------- */

void listen_show_keys(FILE *out)
{
    const struct listen_key *k;

    fputs("| key | default | allowed | |\n|---|---|---|---|\n", out);
    for (unsigned i = 0; (k = listen_key_at(i)) != NULL; i++)
        fprintf(out, "| `%s` | %s | %s | %s |\n", k->key, *k->initial ? k->initial : "-",
                k->allowed, k->help);
}
