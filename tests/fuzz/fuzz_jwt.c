/* SPDX-License-Identifier: BSD-3-Clause */
/* The first byte chooses what the rest is. A token of any bytes is refused or cut short cleanly;
 * claims are judged, and what is good names a user. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "broker/access/json_in.h"
#include "broker/access/jwt_claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1700000000, DEPTH = 8 };

static const struct jwt_options options = {
    .issuer = "i",
    .audience = "a",
    .user_claim = "sub",
    .client_claim = "cid",
    .rules_claim = "acl",
    .leeway_s = 60,
    .expiry_optional = true,
};

/* What is good has a user, and rules that would be taken again. */
static void promise(enum jwt_refusal why, const struct jwt_identity *i)
{
    char error[ACL_ERROR];

    ASSERT(why >= JWT_GOOD && why < JWT_REFUSALS);
    if (why != JWT_GOOD) return;
    ASSERT(i->user.n > 0 && i->expires_s >= 0);
    ASSERT(i->rules.given || i->rules.n == 0);
    for (unsigned k = 0; k < i->rules.n; k++) {
        ASSERT(i->rules.rule[k].ntopics > 0); /* none would be all */
        ASSERT(acl_rule_check(&i->rules.rule[k], error) == 0);
    }
}

static void judge_claims(struct bytes in)
{
    struct jwt_login login = {.client_id = BYTES("c"), .now_s = NOW};
    struct jwt_identity i = {.expires_s = INT64_MAX};
    json_t *claims = json_in(in, DEPTH);

    if (json_is_object(claims)) promise(jwt_claims_judge(&options, claims, &login, &i), &i);
    json_decref(claims);
    jwt_identity_free(&i);
}

/* Nobody signed it: whatever it is, it is no login. */
static void judge_token(const struct jwt *j, struct bytes in)
{
    struct jwt_login login = {.token = in, .client_id = BYTES("c"), .now_s = NOW};
    struct jwt_identity i;

    (void)jwt_is_token(in);
    enum jwt_refusal why = jwt_verify(j, &login, &i);
    ASSERT(why != JWT_GOOD && why < JWT_REFUSALS);
    ASSERT(!i.user.p && !i.rules.rule);
}

/* With a secret that no input can have signed with. */
static struct jwt *judge_new(void)
{
    char path[] = "/tmp/pinion-fuzz-XXXXXX", error[512];
    static const char secret[] = "no token of the corpus is signed with it";
    struct jwt_options o = options;
    int fd = mkstemp(path);

    ASSERT(fd >= 0 && write(fd, secret, sizeof secret - 1) == sizeof secret - 1);
    close(fd);
    snprintf(o.secret_file, sizeof o.secret_file, "%s", path);
    struct jwt *j = jwt_new(&o, error, sizeof error);
    unlink(path);
    ASSERT(j);
    return j;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt *j;

    if (size == 0) return 0;
    if (!j) j = judge_new();
    uint8_t *p = malloc(size);
    ASSERT(p);
    memcpy(p, data + 1, size - 1);
    struct bytes in = bytes_of(p, size - 1);
    if (data[0] & 1)
        judge_claims(in);
    else
        judge_token(j, in);
    free(p);
    return 0;
}
