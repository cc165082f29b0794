/* SPDX-License-Identifier: BSD-3-Clause */
/* glob.h -- patterns in which '*' stands for any text, the empty one too. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* Without recursion: at most text x pattern steps. */
bool glob_matches(struct bytes pattern, struct bytes text);
