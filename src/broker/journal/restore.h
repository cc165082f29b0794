/* SPDX-License-Identifier: BSD-3-Clause */
/* restore.h -- a core's broker gets back what its log says. */
#pragma once

#include "broker/journal/image.h"
#include "broker/journal/journal.h"

/* Into a broker that has nothing yet; the image is finished, and may be poorer afterwards. Every
 * body that is referred to is claimed at the store. What has lost its body is counted. 0,
 * -ERR_NOMEM, or what claiming answered. */
int journal_restore(struct journal *j, struct store *s, struct image *im,
                    struct journal_found *found);
