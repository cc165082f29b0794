/* SPDX-License-Identifier: BSD-3-Clause */
/* err.h -- errors are values: 0 or more is good, -ERR_X is not.
 *
 * One table (err.def) for the whole program. What a peer, a disk or an
 * operator can cause is an error; what only we can cause is an ASSERT. */
#pragma once

enum err {
    ERR_NONE = 0,
#define ERR(name, text) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
};

/* The sentence for `e`, which may be given negated as functions return it. */
const char *err_text(int e);

/* The error that stands for an errno value of the operating system. */
int err_from_errno(int os_errno);
