/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_access.c -- from the options to who may come in and do what. */
#include <stdio.h>

#include "app/serve/serve.h"
#include "base/err.h"
#include "broker/access/access.h"
#include "broker/access/hook.h"
#include "broker/access/jwt.h"

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

int serve_hook_start(struct serve *s, char *error)
{
    char why[ACCESS_ERROR];

    const struct hook_options *h = &s->options->hook;

    if (!*h->url) return 0;
    if (h->access && (h->cache_s == 0 || h->cache_denied_s == 0)) {
        snprintf(error, OPTIONS_ERROR,
                 "hook.access: needs hook.cache and hook.cache_denied above 0");
        return -ERR_INVALID;
    }
    s->hook = hook_new(h, s->helpers, why, sizeof why);
    if (s->hook) return 0;
    snprintf(error, OPTIONS_ERROR, "hook: %.500s", why);
    return -ERR_INVALID;
}

struct access *serve_access_new(const struct serve *s, const struct options *o, char *error)
{
    struct acl *acl;

    if (options_acl(o, &acl) < 0) {
        snprintf(error, OPTIONS_ERROR, "rules: %s", err_text(ERR_NOMEM));
        return NULL;
    }
    const struct access_options ao = {
        .acl = acl,
        .passwords = given(o->passwords),
        .hook = s->hook,
        .jwt = jwt_is_configured(&o->jwt) ? &o->jwt : NULL,
    };
    char why[ACCESS_ERROR];
    struct access *a = access_new(&ao, why);

    if (!a) snprintf(error, OPTIONS_ERROR, "access: %.500s", why);
    return a;
}
