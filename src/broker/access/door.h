/* SPDX-License-Identifier: BSD-3-Clause */
/* door.h -- what a listener asks of those who come in by it.
 *
 * Made by the main thread with the listener, and constant as long as cores run. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum door_anonymous {
    DOOR_AUTO, /* only on loopback, and only while nobody can be told apart anyway */
    DOOR_NEVER,
    DOOR_ALLOWED,
};

struct access_door {
    const char *name; /* its address, as the configuration has it: for rules and for the log */
    uint32_t connections_max; /* clients that came by it, on all cores; 0: no limit */
    uint8_t anonymous;        /* enum door_anonymous */
    uint8_t durability;       /* enum durability, where no rule of the topic says otherwise */
    bool loopback;            /* only this machine reaches it */
    bool certificate_is_user; /* the name in a verified client certificate is the user */
};
