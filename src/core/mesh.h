/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh.h -- all the rings between all the cores, with outboxes and doorbells.
 *
 * A core sees one `struct mesh_port`: it sends mail to any core and takes mail
 * from all of them. Sending never blocks, drops or reorders: mail from A to B
 * arrives in the order A sent it. Mail is staged and goes out in batches of
 * MESH_BATCH or at the end of the turn (mesh_post). What a full ring refuses
 * waits in the sender's own outbox for that receiver, a FIFO; its bytes are
 * charged to the account (a connection) that caused them, so that the layer
 * above can stop reading from it.
 *
 * Sleep and wake (model: tests/models/doorbell.pml). Each core has a bitmap with
 * one bit per sender and a `sleeping` flag. Sender, per flush: publish tails, one
 * sequentially consistent fence, set its bit if clear, then if the receiver
 * sleeps and the exchange of its flag is won, write the receiver's eventfd.
 * Receiver: exchange sleeping = 1, look at the bitmap again, only then block. A
 * sender that goes to sleep with a non-empty outbox asks the receiver to ring
 * back once it has taken mail (model: tests/models/fullring.pml).
 *
 * Owner: src/app (or a test) makes the mesh before the cores run and frees it
 * after they have stopped. A port belongs to its core and no other thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mail.h"

enum {
    MESH_CORES_MAX = 256,
    MESH_BATCH =
        16, /* staged mails that are published at once without waiting for the turn's end */
    MESH_TAKE_MAX = 256, /* mails taken from one ring in one turn */
};

struct mesh;
struct mesh_port;

/* A handler for mail: `from` is the sending core. Runs on the receiving core. */
typedef void mail_fn(void *ctx, unsigned from, const struct mail *m);

/* Called when `bytes` that were charged to `account` have left the outbox. */
typedef void relief_fn(void *ctx, uint32_t account, uint32_t bytes);

struct mesh_options {
    unsigned cores;      /* 1 to MESH_CORES_MAX */
    uint32_t ring_slots; /* 0: 1024 up to 8 cores, 256 above; else a power of two */
    bool numa;           /* place each ring on its receiver's node (best effort) */
};

/* NULL if memory or eventfds run out; *err then says which (-ERR_NOMEM, -ERR_NOFILE). */
struct mesh *mesh_new(const struct mesh_options *o, int *err);
void mesh_free(struct mesh **m);

/* The end of the mesh that belongs to `core`. Asserts that it exists. */
struct mesh_port *mesh_port_at(struct mesh *m, unsigned core);

/* Sets who handles what: `handlers[kind]` for kinds below `nkinds` (borrowed for
 * the mesh's life), `ctx` for both. Before the core runs. */
void mesh_port_bind(struct mesh_port *p, mail_fn *const *handlers, unsigned nkinds,
                    relief_fn *relief, void *ctx);

/* Sends mail to core `to`, which may be the sender itself (it then arrives at
 * the next mesh_take). `account` 0 is nobody. If the mail has to wait in the
 * outbox, `bytes` are charged to `account` until relief_fn says otherwise.
 * Returns the bytes that were charged: 0 or `bytes`. */
uint32_t mesh_send(struct mesh_port *p, unsigned to, struct mail m, uint32_t account,
                   uint32_t bytes);

/* Takes a bounded number of mails from every ring that rang and hands them to
 * their handlers. The ring to start with rotates. Returns the mails handled. */
unsigned mesh_take(struct mesh_port *p);

/* Moves outboxes to rings as far as they fit, publishes what is staged, wakes
 * receivers that sleep. Returns the mails published. */
unsigned mesh_post(struct mesh_port *p);

/* Is something waiting to be taken or to be posted? A core that says yes must
 * not sleep (mail waits), or may sleep because it will be rung back (only its
 * outbox waits): `mesh_may_sleep` sets the sleeping flag, looks again and says
 * whether blocking on mesh_bell_fd is now safe. mesh_awake() ends it. */
bool mesh_may_sleep(struct mesh_port *p);
void mesh_awake(struct mesh_port *p);

/* The eventfd that becomes readable when a sleeping core is rung. mesh_awake drains it. */
int mesh_bell_fd(const struct mesh_port *p);

/* Rings the core that owns `p` from a thread that is not a core (a helper, a
 * signal): it wakes and makes a turn. */
void mesh_ring(struct mesh_port *p);

/* What this port has done; only ever rises. */
struct mesh_counts {
    uint64_t sent;   /* mails for other cores, those that had to wait included */
    uint64_t taken;  /* mails from other cores */
    uint64_t waited; /* mails that a full ring sent to the outbox */
    uint64_t bells;  /* sleeping cores woken */
};

struct mesh_counts mesh_counts(const struct mesh_port *p);

/* Bytes charged in this port's outboxes, all accounts together. */
size_t mesh_outbox_bytes(const struct mesh_port *p);
