/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/share.h"

#include <stdlib.h>

enum { NUMBERS = 1 << 20 };

/* A core that has members. */
struct member_core {
    uint16_t core;
    uint16_t online;
    uint32_t group; /* the group's slot there */
};

struct share {
    uint32_t number; /* names it in mail that may come back */
    uint32_t n, cap;
    uint32_t turn;   /* the core whose turn it is ... */
    uint32_t served; /* ... and how many messages it got in this turn */
    struct member_core *at;
};

uint32_t share_filter_at(struct bytes name)
{
    if (!bytes_starts(name, BYTES("$share/"))) return 0;
    const uint8_t *rest = name.p + 7;
    const uint8_t *slash = memchr(rest, '/', name.n - 7);
    return slash ? (uint32_t)(slash - name.p) + 1 : 0;
}

void share_init(struct broker *b)
{
    b->share_next = 1;
    b->group_generation = 1;
}

void share_fini(struct broker *b)
{
    table_fini(&b->shares);
    slots_fini(&b->group_slots);
}

static struct share *share_find(const struct broker *b, uint32_t number)
{
    struct table_iter it = table_seek(&b->shares, hash_mix(number));
    for (struct share *s; (s = table_next(&b->shares, &it)) != NULL;)
        if (s->number == number) return s;
    return NULL;
}

int share_new(struct broker *b, struct interest *i)
{
    struct share *s = calloc(1, sizeof *s);
    if (!s) return -ERR_NOMEM;
    do { /* in turn, so that a number is not used again while its mail is about */
        s->number = b->share_next;
        b->share_next = b->share_next % (NUMBERS - 1) + 1;
    } while (share_find(b, s->number));
    if (table_add(&b->shares, hash_mix(s->number), s) < 0) {
        free(s);
        return -ERR_NOMEM;
    }
    i->share = s;
    return 0;
}

void share_free(struct broker *b, struct interest *i)
{
    table_del(&b->shares, hash_mix(i->share->number), i->share);
    free(i->share->at);
    free(i->share);
    i->share = NULL;
}

static struct member_core *core_of(struct share *s, unsigned core)
{
    for (uint32_t k = 0; k < s->n; k++)
        if (s->at[k].core == core) return &s->at[k];
    return NULL;
}

static uint64_t online_of(const struct share *s)
{
    uint64_t n = 0;
    for (uint32_t k = 0; k < s->n; k++)
        n += s->at[k].online;
    return n;
}

/* Mail, so that it comes behind what was sent there to be kept. */
static void recall(struct broker *b, const struct share *s, const struct member_core *m)
{
    uint32_t tag = share_tag(s->number, 0);
    struct mail mail = {.kind = MAIL_SHARED_RECALL,
                        .flags = (uint8_t)(tag >> 16),
                        .a = (uint16_t)tag,
                        .b = m->group};
    if (m->core == b->core->id)
        share_on_recall(b, m->core, &mail);
    else
        mesh_send(b->core->mesh, m->core, mail, 0, 0);
}

int share_gain(struct broker *b, struct share *s, const struct interest_mail *im)
{
    struct member_core *m = core_of(s, im->home);
    bool any_before = online_of(s) > 0;
    bool left = m && m->online > 0 && im->online == 0;
    if (!m && s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 4;
        struct member_core *at = realloc(s->at, cap * sizeof *at);
        if (!at) return -ERR_NOMEM;
        s->at = at;
        s->cap = cap;
    }
    if (!m) m = &s->at[s->n++];
    *m = (struct member_core){.core = im->home, .online = im->online, .group = im->group};
    bool any = online_of(s) > 0;
    for (uint32_t k = 0; k < s->n && any && !any_before; k++)
        if (s->at[k].online == 0) recall(b, s, &s->at[k]);
    if (left && any) recall(b, s, m);
    return 0;
}

void share_lose(struct share *s, unsigned core)
{
    struct member_core *m = core_of(s, core);
    if (!m) return;
    *m = s->at[--s->n];
    s->turn = s->served = 0;
}

bool share_empty(const struct share *s)
{
    return s->n == 0;
}

/* The core whose turn it is, among those with members online; else, for a message that may
 * wait, any that has members; else NULL. */
