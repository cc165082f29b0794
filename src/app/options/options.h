/* SPDX-License-Identifier: BSD-3-Clause */
/* options.h -- the broker's settings: options.def is the one list of them.
 *
 * Each row fills a field of a module's own options struct. A value is text until one
 * parser has judged it, wherever it came from, so every refusal names the setting, the
 * place, the value and what is allowed. A later source replaces an earlier one: default,
 * file, environment, command line.
 *
 * Owner: main, from start to end; read-only once loaded. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/access/acl.h"
#include "broker/access/door.h"
#include "broker/access/hook.h"
#include "broker/access/jwt.h"
#include "broker/broker.h"
#include "broker/journal/durability.h"
#include "core/core.h"
#include "core/mesh.h"
#include "net/net.h"
#include "proto/mqtt/mqtt_session.h"

#define OPTIONS_LISTENERS_DEFAULT "127.0.0.1:1883, [::1]:1883"

enum option_kind {
    OPTION_COUNT,
    OPTION_POWER2, /* a count that is a power of two, or 0 */
    OPTION_SIZE,
    OPTION_MILLIS,
    OPTION_SECONDS, /* "never" is the largest, if that is UINT32_MAX */
    OPTION_SWITCH,
    OPTION_CHOICE,
    OPTION_TEXT,
    OPTION_ADDRESSES,
};

enum option_source { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

struct option {
    const char *key;
    enum option_kind kind;
    size_t offset, width; /* of the field in struct options */
    const char *initial;
    uint64_t min, max;   /* of numbers */
    const char *allowed; /* the words of a choice, the sentence of a text */
    bool restart;        /* a running broker can't take a new value */
    const char *help;
};

enum { OPTIONS_MAX = 192, OPTION_TEXT_MAX = 256, OPTIONS_ERROR = 512, OPTIONS_DIFF = 2048 };

/* Who is spoken to. */
enum listen_protocol { LISTEN_MQTT, LISTEN_ADMIN };

enum listen_transport { LISTEN_TCP, LISTEN_TLS, LISTEN_WS, LISTEN_WSS };

/* What lies between a listener's sockets and MQTT. An empty text is none. */
struct listen_how {
    uint8_t protocol;           /* enum listen_protocol */
    uint8_t transport;          /* enum listen_transport */
    uint8_t client;             /* enum tls_client */
    uint8_t anonymous;          /* enum door_anonymous; DOOR_AUTO: as access.anonymous says */
    uint8_t durability;         /* 0: as data.durability says, else enum durability, plus 1 */
    uint32_t connections_max;   /* clients by it at a time; 0: any number */
    uint16_t mode;              /* of a Unix socket */
    bool proxied;               /* a PROXY header comes first, */
    struct proxy_options proxy; /* from these */
    bool only_v13;
    bool certificate_is_no_user; /* `tls.identity: password` */
    char certificate[OPTION_TEXT_MAX];
    char key[OPTION_TEXT_MAX];
    char ca[OPTION_TEXT_MAX];
    char crl[OPTION_TEXT_MAX];
    char ciphers[2 * OPTION_TEXT_MAX];
    char path[OPTION_TEXT_MAX];
    char group[OPTION_TEXT_MAX]; /* of a Unix socket */
    struct {
        char certificate[OPTION_TEXT_MAX];
        char key[OPTION_TEXT_MAX];
    } names[TLS_NAMES_MAX];
    unsigned nnames;
    char origins[WS_ORIGINS_MAX][OPTION_TEXT_MAX];
    unsigned norigins;
    bool deflate;
};

struct listen_set {
    struct sock_addr at[NET_LISTENERS_MAX];
    struct listen_how how[NET_LISTENERS_MAX];
    unsigned n;
};

enum data_engine { DATA_AUTO, DATA_URING, DATA_THREADS };

/* What is kept on disk, and how. */
struct data_options {
    char dir[OPTION_TEXT_MAX]; /* empty: nothing is */
    uint8_t durability;        /* enum durability, of listeners that don't say */
    uint8_t engine;            /* enum data_engine */
    bool salvage;
    uint32_t interval_ms;
    uint32_t segment_bytes;
    uint64_t bytes_max; /* of one core's files; 0: no limit */
    uint64_t queue_memory;
};

struct options {
    char cores[OPTION_TEXT_MAX];
    bool pin;
    enum idle idle;
    uint32_t helper_threads;
    struct listen_set listeners;
    struct mesh_options mesh;
    struct net_options net;
    struct broker_options broker;
    struct mqtt_options mqtt; /* its texts point to those below */
    char response_info[OPTION_TEXT_MAX];
    char redirect_to[OPTION_TEXT_MAX];
    uint8_t redirect;  /* 0: no, 1: use another server, 2: server moved */
    uint8_t anonymous; /* enum door_anonymous, of listeners that don't say */
    struct acl_options acl;
    struct acl *rules; /* as the file has them; NULL: it has none. Owned: options_fini() */
    struct data_options data;
    struct durability_rules *data_rules; /* the same */
    char passwords[OPTION_TEXT_MAX];
    struct jwt_options jwt;
    struct hook_options hook;
    uint64_t memory_max;
    char admin_address[OPTION_TEXT_MAX];
    char admin_token_file[OPTION_TEXT_MAX];
    bool admin_health_token; /* /healthz and /readyz need it as well */
    bool admin_plaintext;
    uint32_t sys_interval_s;
    struct log_options log; /* but for the file descriptor */
    char log_file[OPTION_TEXT_MAX];
    char user[OPTION_TEXT_MAX];
    bool core_dumps;
    char moved_to[OPTION_TEXT_MAX];
    bool moved_for_good;
    uint32_t drain_s, shutdown_timeout_s;

