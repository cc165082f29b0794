/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "pinion: broken promise at %s:%d: %s\n", file, line, expr);
    abort();
}
