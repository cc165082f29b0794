/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_actions.c -- each action of `pinion ctl`: a question, and how its answer looks to people. */
#include <stdlib.h>
#include <string.h>

#include "app/ctl/ctl.h"
#include "app/ctl/ctl_table.h"
#include "base/assert.h"
#include "base/base64.h"

enum { PAGE = 1000 };

/* ---- questions ------------------------------------------------------------------------------ */

/* Adds "?name=value" or "&name=value", unless there is no value. */
static bool add_query(struct ctl *k, char *path, const char *name, const char *value)
{
    if (!value) return true;
    return ctl_path_add(&k->http, path, strchr(path, '?') ? "&" : "?", false) &&
           ctl_path_add(&k->http, path, name, false) && ctl_path_add(&k->http, path, "=", false) &&
           ctl_path_add(&k->http, path, value, true);
}

static json_t *get(struct ctl *k, const char *path)
{
    return ctl_ask_json(&k->http, &(struct ctl_question){.method = "GET", .path = path});
}

static bool print_json(json_t *v)
{
    if (v) json_dumpf(v, stdout, JSON_INDENT(2));
    if (v) putchar('\n');
    json_decref(v);
    return v != NULL;
}

/* ---- lists ---------------------------------------------------------------------------------- */

struct listing {
    const char *path, *name; /* without cursor and limit; the array in the answer */
    const char *method;
    const struct ctl_column *columns;
};

static void print_page(const struct ctl *k, const struct listing *l, const json_t *rows, bool first)
{
    if (!k->json) {
        if (first || json_array_size(rows) > 0) ctl_table(stdout, l->columns, rows, first);
        return;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_dumpf(json_array_get(rows, i), stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        putchar('\n');
    }
}

/* One page; the cursor of the next in cursor[], empty at the end. */
static bool page(struct ctl *k, const struct listing *l, char cursor[CTL_URL_MAX], bool first)
{
    char path[CTL_URL_MAX], limit[24];

    snprintf(path, sizeof path, "%s", l->path);
    snprintf(limit, sizeof limit, "%zu", k->limit < PAGE ? k->limit : PAGE);
    if (!add_query(k, path, "limit", limit)) return false;
    if (*cursor && !add_query(k, path, "cursor", cursor)) return false;
    json_t *v = ctl_ask_json(&k->http, &(struct ctl_question){.method = l->method, .path = path});
    if (!v) return false;
    const json_t *rows = json_object_get(v, l->name);
    const char *next = json_string_value(json_object_get(v, "next"));
    size_t n = json_array_size(rows);
    print_page(k, l, rows, first);
    k->limit -= n < k->limit ? n : k->limit;
    snprintf(cursor, CTL_URL_MAX, "%s", next && k->limit > 0 ? next : "");
    json_decref(v);
    return true;
}

static bool list(struct ctl *k, const struct listing *l)
{
    char cursor[CTL_URL_MAX] = "";
    bool good = true, first = true;

    do {
        good = k->limit == 0 || page(k, l, cursor, first);
        first = false;
    } while (good && *cursor);
    return good;
}

static bool clients(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"CLIENT", "id"},           {"USER", "user"},          {"CONNECTED", "connected"},
        {"SINCE", "since"},         {"PEER", "peer"},          {"PROTOCOL", "protocol"},
        {"TRANSPORT", "transport"}, {"SUBS", "subscriptions"}, {"QUEUED", "queued"},
        {"IN FLIGHT", "in_flight"},
    };
    char path[CTL_URL_MAX] = "/api/v1/clients";

    return add_query(k, path, "prefix", k->prefix) &&
           add_query(k, path, "connected", k->connected) &&
           list(k, &(struct listing){path, "clients", "GET", columns});
}

static bool subscriptions(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"CLIENT", "client"}, {"FILTER", "filter"}, {"QOS", "qos"}, {"ID", "id"}};
    char path[CTL_URL_MAX] = "/api/v1/subscriptions";

    return add_query(k, path, "client", k->operand[0]) &&
           list(k, &(struct listing){path, "subscriptions", "GET", columns});
}

