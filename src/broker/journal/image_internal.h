/* SPDX-License-Identifier: BSD-3-Clause */
/* image_internal.h -- the kinds of things in an image, one file each. */
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "broker/journal/image.h"

/* Where the body at `from` was moved to. */
struct image_moved {
    uint64_t from;
    struct store_ref to;
};

struct image_copy *image_copy_of(const struct store_record *s);

/* Takes an item out of its list: what is behind it knows the link that led to it. */
#define IMAGE_UNLINK(item)                                                                         \
    do {                                                                                           \
        *(item)->link = (item)->next;                                                              \
        if ((item)->next) (item)->next->link = (item)->link;                                       \
    } while (0)

/* Puts an item first on a list. */
#define IMAGE_LINK(head, item)                                                                     \
    do {                                                                                           \
        (item)->next = (head);                                                                     \
        (item)->link = &(head);                                                                    \
        if ((head)) (head)->link = &(item)->next;                                                  \
        (head) = (item);                                                                           \
    } while (0)

/* ---- image_entry.c */
int image_on_entry(struct image *im, const struct store_record *s);
int image_on_flight(struct image *im, const struct store_record *s);
int image_on_received(struct image *im, const struct store_record *s);
void image_drop_entry(struct image *im, struct image_entry *e);
void image_drop_entries(struct image *im, struct image_session *s);
void image_drop_received(struct image *im, struct image_session *s);

/* ---- image_message.c */
int image_on_body(struct image *im, const struct store_record *s);
int image_on_retained(struct image *im, const struct store_record *s);
int image_on_origin(struct image *im, const struct store_record *s);
struct store_ref image_place(const struct image *im, struct store_ref body); /* where it is now */
void image_message_fini(struct image *im);
