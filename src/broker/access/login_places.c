/* SPDX-License-Identifier: BSD-3-Clause */
/* login_places.c -- the steps of a login that ask for places under names: listener, address, user.
 */
#include <string.h>

#include "broker/access/login_internal.h"

static enum next on_guard(struct login *l, enum guard_answer a)
{
    switch (a) {
    case GUARD_OK: l->step = l->step == STEP_PLACES ? STEP_WHO : STEP_TAKEN; return NEXT_GO_ON;
    case GUARD_ASKED: return NEXT_WAIT;
    case GUARD_TOO_MANY:
        return login_refuse(l, LOGIN_TOO_MANY,
                            "limits.address_connections, limits.user_connections or listeners: "
                            "connections");
    case GUARD_TOO_FAST: return login_refuse(l, LOGIN_TOO_FAST, "limits.connect_rate");
    case GUARD_BANNED: return login_refuse(l, LOGIN_BANNED, "limits.login_failures");
    default: return login_refuse(l, LOGIN_UNAVAILABLE, NULL);
    }
}

static void on_places(void *login, enum guard_answer a)
{
    struct login *l = login;
    on_guard(l, a);
    login_run(l);
}

static bool is_anybody(const struct guard_request *r)
{
    for (unsigned i = 0; i < GUARD_KINDS; i++)
        if (r->name[i].wanted) return false;
    return true;
}

static enum next ask_guard(struct login *l, const struct guard_request *r)
{
    if (is_anybody(r)) return on_guard(l, GUARD_OK);
    if (!l->answer.pass) l->answer.pass = guard_pass_new(l->broker, on_places, l);
    if (!l->answer.pass) return login_refuse(l, LOGIN_UNAVAILABLE, NULL);
    return on_guard(l, guard_ask(l->answer.pass, r));
}

/* Addresses of this machine are free, and so is who has none (a Unix socket, a test). */
static bool is_local(const uint8_t ip[16])
{
    static const uint8_t none[16], loopback_6[16] = {[15] = 1};
    static const uint8_t loopback_4[13] = {[10] = 0xFF, [11] = 0xFF, [12] = 127};

    return memcmp(ip, none, 16) == 0 || memcmp(ip, loopback_6, 16) == 0 ||
           memcmp(ip, loopback_4, 13) == 0;
}

/* What counts as one address: who has one of IPv6 has all of its /64, and could come from another
 * one each time. */
static struct bytes address_of(const struct login_claim *c)
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    bool is_v4 = memcmp(c->ip, v4, sizeof v4) == 0;

    return bytes_of(c->ip, is_v4 ? 16 : 8);
}

bool login_is_watched(const struct guard_limits *g, const struct login_claim *c)
{
    return !is_local(c->ip) && (g->address_connections || g->connect_rate || g->failures);
}

enum next login_ask_places(struct login *l)
{
    const struct guard_limits *g = &l->broker->guard.limits;
    const struct login_claim *c = &l->claim;
    struct guard_request r = {.name = {[GUARD_USER] = {.wanted = false}}};

    if (c->door && c->door->connections_max) {
        struct bytes door = bytes_of(&c->door, sizeof(void *)); /* as good a name as any */
        r.name[GUARD_LISTENER] = (struct guard_name){guard_hash(l->broker, GUARD_LISTENER, door),
                                                     c->door->connections_max, true};
    }
    if (login_is_watched(g, c)) {
        uint64_t hash = guard_hash(l->broker, GUARD_ADDRESS, address_of(c));
        r.name[GUARD_ADDRESS] = (struct guard_name){hash, g->address_connections, true};
    }
    return ask_guard(l, &r);
}

enum next login_ask_place_of_user(struct login *l)
{
    if (l->access != l->broker->access) return login_start_over(l);

    uint32_t max = l->claim.again ? 0 : l->broker->guard.limits.user_connections;
    struct bytes user = identity_user(l->answer.identity);
    struct guard_request r = {.name = {[GUARD_USER] = {.wanted = max > 0 && user.n > 0}}};

    if (r.name[GUARD_USER].wanted) {
        r.name[GUARD_USER].hash = guard_hash(l->broker, GUARD_USER, user);
        r.name[GUARD_USER].max = max;
    }
    return ask_guard(l, &r);
}
