/* SPDX-License-Identifier: BSD-3-Clause */
/* listen_show.h -- listeners for people: what their keys mean, and what each one has. */
#pragma once

#include <stdio.h>

#include "app/options/options.h"

struct listen_key {
    const char *key, *initial, *allowed, *help;
};

/* The rows of listener.def; NULL behind the last. */
const struct listen_key *listen_key_at(unsigned i);

/* What is in force for each listener, one setting a line. */
void listen_show(const struct listen_set *s, FILE *out);

/* The keys as a part of docs/configuration.md. */
void listen_show_keys(FILE *out);
