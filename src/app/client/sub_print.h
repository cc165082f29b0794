/* SPDX-License-Identifier: BSD-3-Clause */
/* sub_print.h -- how `pinion sub` writes a message. */
#pragma once

#include <stdio.h>

#include "proto/mqtt/mqtt.h"

/* NULL if `format` is one that sub_print() knows, else where it is not. Known: %t topic,
 * %p payload, %q QoS, %r retained, %l length, %%, and \n \t \\. */
const char *sub_format_check(const char *format);

/* Writes the message, no line end but what the format says. */
void sub_print(FILE *out, const char *format, const struct mqtt_publish *p);
