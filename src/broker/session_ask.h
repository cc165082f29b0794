/* SPDX-License-Identifier: BSD-3-Clause */
/* session_ask.h -- rights that a web service decides, topic by topic (hook.access).
 *
 * A right is asked for before the packet that needs it is handled: the protocol does not go on
 * with the connection until the answer is there, and then handles the packet as ever. What comes
 * later finds the answer in the core's cache (hook_cache.h). Nothing that is not known is
 * allowed. Of clients that the hook let in only. Home's. */
#pragma once

#include "broker/access/hook.h"

struct session;

enum asked { ASKED_ALLOWED, ASKED_DENIED, ASKED_UNKNOWN };

/* Does a web service decide what this session may do? */
bool session_asks(const struct session *s);

/* What is known of this right. */
enum asked session_asked(struct session *s, enum hook_action action, struct bytes topic);

/* Asks for it: `done` is called in a later turn, when it is known, with `context`. What is
 * returned is to be hook_cancel()ed if the session is left before. NULL: no memory. */
typedef void session_ask_done(void *context);
struct hook_question *session_ask(struct session *s, const struct hook_text *what,
                                  session_ask_done *done, void *context);

/* The packet that was asked for has been handled, or never will be: answers that were kept for
 * it, and failures, count no longer. */
void session_ask_over(struct session *s);

/* Asks whether the will may be published; until that is known it may not. */
void session_ask_will(struct session *s);

/* The will goes, and with it the question about it. */
void session_unask_will(struct session *s);
