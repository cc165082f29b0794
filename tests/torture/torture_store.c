/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_store.c -- a writer on real files that is killed again and again.
 *
 * The writer appends numbered messages and acknowledges old ones by a rule that the number
 * determines: so, whatever the highest number is that a restart finds, what must be live and what
 * must not is known. It tells the highest durable number through shared memory, which outlives it.
 * Segments are tiny: snapshots, recycling and compaction go on all the time. With io_uring and with
 * helper threads.
 *
 *     torture_store [SEED [CYCLES]] */
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/assert.h"
#include "store/bytes64.h"
#include "store/disk_uring.h"
#include "store/store.h"
#include "torture.h"

enum {
    MESSAGE = 1,
    ACK = 2,
    ENTRY = 3,
    SOON = 64,   /* a message is acknowledged so many numbers later */
    LATE = 1500, /* every STAYS-th only now */
    STAYS = 50,
    WINDOW = 4096, /* power of two, more than LATE */
    BODY_MAX = 900,
    SEGMENT = 65536,
    CYCLES = 8,
};

/* Outlives the writer. */
struct told {
    _Atomic uint64_t durable;
    _Atomic uint64_t appended, commits, moved, snapshots;
};

struct slot {
    uint64_t number; /* 0: free */
    struct store_ref ref;
};

struct life {
    struct told *told;
    struct mesh *mesh;
    struct helpers *helpers;
    struct disk *disk;
    struct store_dir dir;
    struct clock clock;
    struct store *store;
    struct slot live[WINDOW];
    uint64_t pos[WINDOW]; /* of the message, whether live or not */
    uint64_t highest, cursor;
    struct store_read read;
    uint8_t room[BODY_MAX + 64];
    unsigned good_reads, bad_reads;
};

/* ---- the rule --------------------------------------------------------------------------- */

static bool stays(uint64_t number)
{
    return number % STAYS == 0;
}

static uint64_t acked_at(uint64_t number)
{
    return number + (stays(number) ? LATE : SOON);
}

static size_t body_bytes(uint64_t number)
{
    return (size_t)(8 + number * 37 % (BODY_MAX - 8));
}

static uint8_t body_byte(uint64_t number, size_t i)
{
    return (uint8_t)(number + i * 3);
}

static struct slot *slot_of(struct life *l, uint64_t number)
{
    return &l->live[number % WINDOW];
}

/* ---- records ----------------------------------------------------------------------------- */

static int put(struct life *l, uint8_t type, uint8_t flags, struct bytes body,
               struct store_ref *ref)
{
    const struct store_put p = {
        .type = type, .version = 1, .flags = flags, .part = &body, .nparts = 1};
    return store_append(l->store, &p, ref);
}

static bool put_message(struct life *l, uint64_t number)
{
    uint8_t buf[BODY_MAX];
    struct writer w = wr_of(buf, sizeof buf);
    struct store_ref ref;

    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = body_byte(number, i);
    wr_u64be(&w, number);
    if (put(l, MESSAGE, STORE_KEEP, bytes_of(buf, body_bytes(number)), &ref) < 0) return false;
    *slot_of(l, number) = (struct slot){.number = number, .ref = ref};
    l->pos[number % WINDOW] = ref.pos;
    return true;
}

static bool put_ack(struct life *l, uint64_t number)
{
    uint8_t buf[8];
    struct writer w = wr_of(buf, sizeof buf);
    struct slot *s = slot_of(l, number);

    if (number == 0 || s->number != number) return true;
    wr_u64be(&w, number);
    if (put(l, ACK, STORE_RESERVE, bytes_of(buf, sizeof buf), NULL) < 0) return false;
    store_release(l->store, s->ref);
    s->number = 0;
    return true;
}

/* ---- the owner ----------------------------------------------------------------------------- */

static int on_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    struct life *l = ctx;
    (void)budget;
    if (first) l->cursor = 0;
    for (unsigned n = 0; n < 256 && l->cursor < WINDOW; n++, l->cursor++) {
        const struct slot *x = &l->live[l->cursor];
        uint8_t buf[20];
        struct writer w = wr_of(buf, sizeof buf);
        if (!x->number) continue;
        wr_u64be(&w, x->number);
        wr_u64be(&w, x->ref.pos);
        wr_u32be(&w, x->ref.bytes);
        const struct bytes body = bytes_of(buf, sizeof buf);
        const struct store_put p = {.type = ENTRY, .version = 1, .part = &body, .nparts = 1};
        if (store_snapshot_put(s, &p) < 0) return -1;
    }
    return l->cursor == WINDOW;
}

static uint64_t number_of(struct bytes body)
{
    struct reader r = rd_of(body);
    return rd_u64be(&r);
}

