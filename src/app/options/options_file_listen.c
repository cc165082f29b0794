/* SPDX-License-Identifier: BSD-3-Clause */
/* options_file_listen.c -- the entries under `listeners` in the YAML file. */
#include <stdio.h>
#include <string.h>

#include "app/number.h"
#include "app/options/options_file.h"
#include "base/err.h"
#include "broker/access/acl.h"

/* ---- schema ---------------------------------------------------------------------------- */

#define TEXT_FIELD(name, type, flags)                                                              \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | (flags), type, name, 1, CYAML_UNLIMITED)
#define MAYBE CYAML_FLAG_OPTIONAL

static const cyaml_schema_field_t pair_fields[] = {
    TEXT_FIELD(certificate, struct file_pair, 0),
    TEXT_FIELD(key, struct file_pair, 0),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t pair_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_pair, pair_fields),
};

static const cyaml_schema_field_t tls_fields[] = {
    TEXT_FIELD(certificate, struct file_tls, 0),
    TEXT_FIELD(key, struct file_tls, 0),
    TEXT_FIELD(ca, struct file_tls, MAYBE),
    TEXT_FIELD(crl, struct file_tls, MAYBE),
    TEXT_FIELD(client_certificate, struct file_tls, MAYBE),
    TEXT_FIELD(min_version, struct file_tls, MAYBE),
    TEXT_FIELD(ciphers, struct file_tls, MAYBE),
    TEXT_FIELD(identity, struct file_tls, MAYBE),
    CYAML_FIELD_SEQUENCE("names", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_tls, names,
                         &pair_schema, 0, TLS_NAMES_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t text_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t websocket_fields[] = {
    TEXT_FIELD(path, struct file_websocket, MAYBE),
    TEXT_FIELD(deflate, struct file_websocket, MAYBE),
    CYAML_FIELD_SEQUENCE("origins", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_websocket,
                         origins, &text_schema, 0, WS_ORIGINS_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t listener_fields[] = {
    TEXT_FIELD(address, struct file_listener, 0),
    TEXT_FIELD(protocol, struct file_listener, MAYBE),
    TEXT_FIELD(transport, struct file_listener, MAYBE),
    TEXT_FIELD(anonymous, struct file_listener, MAYBE),
    TEXT_FIELD(connections, struct file_listener, MAYBE),
    TEXT_FIELD(durability, struct file_listener, MAYBE),
    TEXT_FIELD(mode, struct file_listener, MAYBE),
    TEXT_FIELD(group, struct file_listener, MAYBE),
    TEXT_FIELD(proxy_protocol, struct file_listener, MAYBE),
    CYAML_FIELD_SEQUENCE("proxy_from", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                         struct file_listener, proxy_from, &text_schema, 1, PROXY_FROM_MAX),
    CYAML_FIELD_MAPPING_PTR("tls", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file_listener,
                            tls, tls_fields),
    CYAML_FIELD_MAPPING_PTR("websocket", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                            struct file_listener, websocket, websocket_fields),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t file_listener_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_listener, listener_fields),
};

/* ---- values ------------------------------------------------------------------------------ */

/* One entry being judged; `bad` names the first value that was refused. */
struct entry {
    const char *bad;
    const char *why;
};

static void refuse(struct entry *e, const char *what, const char *why)
{
    if (e->bad) return;
    e->bad = what;
    e->why = why;
}

static void take_text(struct entry *e, const char *name, const char *text, char *to, size_t room)
{
    if (!text) return;
    if (strlen(text) >= room)
        refuse(e, name, "too long");
    else
        memcpy(to, text, strlen(text) + 1);
}

/* The number of `text` among `words` (NULL behind the last), 0 if there is no text. */
static uint8_t take_word(struct entry *e, const char *name, const char *text,
                         const char *const *words)
{
    if (!text) return 0;
    for (uint8_t i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) return i;
    refuse(e, name, "not a word that stands here");
    return 0;
}

static void take_count(struct entry *e, const char *name, const char *text, uint32_t *to)
{
    uint64_t n = 0;

    if (!text) return;
    if (number_parse(NUMBER_COUNT, text, &n) < 0 || n > UINT32_MAX)
        refuse(e, name, number_form(NUMBER_COUNT));
    else
        *to = (uint32_t)n;
}

static void take_tls(struct entry *e, const struct file_tls *t, struct listen_how *h)
{
    static const char *const clients[] = {"none", "optional", "required", NULL};
    static const char *const versions[] = {"1.2", "1.3", NULL};
    static const char *const identities[] = {"certificate", "password", NULL};

    take_text(e, "tls.certificate", t->certificate, h->certificate, sizeof h->certificate);
    take_text(e, "tls.key", t->key, h->key, sizeof h->key);
    take_text(e, "tls.ca", t->ca, h->ca, sizeof h->ca);
    take_text(e, "tls.crl", t->crl, h->crl, sizeof h->crl);
    take_text(e, "tls.ciphers", t->ciphers, h->ciphers, sizeof h->ciphers);
    h->client = take_word(e, "tls.client_certificate", t->client_certificate, clients);
    h->only_v13 = take_word(e, "tls.min_version", t->min_version, versions);
    h->certificate_is_no_user = take_word(e, "tls.identity", t->identity, identities);
    for (unsigned i = 0; i < t->names_count; i++) {
        take_text(e, "tls.names", t->names[i].certificate, h->names[i].certificate,
                  sizeof h->names[i].certificate);
        take_text(e, "tls.names", t->names[i].key, h->names[i].key, sizeof h->names[i].key);
    }
    h->nnames = t->names_count;
}

static void take_websocket(struct entry *e, const struct file_websocket *w, struct listen_how *h)
{
    static const char *const switches[] = {"false", "true", NULL};

    h->deflate = take_word(e, "websocket.deflate", w->deflate, switches);
    take_text(e, "websocket.path", w->path, h->path, sizeof h->path);
    if (h->path[0] != '/') refuse(e, "websocket.path", "it begins with /");
    for (unsigned i = 0; i < w->origins_count; i++)
        take_text(e, "websocket.origins", w->origins[i], h->origins[i], sizeof h->origins[i]);
    h->norigins = w->origins_count;
}

/* "0660" */
static void take_mode(struct entry *e, const char *text, uint16_t *to)
{
    size_t n = strlen(text);

    if (n < 3 || n > 4 || strspn(text, "01234567") != n || (n == 4 && text[0] != '0'))
        refuse(e, "mode", "it is an octal number from 0000 to 0777");
    for (*to = 0; *text; text++)
        *to = (uint16_t)(*to * 8 + (*text - '0'));
}

static void take_file(struct entry *e, const struct file_listener *l, struct listen_how *h)
{
    bool is_file = strncmp(l->address, "unix:", 5) == 0;

    if (!is_file && l->mode) refuse(e, "mode", "only a unix: address has one");
    if (!is_file && l->group) refuse(e, "group", "only a unix: address has one");
    if (l->mode) take_mode(e, l->mode, &h->mode);
    take_text(e, "group", l->group, h->group, sizeof h->group);
}

static void take_proxy(struct entry *e, const struct file_listener *l, struct listen_how *h)
{
    static const char *const words[] = {"no", "required", NULL};

    h->proxied = take_word(e, "proxy_protocol", l->proxy_protocol, words);
    if (!h->proxied && l->proxy_from) refuse(e, "proxy_from", "proxy_protocol is not required");
    if (l->proxy_from) h->proxy.nfrom = l->proxy_from_count;
    for (unsigned i = 0; i < l->proxy_from_count; i++) {
        struct acl_net net;
        if (acl_net_parse(&net, bytes_str(l->proxy_from[i])) < 0) {
            refuse(e, "proxy_from",
                   "an entry is no address, no block such as 10.0.0.0/8, not unix");
            return;
        }
        memcpy(h->proxy.from[i].ip, net.ip, sizeof net.ip);
        h->proxy.from[i].bits = net.bits;
    }
}

static void take_how(struct entry *e, const struct file_listener *l, struct listen_how *h)
{
    int transport = l->transport ? listen_transport_find(l->transport) : LISTEN_TCP;
    bool tls = transport == LISTEN_TLS || transport == LISTEN_WSS;
    bool websocket = transport == LISTEN_WS || transport == LISTEN_WSS;

    *h = listen_how_default();
    if (transport < 0) {
        refuse(e, "transport", "it is tcp, tls, ws or wss");
        return;
    }
    h->transport = (uint8_t)transport;
    h->protocol = take_word(e, "protocol", l->protocol, listen_protocol_words);
    take_count(e, "connections", l->connections, &h->connections_max);
    h->anonymous = take_word(e, "anonymous", l->anonymous, listen_anonymous_words);
    h->durability = take_word(e, "durability", l->durability, listen_durability_words);
    if (l->durability && h->protocol == LISTEN_ADMIN)
        refuse(e, "durability", "an admin listener has none");
    if (tls && !l->tls) refuse(e, "tls", "a certificate and a key are needed");
    if (!tls && l->tls) refuse(e, "tls", "the transport is neither tls nor wss");
    if (!websocket && l->websocket) refuse(e, "websocket", "the transport is neither ws nor wss");
    take_file(e, l, h);
    take_proxy(e, l, h);
    if (l->tls) take_tls(e, l->tls, h);
    if (l->websocket) take_websocket(e, l->websocket, h);
}

int file_take_listeners(struct options *o, const struct file_listener *l, unsigned n,
                        struct file_place at)
{
    char text[NET_LISTENERS_MAX * SOCK_ADDR_TEXT] = "";
    size_t used = 0;

    for (unsigned i = 0; i < n && used < sizeof text; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", l[i].address);
    int err = options_set(o, at.row, text, FROM_FILE, at.line);
    if (err == 0 && o->listeners.n != n)
        err = options_refuse(o, "%s:%u: listeners: one address in each entry", o->file, at.line);
    for (unsigned i = 0; err == 0 && i < o->listeners.n; i++) {
        struct entry e = {.bad = NULL};
        take_how(&e, &l[i], &o->listeners.how[i]);
        if (e.bad)
            err = options_refuse(o, "%s:%u: listeners: %.60s: %s: %s", o->file, at.line,
                                 l[i].address, e.bad, e.why);
    }
    return err;
}
