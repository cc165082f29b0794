/* SPDX-License-Identifier: BSD-3-Clause */
/* errand.h -- work that one core asks of another: run there, come back here.
 *
 * For what is rare and not on a message's way: the admin interface that gathers from all
 * cores, a look at a table that another core owns. Whoever asks embeds a struct errand in
 * what the work needs; nobody else touches that memory between errand_send() and back().
 * Errands to one core run in the order they were sent, among other mail.
 *
 * Owner: who sent it. */
#pragma once

#include <stdint.h>

#include "core/mesh.h"

struct broker;

struct errand {
    void (*run)(struct errand *e, struct broker *there); /* on the core it was sent to */
    void (*back)(struct errand *e, struct broker *home); /* on the core that sent it; may free it */
};

/* Sends `e` to core `to`. If that is the core we are on, run() and back() are called at once. */
void errand_send(struct broker *b, unsigned to, struct errand *e);

mail_fn errand_on_mail;
