/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/filters.h"

#include "base/assert.h"
#include "base/err.h"
#include "broker/name.h"

void filter_entry_init(struct filter_entry *e, uint64_t seed, struct bytes name,
                       struct bytes filter)
{
    ASSERT(name.n <= UINT16_MAX && filter.n <= name.n);
    size_t filter_at = name.n - filter.n;
    ASSERT(filter.p == name.p + filter_at);
    *e = (struct filter_entry){
        .hash = name_hash(seed, name),
        .text = name.p,
        .name_len = (uint16_t)name.n,
        .filter_at = (uint16_t)filter_at,
        .wildcard = name_has_wildcard(filter),
    };
}

void filter_entry_link(struct filter_entry **head, struct filter_entry *e)
{
    /* The one without a share group stays first. */
    if (*head && (*head)->filter_at == 0 && e->filter_at > 0) head = &(*head)->same;
    e->same = *head;
    *head = e;
}

void filter_entry_unlink(struct filter_entry **head, struct filter_entry *e)
{
    while (*head != e) {
        ASSERT(*head);
        head = &(*head)->same;
    }
    *head = e->same;
    e->same = NULL;
}

void filters_init(struct filters *f, uint64_t seed)
{
    *f = (struct filters){.seed = seed};
    trie_init(&f->trie, seed);
}

void filters_fini(struct filters *f)
{
    table_fini(&f->exact);
    table_fini(&f->shared);
    trie_fini(&f->trie);
}

static uint64_t filter_hash(const struct filters *f, const struct filter_entry *e)
{
    return e->filter_at ? name_hash(f->seed, filter_entry_filter(e)) : e->hash;
}

/* The first entry of a filter without wildcards, or NULL. */
static struct filter_entry *exact_find(const struct filters *f, uint64_t hash, struct bytes filter)
{
    struct table_iter it = table_seek(&f->exact, hash);
    for (struct filter_entry *e; (e = table_next(&f->exact, &it)) != NULL;)
        if (bytes_eq(filter_entry_filter(e), filter)) return e;
    return NULL;
}

struct filter_entry *filters_find(const struct filters *f, uint64_t hash, struct bytes name)
{
    struct table_iter it = table_seek(&f->shared, hash);
    for (struct filter_entry *e; (e = table_next(&f->shared, &it)) != NULL;)
        if (bytes_eq(filter_entry_name(e), name)) return e;

    struct filter_entry *e =
        name_has_wildcard(name) ? trie_find(&f->trie, name) : exact_find(f, hash, name);
    return e && e->filter_at == 0 ? e : NULL;
}

static int exact_add(struct filters *f, struct filter_entry *e)
{
    uint64_t hash = filter_hash(f, e);
    struct filter_entry *first = exact_find(f, hash, filter_entry_filter(e));
    if (!first) return table_add(&f->exact, hash, e);

    struct filter_entry *head = first;
    filter_entry_link(&head, e);
    if (head != first) table_replace(&f->exact, hash, first, head);
    return 0;
}

static void exact_del(struct filters *f, struct filter_entry *e)
{
    uint64_t hash = filter_hash(f, e);
    struct filter_entry *first = exact_find(f, hash, filter_entry_filter(e));
    struct filter_entry *head = first;
    filter_entry_unlink(&head, e);
    if (!head) {
        table_del(&f->exact, hash, first);
    } else if (head != first) {
        table_replace(&f->exact, hash, first, head);
    }
}

int filters_add(struct filters *f, struct filter_entry *e)
{
    if (e->filter_at > 0 && table_add(&f->shared, e->hash, e) < 0) return -ERR_NOMEM;
    e->same = NULL;
    int err = e->wildcard ? trie_add(&f->trie, e) : exact_add(f, e);
    if (err < 0) {
        if (e->filter_at > 0) table_del(&f->shared, e->hash, e);
        return err;
    }
    f->generation++;
    return 0;
}

void filters_del(struct filters *f, struct filter_entry *e)
{
    if (e->filter_at > 0) table_del(&f->shared, e->hash, e);
    if (e->wildcard) {
        trie_del(&f->trie, e);
    } else {
        exact_del(f, e);
    }
    f->generation++;
}

void filters_match(const struct filters *f, struct bytes topic, uint64_t topic_hash, filter_fn *fn,
                   void *arg)
{
    for (struct filter_entry *e = exact_find(f, topic_hash, topic); e; e = e->same)
        fn(e, arg);
    trie_match(&f->trie, topic, fn, arg);
}

struct each {
    filter_fn *fn;
    void *arg;
};

static void each_of_list(void *item, void *arg)
{
    const struct each *each = arg;
    for (struct filter_entry *e = item, *next; e; e = next) {
        next = e->same;
        each->fn(e, each->arg);
    }
}

void filters_each(const struct filters *f, filter_fn *fn, void *arg)
{
    struct each each = {.fn = fn, .arg = arg};
    table_each(&f->exact, each_of_list, &each);
    trie_each(&f->trie, fn, arg);
}
