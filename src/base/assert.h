/* SPDX-License-Identifier: BSD-3-Clause */
/* assert.h -- mistakes that only we can make stop the process, in release too.
 *
 * Never assert what a peer, a disk or an operator can cause. */
#pragma once

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

_Noreturn void assert_fail(const char *expr, const char *file, int line);

#define ASSERT(x) (LIKELY(x) ? (void)0 : assert_fail(#x, __FILE__, __LINE__))

/* The object that embeds `member` at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CACHE_LINE 64
