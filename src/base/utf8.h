/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.h -- is this well-formed UTF-8, as the protocols restrict it? */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* True if `s` is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no
 * overlong forms, nothing above U+10FFFF) and holds no U+0000 [MQTT-1.5.4-1]
 * [MQTT-1.5.4-2]. ASCII is checked eight bytes at a time. */
bool utf8_valid(struct bytes s);
