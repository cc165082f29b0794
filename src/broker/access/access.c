/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/access.h"

#include <stdlib.h>

struct access *access_new(void)
{
    struct access *a = calloc(1, sizeof *a);
    if (a) atomic_init(&a->uses, 1);
    return a;
}

struct access *access_ref(struct access *a)
{
    if (a) atomic_fetch_add_explicit(&a->uses, 1, memory_order_relaxed);
    return a;
}

void access_unref(struct access **ap)
{
    struct access *a = *ap;
    *ap = NULL;
    if (!a || atomic_fetch_sub_explicit(&a->uses, 1, memory_order_acq_rel) != 1) return;
    free(a);
}

bool access_knows_users(const struct access *a)
{
    (void)a;
    return false;
}
