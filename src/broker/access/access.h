/* SPDX-License-Identifier: BSD-3-Clause */
/* access.h -- who may come in, and what they may do: the whole configuration, as one piece.
 *
 * The main thread makes it, complete or not at all; cores only read it. When the configuration is
 * read again a new one takes its place, core by core, and the old one goes with its last user,
 * which may be a login that is under way.
 *
 * Shared: `uses` is counted by all threads, for what is rare (a reload, a login that waits). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct acl;
struct grant;
struct hook;
struct identity;
struct jwt;
struct jwt_options;
struct password_file;

enum { ACCESS_ERROR = 512, ACCESS_NOTES = 2048 };

struct access {
    _Atomic uint32_t uses;
    struct password_file *passwords; /* NULL: none */
    struct jwt *jwt;                 /* NULL: no keys are configured */
    struct hook *hook;               /* borrowed; NULL: none */
    struct acl *acl;                 /* NULL: everything is allowed */
    char notes[ACCESS_NOTES];        /* what the operator should know, a line each */
};

/* Where it comes from. */
struct access_options {
    const char *passwords;         /* path; NULL: none */
    const struct jwt_options *jwt; /* NULL: none */
    struct hook *hook;
    struct acl *acl; /* taken, also if it fails */
};

/* Reads all files. NULL, with a sentence in error[ACCESS_ERROR]. It has one use. */
struct access *access_new(const struct access_options *o, char *error);

struct access *access_ref(struct access *a); /* NULL is passed on */
void access_unref(struct access **a);        /* nulls the pointer; the last one frees */

/* Is there any way to tell users apart, other than by certificate? */
bool access_knows_users(const struct access *a);

/* Is who came in once still a user? Of tokens and the hook that is not asked again: they have
 * their own end. */
bool access_still_knows(const struct access *a, const struct identity *who);

/* What `who` (NULL: anonymous) may do as this client: *g is NULL if everything is allowed. 0, or
 * -ERR_NOMEM: then it denies everything. */
int access_grant(const struct access *a, const struct identity *who, struct bytes client_id,
                 const struct grant **g);