    const char *file; /* borrowed; NULL: none */
    struct {
        enum option_source source;
        unsigned line; /* in the file */
    } origin[OPTIONS_MAX];

    char error[OPTIONS_ERROR]; /* the sentence, once a function has failed */
};

/* ---- the table ---------------------------------------------------------------------- */

unsigned options_count(void);
const struct option *option_at(unsigned i);

/* The row whose key is `key` (n bytes), or -1. */
int option_find(const char *key, size_t n);

/* "PINION_LIMITS_WINDOW", into out[OPTION_TEXT_MAX]; returns out. */
const char *option_variable(unsigned i, char *out);

/* "a whole number from 1 to 65535", into out[OPTION_TEXT_MAX]; returns out. */
const char *option_allowed(unsigned i, char *out);

/* The value as it is now, into out[n]; returns out. */
const char *option_value(const struct options *o, unsigned i, char *out, size_t n);

/* Where it came from: "default", "conf.yaml:12", "PINION_CORES", "command line". */
const char *option_origin(const struct options *o, unsigned i, char *out, size_t n);

/* ---- loading ------------------------------------------------------------------------- */

/* All defaults. */
void options_init(struct options *o);

/* Frees what the settings own, loaded with success or not. */
void options_fini(struct options *o);

/* The access rules in force, yours to free; NULL if none are configured. 0, or -ERR_NOMEM. */
int options_acl(const struct options *o, struct acl **a);

/* Each returns 0, or -ERR_INVALID with o->error set. */
int options_set(struct options *o, unsigned i, const char *text, enum option_source from,
                unsigned line);
int options_assign(struct options *o, const char *assignment); /* "key=value" */
int options_load_environment(struct options *o);
int options_load_file(struct options *o, const char *path);

/* Sets o->error to a sentence; returns -ERR_INVALID. */
__attribute__((format(printf, 2, 3))) int options_refuse(struct options *o, const char *format,
                                                         ...);

/* Keys with blanks between them: what has changed, and what would have but for a restart. */
struct options_diff {
    char changed[OPTIONS_DIFF], restart[OPTIONS_DIFF];
};

/* Sets what follows from settings rather than being one. */
void options_settle(struct options *o);

/* Makes `fresh` settings that a broker which runs with those of `now` can take: what needs a
 * restart stays as it was. Of listeners, certificates are taken if nothing else has changed. */
void options_keep_restart(struct options *fresh, const struct options *now, struct options_diff *d);

/* What `pinion serve` and `pinion check` accept, applied in the order of precedence.
 * `assign` are the --set arguments. */
struct option_args {
    const char *file;
    const char *port;
    const char *const *assign;
    unsigned nassign;
};
int options_load(struct options *o, const struct option_args *a);

/* ---- addresses ------------------------------------------------------------------------ */

/* Reads "127.0.0.1:1883, [::1]:1883". -ERR_INVALID with what is wrong in error[n]. An IPv6
 * loopback address that this machine does not have is left out if `lenient`. */
int listen_set_parse(struct listen_set *s, const char *text, bool lenient, char *error, size_t n);

/* Do both listen at the same places in the same way? Certificates may differ. */
bool listen_set_same(const struct listen_set *a, const struct listen_set *b);
const char *listen_set_text(const struct listen_set *s, char *out, size_t n);

/* What holds for an address that is given alone. */
struct listen_how listen_how_default(void);

/* Makes the file of a Unix socket. 0, or -ERR_X with a sentence in error[n]. */
int listen_file_open(struct sock_file *f, const struct sock_addr *a, const struct listen_how *h,
                     char *error, size_t n);

/* In the order of enum listen_protocol. */
extern const char *const listen_protocol_words[3]; /* NULL behind the last */

/* In the order of enum door_anonymous. */
extern const char *const listen_anonymous_words[4];

bool listen_is_admin(const struct listen_how *h);

/* What a listener's acknowledgements mean: enum durability. */
uint8_t listen_durability(const struct options *o, const struct listen_how *h);

/* In the order of `listen_how.durability`. */
extern const char *const listen_durability_words[5];

/* Do the settings of `data` fit each other, and those of MQTT? 0, or -ERR_INVALID with o->error
 * set. */
int options_check_data(struct options *o);

/* Adds the listeners of `admin.address`, settles where the token is: 0, or -ERR_INVALID with
 * o->error set. */
int options_settle_admin(struct options *o);

/* "tcp", "tls", "ws", "wss". */
const char *listen_transport_text(const struct listen_how *h);
int listen_transport_find(const char *text); /* -ERR_INVALID */

/* The certificates of a TLS listener, read; NULL with a sentence in error[n]. */
struct tls_context *listen_tls_new(const struct listen_how *h, char *error, size_t n);

/* Reads the certificates of every listener, only to see whether they are good: 0, or
 * -ERR_INVALID with o->error set. */
int options_check_tls(struct options *o);
