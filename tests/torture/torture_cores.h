/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_cores.h -- whole cores with a net each, on threads of their own, and how they end.
 *
 * The end is the same for all tests: the threads stop wherever they are, then one thread
 * turns all cores, closing what is open and what still arrives, until nothing happens
 * any more. After that nothing may be left: no connection, no byte of a pool, no file
 * descriptor.
 *
 * Owner: the test, which makes what each core has above its net. */
#pragma once

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "net/net.h"
#include "torture.h"

enum { STAGE_CORES_MAX = 4, STAGE_ROUNDS_MAX = 1000000 };

struct stage {
    unsigned cores;
    unsigned fds; /* that were open before there was a stage */
    struct mesh *mesh;
    struct pool *pools[STAGE_CORES_MAX];
    struct core core[STAGE_CORES_MAX];
    struct net *net[STAGE_CORES_MAX];
    struct listener listener;
    pthread_t thread[STAGE_CORES_MAX];
};

static inline unsigned torture_open_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    REQUIRE(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Cores without anything above them yet; `s` is zeroed memory. */
static inline void stage_init(struct stage *s, unsigned cores, uint32_t ring_slots, uint64_t seed)
{
    int err = 0;

    s->cores = cores;
    s->fds = torture_open_fds();
    s->mesh = mesh_new(&(struct mesh_options){.cores = cores, .ring_slots = ring_slots}, &err);
    REQUIRE(s->mesh);
    REQUIRE(sock_addr_parse(&s->listener.addr, "127.0.0.1:0") == 0);
    for (unsigned i = 0; i < cores; i++) {
        struct core_options o = {.id = i,
                                 .cores = cores,
                                 .idle = IDLE_SLEEP,
                                 .mesh = s->mesh,
                                 .pools = s->pools,
                                 .seed = seed,
                                 .log = {.fd = -1}};
        REQUIRE(core_init(&s->core[i], &o) == 0);
    }
}

static inline unsigned stage_flush(void *net)
{
    return net_flush(net);
}

static inline void *stage_core_main(void *core)
{
    core_run(core);
    return NULL;
}

static inline void stage_start(struct stage *s)
{
    for (unsigned i = 0; i < s->cores; i++)
        REQUIRE(net_listen(s->net[i], &s->listener) == 0);
    for (unsigned i = 0; i < s->cores; i++)
        s->thread[i] = torture_start(stage_core_main, &s->core[i]);
}

static inline void stage_stop(struct stage *s)
{
    for (unsigned i = 0; i < s->cores; i++) {
        atomic_store_explicit(&s->core[i].stop, true, memory_order_release);
        mesh_ring(mesh_port_at(s->mesh, i));
    }
    for (unsigned i = 0; i < s->cores; i++)
        torture_join(s->thread[i]);
}

static inline void stage_close(struct conn *c, void *arg)
{
    (void)arg;
    conn_close(c, 0);
}

/* Closes all connections, those that still travel when they arrive, and takes all mail. */
static inline void stage_settle(struct stage *s)
{
    unsigned rounds = 0;

    for (unsigned i = 0; i < s->cores; i++) {
        s->core[i].idle = IDLE_BUSY;
        net_stop_listening(s->net[i]);
    }
    for (unsigned quiet = 0; quiet < 3; rounds++) {
        unsigned work = 0;
        for (unsigned i = 0; i < s->cores; i++) {
            net_each(s->net[i], stage_close, NULL);
            work += core_turn(&s->core[i]);
        }
        quiet = work ? 0 : quiet + 1;
        REQUIRE(rounds < STAGE_ROUNDS_MAX);
    }
    for (unsigned i = 0; i < s->cores; i++)
        REQUIRE(net_connections(s->net[i]) == 0);
}

static inline uint64_t stage_count(const struct stage *s, enum counter which)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->cores; i++)
        n += counter_read(&s->core[i].counters, which);
    return n;
}

/* What stood above the cores has been freed, and the clients are gone. */
static inline void stage_fini(struct stage *s)
{
    REQUIRE(stage_count(s, C_connections) == 0);
    for (unsigned i = 0; i < s->cores; i++) {
        REQUIRE(mesh_outbox_bytes(s->core[i].mesh) == 0);
        REQUIRE(pool_bytes_used(s->core[i].pool) == 0);
    }
    for (unsigned i = 0; i < s->cores; i++)
        core_fini(&s->core[i]);
    mesh_free(&s->mesh);
    REQUIRE(torture_open_fds() == s->fds);
}

/* ---- clients --------------------------------------------------------------------------- */

/* A connection to the stage; -1 if nobody listens there any more. Its sends and receives are
 * to be given MSG_DONTWAIT. */
static inline int torture_connect(const struct sock_addr *a)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&a->ss, a->len) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Ends a connection at once: the peer sees a reset, and what was under way is lost. */
static inline void torture_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(fd);
}