static bool is_live(void *ctx, const struct store_record *r)
{
    const struct slot *s = slot_of(ctx, number_of(r->body));
    return s->number && s->ref.pos == r->ref.pos;
}

static void on_moved(void *ctx, struct store_ref from, struct store_ref to)
{
    struct life *l = ctx;
    for (unsigned i = 0; i < WINDOW; i++)
        if (l->live[i].number && l->live[i].ref.pos == from.pos) l->live[i].ref = to;
}

static void on_failed(void *ctx, const char *why)
{
    (void)ctx;
    fprintf(stderr, "%s\n", why);
    torture_fail("the store failed", __FILE__, __LINE__);
}

static void set_live(struct life *l, uint64_t number, struct store_ref ref)
{
    *slot_of(l, number) = (struct slot){.number = number, .ref = ref};
    if (number > l->highest) l->highest = number;
}

static int on_record(void *ctx, const struct store_record *r)
{
    struct life *l = ctx;
    struct reader b = rd_of(r->body);
    uint64_t number = rd_u64be(&b);
    if (r->type == MESSAGE && !r->moved_from) set_live(l, number, r->ref);
    if (r->type == MESSAGE && r->moved_from && slot_of(l, number)->number == number)
        slot_of(l, number)->ref = r->ref;
    if (r->type == ACK && slot_of(l, number)->number == number) slot_of(l, number)->number = 0;
    if (r->type == ENTRY) {
        struct store_ref ref = {.pos = rd_u64be(&b)};
        ref.bytes = rd_u32be(&b);
        set_live(l, number, ref);
    }
    return 0;
}

