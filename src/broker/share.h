/* SPDX-License-Identifier: BSD-3-Clause */
/* share.h -- shared subscriptions (MQTT 5.0 section 4.8.2): each message to one member.
 *
 * Two choices, each made where the facts are. A topic's owner picks a core, in turn,
 * weighted by the members that are online there (share.c, struct share); that core
 * picks the member, in turn among those with room (group.c, struct group). A core
 * that finds nobody online sends the message back, and its word that nobody is
 * online has reached the owner before it, by the same ring. When nobody is online
 * anywhere, a core with members keeps it for one of them, until the owner hears of a member
 * that is online and recalls it. What a member has not confirmed at QoS 1 when its connection
 * ends goes to another the same way, and stays where it is while there is none.
 *
 * Members may have different rights. One that may not read a message is passed over; a core
 * where nobody may sends it back, and then it goes round: to each core once, in the order of
 * their numbers, first to those with members online, then to be kept.
 *
 * A message in doubt (QoS 2, published again after a restart) may be one that a member of the group
 * has had. So first the cores with members are asked, one after the other, whether their
 * log knows it as this group's; it is given to a member only if none does.
 *
 * If its origin waits for it to be kept, it hears so once, from the core where the journey ends:
 * a session there has the message, or nobody will. When that session gives it back, a
 * message that is only in memory travels on with SHARE_TOLD, and nobody waits any more. One that is
 * on disk here stays there until its next keeper has it on disk: a copy travels whose
 * origin is this core's journal. A crash in between leaves both. At QoS 1 that is a second
 * copy, as allowed. At QoS 2 only what was never sent moves, so each member still gets it
 * once at most, but two members may; to forget it here first would lose it. */
#pragma once

#include "broker/interest.h"
#include "broker/internal.h"

/* "$share/NAME/FILTER": where FILTER begins; 0 if the name is no shared filter. */
uint32_t share_filter_at(struct bytes name);

/* ---- owner ------------------------------------------------------------------------------- */

/* How a message goes to a core with members, and comes back from one. */
enum share_how {
    SHARE_KEEP = 1 << 0,   /* for a member that is offline, too */
    SHARE_ROUND = 1 << 1,  /* it goes round all cores: some members may not read it */
    SHARE_TOLD = 1 << 2,   /* its origin has been told KEPT */
    SHARE_ASK = 1 << 3,    /* in doubt: does the log there have it for this group? Back: no */
    SHARE_DENIED = 1 << 4, /* back: no member that is here may read it */
    SHARE_HOW = SHARE_KEEP | SHARE_ROUND | SHARE_TOLD,
};

/* The number of a share (20 bits) and how, as SHARED mail carries them. */
static inline uint32_t share_tag(uint32_t number, unsigned how)
{
    return number << 4 | how;
}
static inline uint32_t share_number_of(uint32_t tag)
{
    return tag >> 4;
}

void share_init(struct broker *b);
void share_fini(struct broker *b);
int share_new(struct broker *b, struct interest *i); /* sets i->share; -ERR_NOMEM */
void share_free(struct broker *b, struct interest *i);

/* A core's members came, went, or changed. If that leaves members online somewhere, cores that
 * have none are told to give back what their offline members hold. 0, or -ERR_NOMEM. */
int share_gain(struct broker *b, struct share *s, const struct interest_mail *im);
void share_lose(struct share *s, unsigned core);
bool share_empty(const struct share *s);

/* Gives `m` to one member somewhere. Borrows the caller's hold. */
void share_publish(struct broker *b, struct interest *i, struct message *m);
mail_fn share_on_back;

/* ---- member's home -------------------------------------------------------------------------- */

int group_new(struct broker *b, struct local_filter *f); /* sets f->group; -ERR_NOMEM */
void group_free(struct broker *b, struct local_filter *f);
void group_join(struct sub *sub);
void group_leave(struct sub *sub);
void group_fill_mail(const struct local_filter *f, struct interest_mail *im);

/* A session with shared subscriptions is connected again, or no longer. */
void group_member_back(struct session *s);
void group_member_left(struct session *s);
/* A member that is offline has messages of its group, from before a restart. The group's slot. */
uint32_t group_restore(struct sub *sub);
/* Finds another place for a message that a member had and has not confirmed. False: it stays where
 * it is (the group is gone, memory ran out, the message is on disk only). Borrows; takes
 * p->stored. */
bool group_give_back(struct broker *b, uint32_t slot, struct pending *p, struct session *s);

/* The share's number at the owner of the message's topic, by which it can be sent back there even
 * when the group has gone. Borrows `m`. */
uint32_t group_number(const struct broker *b, uint32_t slot, const struct message *m);
bool group_send_back(struct broker *b, uint32_t number, struct pending *p, struct session *s);

/* A message goes to nobody, or no further: its origin hears. Takes the arrival's hold. */
void share_journey_ends(struct broker *b, const struct arrival *a, int status);

/* The filter of a group by its slot here, with its subscriptions; NULL: the group is gone. */
const struct local_filter *group_filter_of(const struct broker *b, uint32_t slot);

/* Deliver phase: to a member. Takes the arrival's hold. */
void group_deliver(struct broker *b, const struct arrival *a);
mail_fn share_on_mail;
mail_fn share_on_recall;
