/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/interest.h"

#include <stdlib.h>

#include "broker/share.h"

void interest_add_cores(const struct interest *i, struct cores *out)
{
    if (i->many) {
        for (unsigned w = 0; w < CORES_WORDS; w++)
            out->word[w] |= i->many->word[w];
        return;
    }
    for (unsigned k = 0; k < i->ncores; k++)
        cores_add(out, i->few[k]);
}

static bool has_core(const struct interest *i, unsigned core)
{
    struct cores all = {0};
    interest_add_cores(i, &all);
    return cores_has(&all, core);
}

/* 1 if the core is new, 0 if not, or -ERR_NOMEM. */
static int add_core(struct interest *i, unsigned core)
{
    if (has_core(i, core)) return 0;
    if (!i->many && i->ncores < INTEREST_FEW) {
        i->few[i->ncores++] = (uint16_t)core;
        return 1;
    }
    if (!i->many) {
        struct cores *many = calloc(1, sizeof *many);
        if (!many) return -ERR_NOMEM;
        interest_add_cores(i, many);
        i->many = many;
    }
    cores_add(i->many, core);
    i->ncores++;
    return 1;
}

static void del_core(struct interest *i, unsigned core)
{
    if (!has_core(i, core)) return;
    if (i->many) {
        cores_remove(i->many, core);
    } else {
        unsigned k = 0;
        while (i->few[k] != core)
            k++;
        i->few[k] = i->few[i->ncores - 1];
    }
    i->ncores--;
}

static void interest_free(struct broker *b, struct interest *i)
{
    if (i->share) share_free(b, i);
    free(i->many);
    free(i);
}

/* The interest in the mail's filter; made if there is none. NULL: no memory. */
static struct interest *interest_at(struct broker *b, const struct interest_mail *im, bool make)
{
    struct bytes name = bytes_of(im->name, im->name_len);
    struct filter_entry *e = filters_find(&b->interest, name_hash(b->seed, name), name);
    if (e) return CONTAINER_OF(e, struct interest, entry);
    if (!make) return NULL;
    struct interest *i = calloc(1, sizeof *i + name.n);
    if (!i) return NULL;
    memcpy(i->name, name.p, name.n);
    struct bytes own = bytes_of(i->name, name.n);
    filter_entry_init(&i->entry, b->seed, own, bytes_skip(own, im->filter_at));
    if ((im->shared && share_new(b, i) < 0) || filters_add(&b->interest, &i->entry) < 0) {
        interest_free(b, i);
        return NULL;
    }
    return i;
}

/* Back to where the question came from; there what follows on the same ring is live. */
static void answer(struct broker *b, struct interest_mail *im)
{
    if (im->home == b->core->id) {
        deliver_answer(b, im->home, im);
        return;
    }
    /* The vector's uses become shares: its pointers now travel. */
    struct retain_vector *v = &im->walk.found;
    for (uint32_t i = 0; i < v->n; i++) {
        if (v->at[i]) message_hand_over(b->core, v->at[i]);
    }
    struct mail mail = {.kind = MAIL_ANSWER, .ptr = im};
    mesh_send(b->core->mesh, im->home, mail, 0, 0);
}

static void walk_done(struct retain_walk *w, void *ctx)
{
    answer(ctx, CONTAINER_OF(w, struct interest_mail, walk));
}

static void collect_exact(struct broker *b, struct interest_mail *im, struct bytes filter)
{
    struct message *m = retain_get(&b->retain, filter, name_hash(b->seed, filter));
    if (!m) return;
    struct message **at = malloc(sizeof(struct message *));
    struct message *kept = at ? message_keep(b->core, m) : NULL;
    if (!kept) {
        free(at);
        im->walk.failed = true;
        return;
    }
    at[0] = kept;
    im->walk.found = (struct retain_vector){.at = at, .n = 1, .cap = 1};
}

/* The core has no subscription to this filter any more. */
static void interest_lost(struct broker *b, struct interest_mail *im)
{
    struct interest *i = interest_at(b, im, false);
    if (i) {
        if (i->share)
            share_lose(i->share, im->home);
        else
            del_core(i, im->home);
        b->interest.generation++;
        if (i->share ? share_empty(i->share) : i->ncores == 0) {
            filters_del(&b->interest, &i->entry);
            interest_free(b, i);
        }
    }
    free(im);
}

void interest_change(struct broker *b, struct interest_mail *im)
{
    if (im->gone) {
        interest_lost(b, im);
        return;
    }
    struct interest *i = interest_at(b, im, im->asking || im->restored);
    int changed = -ERR_NOMEM;
    if (i) changed = i->share ? share_gain(b, i->share, im) : add_core(i, im->home);
    if (changed > 0) b->interest.generation++; /* cached routes lack the new core */
    if (!im->asking) {
        free(im);
        return;
    }
    bool failed = changed < 0;
    im->walk.failed = failed;
    struct bytes filter = bytes_of(im->name + im->filter_at, (size_t)im->name_len - im->filter_at);
    if (!failed && im->want_retained && b->retain.messages) {
        if (name_has_wildcard(filter)) {
            im->walk.filter = filter;
            retain_walk_start(&b->retain, &im->walk, walk_done);
            return;
        }
        collect_exact(b, im, filter);
    }
    answer(b, im);
}

void route_on_interest(void *ctx, unsigned from, const struct mail *m)
{
    (void)from;
    interest_change(ctx, m->ptr);
}

static void forget(struct filter_entry *e, void *arg)
{
    interest_free(arg, CONTAINER_OF(e, struct interest, entry));
}

void interest_fini(struct broker *b)
{
    while (b->retain.walk_head) {
        struct interest_mail *im = CONTAINER_OF(b->retain.walk_head, struct interest_mail, walk);
        retain_walk_cancel(&b->retain, &im->walk);
        free(im);
    }
    filters_each(&b->interest, forget, b);
}