static bool topics(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"TOPIC", "topic"}, {"RETAINED", "retained"}, {"SUBSCRIBED", "subscribed"}};
    char path[CTL_URL_MAX] = "/api/v1/topics";

    return add_query(k, path, "filter", k->operand[0]) &&
           list(k, &(struct listing){path, "topics", "GET", columns});
}

static bool retained(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"TOPIC", "topic"},
        {"QOS", "qos"},
        {"BYTES", "payload_bytes"},
        {"EXPIRES IN S", "expires_in_seconds"}};
    char path[CTL_URL_MAX] = "/api/v1/retained";

    return add_query(k, path, "filter", k->operand[0]) &&
           list(k, &(struct listing){path, "retained", "GET", columns});
}

static bool delete_retained(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {{"CLEARED", ""}};
    char path[CTL_URL_MAX] = "/api/v1/retained";

    return add_query(k, path, "filter", k->operand[0]) &&
           list(k, &(struct listing){path, "cleared", "DELETE", columns});
}

/* ---- one thing ------------------------------------------------------------------------------ */

static bool client_path(struct ctl *k, char path[CTL_URL_MAX])
{
    snprintf(path, CTL_URL_MAX, "/api/v1/clients/");
    return ctl_path_add(&k->http, path, k->operand[0], true);
}

static bool client(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"FILTER", "filter"}, {"QOS", "qos"}, {"ID", "id"}, {"NO LOCAL", "no_local"}};
    char path[CTL_URL_MAX];
    json_t *v = client_path(k, path) ? get(k, path) : NULL;

    if (!v || k->json) return print_json(v);
    ctl_members(stdout, v);
    putchar('\n');
    ctl_table(stdout, columns, json_object_get(v, "filters"), true);
    json_decref(v);
    return true;
}

static bool disconnect(struct ctl *k)
{
    char path[CTL_URL_MAX];

    return client_path(k, path) && add_query(k, path, "session", k->end_session ? "true" : NULL) &&
           ctl_ask(&k->http, &(struct ctl_question){.method = "DELETE", .path = path}, 0) > 0;
}

static bool trace(struct ctl *k)
{
    const char *seconds = k->operand[1] ? k->operand[1] : "60";
    char path[CTL_URL_MAX], body[64];

    snprintf(body, sizeof body, "{\"seconds\":%.32s}", seconds);
    return client_path(k, path) && ctl_path_add(&k->http, path, "/trace", false) &&
           ctl_ask(&k->http, &(struct ctl_question){.method = "POST", .path = path, .body = body},
                   0) > 0;
}

static bool print_coded(const char *coded)
{
    struct bytes text = bytes_str(coded);
    uint8_t *room = malloc(BASE64_BYTES_MAX(text.n));
    long n = room ? base64_decode(BASE64_PADDED, text, room) : -1;

    if (n > 0) fwrite(room, 1, (size_t)n, stdout);
    free(room);
    return n >= 0;
}

static bool payload(struct ctl *k)
{
    char path[CTL_URL_MAX] = "/api/v1/retained/";
    json_t *v = ctl_path_add(&k->http, path, k->operand[0], true) ? get(k, path) : NULL;

    if (!v || k->json) return print_json(v);
    const json_t *text = json_object_get(v, "payload");
    const char *coded = json_string_value(json_object_get(v, "payload_base64"));
    bool good = true;
    if (text)
        fwrite(json_string_value(text), 1, json_string_length(text), stdout);
    else
        good = coded && print_coded(coded);
    if (!good) snprintf(k->http.error, CTL_ERROR_MAX, "it is too large to be shown");
    json_decref(v);
    return good;
}

