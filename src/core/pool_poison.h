/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_poison.h -- tells AddressSanitizer which bytes of a pool's slabs are alive.
 *
 * Without it the sanitizer sees a slab as one big allocation and is blind to a
 * block used after its death or beyond its end. Nothing in other builds. */
#pragma once

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POOL_POISON 1
#endif

#ifdef POOL_POISON
#include <sanitizer/asan_interface.h>

static inline void pool_poison(const void *p, size_t n)
{
    __asan_poison_memory_region(p, n);
}

static inline void pool_unpoison(const void *p, size_t n)
{
    __asan_unpoison_memory_region(p, n);
}
#else
static inline void pool_poison(const void *p, size_t n)
{
    (void)p, (void)n;
}

static inline void pool_unpoison(const void *p, size_t n)
{
    (void)p, (void)n;
}
#endif
