/* SPDX-License-Identifier: BSD-3-Clause */
/* options_reload.c -- which settings have changed, and which of them a running broker takes. */
#include <stdio.h>
#include <string.h>

#include "app/options/options.h"

static void add_key(char *list, const char *key)
{
    size_t used = strlen(list);

    snprintf(list + used, OPTIONS_DIFF - used, "%s%s", used ? " " : "", key);
}

/* What listen_tls_new() reads, but for `client`, on which more depends. */
static void blank_tls(struct listen_how *h)
{
    h->only_v13 = false;
    h->nnames = 0;
    memset(h->certificate, 0, sizeof h->certificate);
    memset(h->key, 0, sizeof h->key);
    memset(h->ca, 0, sizeof h->ca);
    memset(h->crl, 0, sizeof h->crl);
    memset(h->ciphers, 0, sizeof h->ciphers);
    memset(h->names, 0, sizeof h->names);
}

/* A stray byte between two members would only name a listener that has not changed. */
static bool same_way(const struct listen_how *a, const struct listen_how *b)
{
    struct listen_how x = *a, y = *b;

    blank_tls(&x);
    blank_tls(&y);
    return memcmp(&x, &y, sizeof x) == 0;
}

bool listen_set_same(const struct listen_set *a, const struct listen_set *b)
{
    char at_a[SOCK_ADDR_TEXT], at_b[SOCK_ADDR_TEXT];

    if (a->n != b->n) return false;
    for (unsigned i = 0; i < a->n; i++) {
        sock_addr_text(&a->at[i], at_a);
        sock_addr_text(&b->at[i], at_b);
        if (strcmp(at_a, at_b) != 0 || !same_way(&a->how[i], &b->how[i])) return false;
    }
    return true;
}

static bool same_value(const struct options *a, const struct options *b, unsigned i)
{
    char in_a[OPTION_TEXT_MAX], in_b[OPTION_TEXT_MAX];

    if (option_at(i)->kind == OPTION_ADDRESSES)
        return listen_set_same(&a->listeners, &b->listeners);
    return strcmp(option_value(a, i, in_a, sizeof in_a), option_value(b, i, in_b, sizeof in_b)) ==
           0;
}

void options_keep_restart(struct options *fresh, const struct options *now, struct options_diff *d)
{
    *d = (struct options_diff){.changed = ""};
    for (unsigned i = 0; i < options_count(); i++) {
        const struct option *row = option_at(i);
        if (same_value(fresh, now, i)) continue;
        add_key(row->restart ? d->restart : d->changed, row->key);
        if (!row->restart) continue;
        memcpy((char *)fresh + row->offset, (const char *)now + row->offset, row->width);
        fresh->origin[i] = now->origin[i];
    }
    options_settle(fresh);
}