static bool publish(struct ctl *k)
{
    const char *text = k->operand[1] ? k->operand[1] : "";
    json_t *v = json_pack("{s:s,s:s,s:i,s:b}", "topic", k->operand[0], "payload", text, "qos",
                          k->qos, "retain", (int)k->retain);
    char *body = v ? json_dumps(v, JSON_COMPACT) : NULL;
    bool good = false;

    if (body)
        good = ctl_ask(&k->http,
                       &(struct ctl_question){
                           .method = "POST", .path = "/api/v1/publish", .body = body},
                       0) > 0;
    else
        snprintf(k->http.error, CTL_ERROR_MAX, "topic and payload must be UTF-8");
    free(body);
    json_decref(v);
    return good;
}

/* ---- the broker ----------------------------------------------------------------------------- */

static bool show_array(struct ctl *k, const char *path, const char *name,
                       const struct ctl_column *columns)
{
    json_t *v = get(k, path);

    if (!v || k->json) return print_json(v);
    ctl_table(stdout, columns, json_object_get(v, name), true);
    json_decref(v);
    return true;
}

static bool cores(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"CORE", "core"},
        {"UP", "up"},
        {"CLIENTS", "counters.clients"},
        {"SESSIONS", "counters.sessions"},
        {"SUBS", "counters.subscriptions"},
        {"RETAINED", "counters.retained"},
        {"RECEIVED", "counters.messages_received"},
        {"ROUTED", "counters.messages_routed"},
        {"SENT", "counters.messages_sent"},
        {"QUEUED", "counters.queued"},
        {"LONGEST TURN US", "longest_turn_us"},
        {"MEMORY", "pool_bytes"},
        {"DISK", "counters.bytes_log_disk"},
    };

    return show_array(k, "/api/v1/cores", "cores", columns);
}

static bool listeners(struct ctl *k)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"ADDRESS", "address"}, {"PROTOCOL", "protocol"},
        {"TLS", "tls"},         {"WEBSOCKET", "websocket"},
        {"PROXY", "proxy"},     {"CERTIFICATE ENDS", "certificate_ends"},
    };

    return show_array(k, "/api/v1/listeners", "listeners", columns);
}

static bool version(struct ctl *k)
{
    json_t *v = get(k, "/api/v1/version");

    if (!v || k->json) return print_json(v);
    ctl_members(stdout, v);
    json_decref(v);
    return true;
}

static bool metrics(struct ctl *k)
{
    if (ctl_ask(&k->http, &(struct ctl_question){.method = "GET", .path = "/metrics"}, 0) < 0)
        return false;
    fwrite(k->http.answer, 1, k->http.answer_n, stdout);
    return true;
}

static bool health(struct ctl *k)
{
    static const char *const paths[] = {"/healthz", "/readyz"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        long status =
            ctl_ask(&k->http, &(struct ctl_question){.method = "GET", .path = paths[i]}, 503);
        if (status < 0) return false;
        printf("%-9s %s", paths[i] + 1, k->http.answer_n ? k->http.answer : "\n");
        k->bad = k->bad || status != 200;
    }
    return true;
}

const struct ctl_action *ctl_actions(unsigned *n)
{
    static const struct ctl_action all[] = {
        {"clients", "", 0, 0, clients},
        {"client", "ID", 1, 1, client},
        {"disconnect", "ID", 1, 1, disconnect},
        {"trace", "ID [SECONDS]", 1, 2, trace},
        {"subscriptions", "[ID]", 0, 1, subscriptions},
        {"topics", "[FILTER]", 0, 1, topics},
        {"retained", "[FILTER]", 0, 1, retained},
        {"payload", "TOPIC", 1, 1, payload},
        {"delete-retained", "FILTER", 1, 1, delete_retained},
        {"publish", "TOPIC [PAYLOAD]", 1, 2, publish},
        {"cores", "", 0, 0, cores},
        {"listeners", "", 0, 0, listeners},
        {"version", "", 0, 0, version},
        {"metrics", "", 0, 0, metrics},
        {"health", "", 0, 0, health},
    };

    *n = ARRAY_LEN(all);
    return all;
}