static void on_found(void *ctx, const struct store_finding *f)
{
    (void)ctx;
    if (f->harmless) return;
    fprintf(stderr, "%s\n", f->text);
    torture_fail("nothing is damaged by a kill", __FILE__, __LINE__);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void on_read(struct store_read *r, int err, const struct store_record *rec)
{
    struct life *l = CONTAINER_OF(r, struct life, read);
    uint64_t number = err < 0 ? 0 : number_of(rec->body);
    bool good = number && rec->body.n == body_bytes(number);
    for (size_t i = 8; good && i < rec->body.n; i++)
        good = rec->body.p[i] == body_byte(number, i);
    good ? l->good_reads++ : l->bad_reads++;
    r->ref.bytes = 0;
}

static void start_read(struct life *l, uint64_t number)
{
    const struct slot *s = slot_of(l, number);
    if (l->read.ref.bytes || !s->number) return;
    l->read = (struct store_read){.ref = s->ref, .room = l->room, .done = on_read};
    store_read(l->store, &l->read);
}

static void read_all(struct life *l)
{
    for (uint64_t i = 0; i < WINDOW; i++) {
        start_read(l, i);
        while (l->read.ref.bytes)
            store_commit(l->store);
    }
    REQUIRE(l->bad_reads == 0);
}

/* ---- a life
 * --------------------------------------------------------------------------------------- */

static void judge(struct life *l)
{
    uint64_t highest = l->highest;
    REQUIRE(highest >= atomic_load(&l->told->durable));
    for (uint64_t n = highest > LATE + SOON ? highest - LATE - SOON : 1; n <= highest; n++) {
        bool live = slot_of(l, n)->number == n;
        if (acked_at(n) > highest) REQUIRE(live);
        if (acked_at(n) < highest) REQUIRE(!live);
    }
}

static void open_life(struct life *l, const char *path, bool uring)
{
    char why[DISK_URING_WHY];
    int err;

    l->mesh = mesh_new(&(struct mesh_options){.cores = 1}, &err);
    REQUIRE(l->mesh);
    l->helpers = helpers_new(2, 64, l->mesh, 1, &err);
    REQUIRE(l->helpers);
    const struct disk_uring_options o = {.io = store_io_linux(), .helpers = l->helpers};
    l->disk = uring ? disk_new_uring(&o, why) : disk_new_helpers(o.io, l->helpers, 0);
    REQUIRE(l->disk);
    REQUIRE(store_dir_open(&l->dir, o.io, path, false) == 0);
    const struct store_options so = {
        .io = o.io,
        .disk = l->disk,
        .dir = &l->dir,
        .generation = l->dir.generation ? l->dir.generation : 1,
        .clock = &l->clock,
        .segment_bytes = SEGMENT,
        .owner = {.ctx = l,
                  .snapshot = on_snapshot,
                  .is_live = is_live,
                  .moved = on_moved,
                  .failed = on_failed},
    };
    l->store = store_new(&so);
    REQUIRE(l->store);
    const struct store_replay replay = {.ctx = l, .record = on_record, .found = on_found};
    err = store_recover(l->store, &replay);
    if (err < 0) fprintf(stderr, "%s\n", store_why(l->store));
    REQUIRE(err == 0);
    if (l->dir.generation == 0) REQUIRE(store_dir_switch(&l->dir, 1, 1) == 0);
    for (unsigned i = 0; i < WINDOW; i++)
        if (l->live[i].number) REQUIRE(store_claim(l->store, l->live[i].ref) == 0);
    store_start(l->store);
}

static void tell(struct life *l, uint64_t *durable)
{
    while (*durable < l->highest && l->pos[(*durable + 1) % WINDOW] < store_durable(l->store))
        ++*durable;
    atomic_store(&l->told->durable, *durable);
}

/* Till it is killed. */
_Noreturn static void write_for_ever(struct told *told, const char *path, bool uring, uint64_t seed)
{
    struct life *l = calloc(1, sizeof *l);
    struct rng rng;

    REQUIRE(l);
    rng_seed(&rng, seed);
    l->told = told;
    open_life(l, path, uring);
    judge(l);
    read_all(l);
    /* What the kill cut off between a message and its acknowledgements is made up for. */
    for (uint64_t n = 1; n <= SOON || n <= LATE; n++)
        if (l->highest >= n && acked_at(l->highest - n + 1) <= l->highest)
            REQUIRE(put_ack(l, l->highest - n + 1));
    uint64_t durable = l->highest;
    for (;;) {
        clock_tick(&l->clock);
        for (uint64_t n = rng_below(&rng, 40); n > 0 && l->highest - durable < WINDOW / 2; n--) {
            if (!put_message(l, l->highest + 1)) break;
            uint64_t now = ++l->highest;
            while (now > SOON && !stays(now - SOON) && !put_ack(l, now - SOON))
                store_flush(l->store);
            while (now > LATE && stays(now - LATE) && !put_ack(l, now - LATE))
                store_flush(l->store);
        }
        if (l->highest) start_read(l, l->highest - rng_below(&rng, SOON) % l->highest);
        store_commit(l->store);
        REQUIRE(l->bad_reads == 0);
        tell(l, &durable);
        struct store_stats t = store_stats(l->store);
        atomic_store(&told->appended, l->highest);
        atomic_store(&told->commits, t.commits);
        atomic_store(&told->moved, t.moved);
        atomic_store(&told->snapshots, t.snapshots);
    }
}

static void sleep_ms(uint64_t ms)
{
    const struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                               .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

/* One writer from start to kill. */
static void cycle(struct told *told, const char *path, bool uring, struct rng *rng)
{
    uint64_t before = atomic_load(&told->durable), seed = rng_u64(rng);
    int status;
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        torture_watchdog();
        write_for_ever(told, path, uring, seed);
    }
    while (atomic_load(&told->durable) == before && waitpid(pid, &status, WNOHANG) == 0)
        sleep_ms(1);
    sleep_ms(rng_below(rng, 120));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void remove_tree(const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "rm -r '%s'", path);
    REQUIRE(system(command) == 0);
}

static void torture(const char *engine, bool uring, unsigned cycles, uint64_t seed)
{
    char path[] = "/tmp/torture_store.XXXXXX";
    struct rng rng;
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(told != MAP_FAILED && mkdtemp(path));
    rng_seed(&rng, seed);
    for (unsigned i = 0; i < cycles; i++)
        cycle(told, path, uring, &rng);
    printf("%s: %u kills, %llu durable, none lost; last life: %llu commits, %llu snapshots, "
           "%llu moved\n",
           engine, cycles, (unsigned long long)atomic_load(&told->durable),
           (unsigned long long)atomic_load(&told->commits),
           (unsigned long long)atomic_load(&told->snapshots),
           (unsigned long long)atomic_load(&told->moved));
    remove_tree(path);
    munmap(told, sizeof *told);
}

/* Asked in a child, so that no ring and no thread is inherited by the writers. */
static bool has_uring(void)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char why[DISK_URING_WHY];
        int err;
        struct mesh *mesh = mesh_new(&(struct mesh_options){.cores = 1}, &err);
        struct helpers *h = helpers_new(1, 4, mesh, 1, &err);
        const struct disk_uring_options o = {.io = store_io_linux(), .helpers = h};
        struct disk *d = disk_new_uring(&o, why);
        if (!d) printf("%s\n", why);
        fflush(NULL);
        _exit(d ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    uint64_t seed = torture_seed(argc, argv);
    unsigned cycles = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : CYCLES;
    if (argc <= 2) torture_watchdog();
    torture("helper threads", false, cycles, seed);
    if (has_uring()) torture("io_uring", true, cycles, seed + 1);
    return 0;
}