static struct member_core *choose(struct share *s, bool may_wait)
{
    for (uint32_t tries = 0; tries <= s->n && s->n; tries++) {
        struct member_core *m = &s->at[s->turn % s->n];
        if (s->served < m->online) {
            s->served++;
            return m;
        }
        s->turn = (s->turn + 1) % s->n;
        s->served = 0;
    }
    if (!may_wait || s->n == 0) return NULL;
    s->turn = (s->turn + 1) % s->n;
    return &s->at[s->turn];
}

/* Takes one hold of `m`: a use at home, a share elsewhere. */
static void hand(struct broker *b, const struct member_core *to, struct message *m, uint32_t tag)
{
    if (to->core == b->core->id) {
        struct arrival a = {.m = m, .from = to->core, .group = to->group, .tag = tag};
        deliver_arrived_shared(b, &a);
        return;
    }
    struct mail mail = {.kind = MAIL_SHARED,
                        .flags = (uint8_t)(tag >> 16),
                        .a = (uint16_t)tag,
                        .b = to->group,
                        .ptr = m};
    mail_message(b, to->core, mail);
}

void share_journey_ends(struct broker *b, const struct arrival *a, int status)
{
    if (UNLIKELY(message_is_awaited(a->m)) && !(a->tag & SHARE_TOLD))
        accept_say_kept(b, a->m, status, false);
    message_put(b->core, a->m);
}

/* On the owner: nobody can be found. Takes one hold of `m`. */
static void give_up(struct broker *b, struct message *m, unsigned how)
{
    share_journey_ends(b, &(struct arrival){.m = m, .tag = how}, 0);
}

/* Takes one hold of `m`. */
static void give(struct broker *b, struct share *s, struct message *m, unsigned told)
{
    struct member_core *to = choose(s, m->qos > 0);
    if (!to)
        give_up(b, m, told); /* QoS 0 and nobody there */
    else
        hand(b, to, m, share_tag(s->number, (to->online ? 0 : SHARE_KEEP) | told));
}

/* The core with members, online ones unless `keep`, that has the lowest number from `core` on. */
static const struct member_core *next_core(const struct share *s, unsigned core, bool keep)
{
    const struct member_core *next = NULL;
    for (uint32_t k = 0; k < s->n; k++) {
        const struct member_core *m = &s->at[k];
        if (m->core < core || (!keep && m->online == 0)) continue;
        if (!next || m->core < next->core) next = m;
    }
    return next;
}

/* Nobody at core `from` may read the message: on to the next, or round for the first time. Takes
 * the hold. */
static void go_round(struct broker *b, const struct share *s, unsigned from,
                     const struct mail *back)
{
    struct message *m = back->ptr;
    unsigned told = back->flags & SHARE_TOLD;
    bool round = (back->flags & SHARE_ROUND) != 0;
    bool keep = round && (back->flags & SHARE_KEEP);
    const struct member_core *to = next_core(s, round ? from + 1 : 0, keep);
    if (!to && !keep && m->qos > 0) {
        keep = true;
        to = next_core(s, 0, true);
    }
    if (to) {
        hand(b, to, m, share_tag(s->number, SHARE_ROUND | (keep ? SHARE_KEEP : 0) | told));
        return;
    }
    count(&b->core->counters, C_denied_deliver);
    give_up(b, m, told);
}

/* A message in doubt goes to the cores from number `core` on that may know it; then it is given as
 * any other. Takes one hold of `m`. */
static void ask(struct broker *b, struct share *s, unsigned core, struct message *m)
{
    const struct member_core *to = next_core(s, core, true);
    if (to)
        hand(b, to, m, share_tag(s->number, SHARE_ASK));
    else
        give(b, s, m, 0);
}

void share_publish(struct broker *b, struct interest *i, struct message *m)
{
    message_hold(b, m);
    if (UNLIKELY(m->flags & MESSAGE_IN_DOUBT))
        ask(b, i->share, 0, m);
    else
        give(b, i->share, m, 0);
}

/* A message that a core could not place: takes its hold. */
void share_on_back(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    struct share *s = share_find(b, m->b);
    if (!s)
        give_up(b, m->ptr, m->flags); /* the group has no members left */
    else if (m->flags & SHARE_ASK)
        ask(b, s, from + 1, m->ptr);
    else if (m->flags & SHARE_DENIED)
        go_round(b, s, from, m);
    else
        give(b, s, m->ptr, m->flags & SHARE_TOLD);
}
