/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_memory.c -- what the process may have, and what it has.
 *
 * jemalloc knows what it has given out to the page; it is asked if the program is linked to it,
 * which builds with sanitizers are not. Without it, what is resident is the nearest. */
#include <stdlib.h>
#include <unistd.h>

#include "admin/process.h"
#include "app/serve/serve.h"
#include "core/cpu_choice.h"

/* jemalloc's; NULL where another allocator is linked. */
__attribute__((weak)) int mallctl(const char *name, void *old, size_t *old_bytes, void *fresh,
                                  size_t fresh_bytes);

static size_t statistic(const char *name)
{
    size_t value = 0, bytes = sizeof value;

    return mallctl(name, &value, &bytes, NULL, 0) == 0 ? value : 0;
}

static uint64_t bytes_used(void)
{
    uint64_t epoch = 1;

    if (!mallctl) return process_resident_bytes();
    mallctl("epoch", NULL, NULL, &epoch, sizeof epoch); /* statistics are as of the last one */
    return (uint64_t)statistic("stats.active") + statistic("stats.metadata");
}

/* Four fifths of what there is: the rest is for sockets, the allocator's reserve and others. */
static uint64_t usual_max(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t all = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    uint64_t group = (uint64_t)cgroup_memory_mib("") << 20;

    if (group && (group < all || !all)) all = group;
    return all / 5 * 4;
}

void serve_memory_limit(struct serve *s, const struct options *o)
{
    s->memory.bytes = bytes_used;
    atomic_store_explicit(&s->memory.max, o->memory_max ? o->memory_max : usual_max(),
                          memory_order_relaxed);
}

size_t serve_pool_max(const struct serve *s)
{
    return (size_t)atomic_load_explicit(&s->memory.max, memory_order_relaxed);
}
