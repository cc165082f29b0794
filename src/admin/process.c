/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t process_resident_bytes(void)
{
    unsigned long long all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f) return 0;
    if (fscanf(f, "%llu %llu", &all, &resident) != 2) resident = 0;
    fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t process_files_max(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}

/* On a helper thread. */
static void count_files(struct helper_job *j)
{
    struct admin_shared *s = CONTAINER_OF(j, struct admin_shared, count_files);
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (!d) return;
    while (readdir(d))
        n++;
    closedir(d);
    n -= n < 3 ? n : 3; /* ".", "..", and the folder itself */
    atomic_store_explicit(&s->open_files, n, memory_order_relaxed);
}

static void on_counted(struct helper_job *j)
{
    struct admin_shared *s = CONTAINER_OF(j, struct admin_shared, count_files);

    atomic_store_explicit(&s->counting, false, memory_order_release);
}

uint64_t process_open_files(struct admin_shared *s, struct core *c)
{
    if (c->helpers && !atomic_exchange_explicit(&s->counting, true, memory_order_acquire)) {
        s->count_files = (struct helper_job){.work = count_files, .done = on_counted};
        if (helper_submit(c->helpers, c->id, &s->count_files) < 0)
            atomic_store_explicit(&s->counting, false, memory_order_release);
    }
    return atomic_load_explicit(&s->open_files, memory_order_relaxed);
}
