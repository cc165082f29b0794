/* SPDX-License-Identifier: BSD-3-Clause */
/* hook_json.h -- what the hook says and hears, as JSON. Pure.
 *
 * Said: {"action":"login","user":"u","password":"p","client_id":"c","address":"192.0.2.1",
 * "listener":"*:8883","certificate":"CN=x"}, or "publish" and "subscribe" with a "topic". What is
 * not there is left out; what is not UTF-8 stands as base64 under its name and "_base64".
 *
 * Heard: {"result":"allow"}, "deny" or "ignore", and if it likes "user", "rules" (rules_json.h) and
 * "expires", seconds from now. Anything else in it is an error: a rule whose name is
 * misspelt must not be one that is not there. */
#pragma once

#include "broker/access/hook.h"

/* Writes the question: 0, or -ERR_TOO_LARGE or -ERR_NOMEM. `out` is owned then, and secret. */
int hook_json_write(const struct hook_text *t, struct bytes *out);

/* Reads the answer at `now_s` (since 1970) into verdict, user, rules and expires_s: 0,
 * -ERR_MALFORMED or -ERR_NOMEM; nothing is owned after an error. */
int hook_json_read(struct bytes body, int64_t now_s, struct hook_answer *a);
