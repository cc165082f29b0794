/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/jwt_claims.h"

#include <stdlib.h>

#include "base/err.h"
#include "broker/access/json_in.h"

enum { USER_BYTES_MAX = 65535 }; /* of a user name in MQTT [MQTT-1.5.4] */

static const int64_t date_max = 1ll << 53; /* above it, JSON's numbers are no longer whole */

/* ---- time -------------------------------------------------------------------------------------
 */

/* A NumericDate [RFC7519-2] in whole seconds: 1, 0 if it is absent, -ERR_INVALID. */
static int date_of(const json_t *claims, const char *name, int64_t *out)
{
    const json_t *v = json_object_get(claims, name);

    if (!v) return 0;
    if (!json_is_number(v)) return -ERR_INVALID;
    double s = json_number_value(v);
    if (!(s >= 0 && s <= (double)date_max)) return -ERR_INVALID;
    *out = (int64_t)s;
    return 1;
}

static enum jwt_refusal judge_time(const struct jwt_options *o, const json_t *claims, int64_t now_s,
                                   int64_t *expires_s)
{
    int64_t exp = INT64_MAX, nbf = 0, iat = 0, leeway = o->leeway_s;
    int has_exp = date_of(claims, "exp", &exp);

    *expires_s = has_exp > 0 ? exp + leeway : INT64_MAX; /* as long as it would let in */
    if (has_exp < 0 || date_of(claims, "nbf", &nbf) < 0 || date_of(claims, "iat", &iat) < 0)
        return JWT_REFUSED_CLAIM;
    if (!has_exp && !o->expiry_optional) return JWT_REFUSED_NO_EXPIRY;
    if (has_exp && now_s - leeway >= exp) return JWT_REFUSED_EXPIRED; /* [RFC7519-4.1.4] */
    if (now_s + leeway < nbf) return JWT_REFUSED_NOT_YET;             /* [RFC7519-4.1.5] */
    if (now_s + leeway < iat) return JWT_REFUSED_NOT_YET;             /* [RFC7519-4.1.6] */
    return JWT_GOOD;
}

/* ---- from whom, for whom --------------------------------------------------------------------- */

static bool is_text(const json_t *v, const char *text)
{
    return json_is_string(v) && bytes_eq(json_in_text(v), bytes_str(text));
}

/* We must find ourselves in an audience that is there, so one without a name of ours to look
 * for is refused as well [RFC7519-4.1.3]. */
static bool is_for_us(const struct jwt_options *o, const json_t *aud)
{
    const json_t *one;
    size_t i;

    if (!aud) return !*o->audience;
    if (!*o->audience) return false;
    json_array_foreach(aud, i, one)
    {
        if (is_text(one, o->audience)) return true;
    }
    return is_text(aud, o->audience);
}

static enum jwt_refusal judge_parties(const struct jwt_options *o, const json_t *claims,
                                      struct bytes client_id)
{
    const json_t *client = json_object_get(claims, o->client_claim);

    if (*o->issuer && !is_text(json_object_get(claims, "iss"), o->issuer))
        return JWT_REFUSED_ISSUER; /* [RFC7519-4.1.1] */
    if (!is_for_us(o, json_object_get(claims, "aud"))) return JWT_REFUSED_AUDIENCE;
    if (!*o->client_claim) return JWT_GOOD;
    bool same = json_is_string(client) && bytes_eq(json_in_text(client), client_id);
    return same ? JWT_GOOD : JWT_REFUSED_CLIENT_ID;
}

/* ---- who, and what they may -------------------------------------------------------------------
 */

static enum jwt_refusal take_user(const struct jwt_options *o, const json_t *claims,
                                  struct jwt_identity *out)
{
    struct bytes user = json_in_text(json_object_get(claims, o->user_claim));

    if (!user.n || user.n > USER_BYTES_MAX) return JWT_REFUSED_USER;
    uint8_t *copy = malloc(user.n);
    if (!copy) return JWT_REFUSED_MEMORY;
    memcpy(copy, user.p, user.n);
    out->user = bytes_of(copy, user.n);
    return JWT_GOOD;
}

static enum jwt_refusal take_rules(const struct jwt_options *o, const json_t *claims,
                                   struct jwt_identity *out)
{
    const json_t *rules = *o->rules_claim ? json_object_get(claims, o->rules_claim) : NULL;

    if (!rules) return JWT_GOOD;
    int err = rules_json_read(&out->rules, rules);
    if (err == -ERR_NOMEM) return JWT_REFUSED_MEMORY;
    return err < 0 ? JWT_REFUSED_RULES : JWT_GOOD;
}

enum jwt_refusal jwt_claims_judge(const struct jwt_options *o, const json_t *claims,
                                  const struct jwt_login *login, struct jwt_identity *out)
{
    enum jwt_refusal why = judge_time(o, claims, login->now_s, &out->expires_s);

    if (why == JWT_GOOD) why = judge_parties(o, claims, login->client_id);
    if (why == JWT_GOOD) why = take_user(o, claims, out);
    if (why == JWT_GOOD) why = take_rules(o, claims, out);
    return why;
}
