/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/access/door.h"
#include "broker/access/grant.h"
#include "broker/access/identity.h"
#include "broker/access/jwt.h"
#include "broker/access/password_file.h"

static void note(struct access *a, const char *what)
{
    size_t used = strlen(a->notes);

    if (*what) snprintf(a->notes + used, sizeof a->notes - used, "%s%s", used ? "\n" : "", what);
}

static bool load_passwords(struct access *a, const char *path, char *error)
{
    bool exposed = false;
    char text[ACCESS_ERROR];

    if (!path) return true;
    a->passwords = password_file_load(path, &exposed, error, ACCESS_ERROR);
    if (!a->passwords) return false;
    snprintf(text, sizeof text, "%s: others may read it, or change it; chmod 0640", path);
    if (exposed) note(a, text);
    return true;
}

static bool load_tokens(struct access *a, const struct jwt_options *o, char *error)
{
    if (!o || !jwt_is_configured(o)) return true;
    a->jwt = jwt_new(o, error, ACCESS_ERROR);
    if (!a->jwt) return false;
    note(a, jwt_notes(a->jwt));
    return true;
}

struct access *access_new(const struct access_options *o, char *error)
{
    struct access *a = calloc(1, sizeof *a);

    snprintf(error, ACCESS_ERROR, "out of memory");
    if (!a) {
        struct acl *unused = o->acl;
        acl_free(&unused);
        return NULL;
    }
    atomic_init(&a->uses, 1);
    a->hook = o->hook;
    a->acl = o->acl;
    if (!load_passwords(a, o->passwords, error) || !load_tokens(a, o->jwt, error)) access_unref(&a);
    return a;
}

struct access *access_ref(struct access *a)
{
    if (a) atomic_fetch_add_explicit(&a->uses, 1, memory_order_relaxed);
    return a;
}

void access_unref(struct access **ap)
{
    struct access *a = *ap;

    *ap = NULL;
    if (!a || atomic_fetch_sub_explicit(&a->uses, 1, memory_order_acq_rel) != 1) return;
    password_file_free(&a->passwords);
    jwt_free(&a->jwt);
    acl_free(&a->acl);
    free(a);
}

bool access_knows_users(const struct access *a)
{
    return a && (a->passwords || a->jwt || a->hook);
}

bool access_still_knows(const struct access *a, const struct identity *who)
{
    if (who->source != IDENTITY_PASSWORD) return true;
    return a && a->passwords && password_file_find(a->passwords, identity_user(who));
}

int access_grant(const struct access *a, const struct identity *who, struct bytes client_id,
                 const struct grant **g)
{
    struct acl_subject s = {.user = identity_user(who), .client_id = client_id};

    if (who) {
        memcpy(s.ip, who->ip, sizeof s.ip);
        if (who->door) s.listener = bytes_str(who->door->name);
        s.has_own = who->own != NULL;
        if (who->own) s.own = acl_rules(who->own, &s.nown);
    }
    return grant_new(g, a ? a->acl : NULL, &s);
}
