/* SPDX-License-Identifier: BSD-3-Clause */
/* test_disk_uring.c -- the kernel's own errors below the ring, and forged ones, what its workers
 * may do, and a kernel that refuses. Where io_uring is refused anyway, the tests that need it are
 * skipped; those of the helper threads are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/disk_uring.h"
#include "store/store.h"

enum { SEGMENT = 65536, RECORD_BODY = 3000 };

/* A store on real files, whose active segment's descriptor is known. */
struct real {
    char path[40];
    struct store_io io;
    int segment; /* the file that was made last */
    struct mesh *mesh;
    struct helpers *helpers;
    struct disk *disk;
    struct store_dir dir;
    struct clock clock;
    struct store *store;
    char failed[STORE_WHY];
};

static int open_and_note(void *ctx, int dir, const char *name, enum io_how how)
{
    struct real *r = ctx;
    int fd = store_io_linux()->open(NULL, dir, name, how);
    if (how == IO_CREATE && strcmp(name, "prepare.tmp") == 0 && r->segment < 0) r->segment = fd;
    return fd;
}

static void on_failed(void *ctx, const char *why)
{
    struct real *r = ctx;
    snprintf(r->failed, sizeof r->failed, "%s", why);
}

static struct disk *new_disk(struct real *r, bool uring)
{
    char why[DISK_URING_WHY];
    const struct disk_uring_options o = {.io = &r->io, .helpers = r->helpers};
    return uring ? disk_new_uring(&o, why) : disk_new_helpers(&r->io, r->helpers, 0);
}

static void real_fini(struct real *r)
{
    char command[64];
    store_close(&r->store);
    disk_free(&r->disk);
    helpers_free(&r->helpers);
    mesh_free(&r->mesh);
    store_dir_close(&r->dir);
    snprintf(command, sizeof command, "rm -r '%s'", r->path);
    assert_int_equal(system(command), 0);
}

/* False if there is no such engine here. */
static bool real_init(struct real *r, bool uring)
{
    int err;
    *r = (struct real){.path = "/tmp/pinion_disk.XXXXXX", .io = *store_io_linux(), .segment = -1};
    r->io.ctx = r;
    r->io.open = open_and_note;
    assert_non_null(mkdtemp(r->path));
    r->mesh = mesh_new(&(struct mesh_options){.cores = 1}, &err);
    r->helpers = helpers_new(1, 64, r->mesh, 1, &err);
    assert_non_null(r->helpers);
    assert_int_equal(store_dir_open(&r->dir, &r->io, r->path, false), 0);
    r->disk = new_disk(r, uring);
    if (!r->disk) {
        real_fini(r);
        return false;
    }
    r->store = store_new(&(struct store_options){.io = &r->io,
                                                 .disk = r->disk,
                                                 .dir = &r->dir,
                                                 .generation = 1,
                                                 .clock = &r->clock,
                                                 .segment_bytes = SEGMENT,
                                                 .owner = {.ctx = r, .failed = on_failed}});
    assert_non_null(r->store);
    assert_int_equal(store_recover(r->store, &(struct store_replay){.ctx = NULL}), 0);
    assert_int_equal(store_dir_switch(&r->dir, 1, 1), 0);
    return true;
}

static void put(struct real *r, struct store_ref *ref)
{
    static const uint8_t zeros[RECORD_BODY];
    const struct bytes body = bytes_of(zeros, sizeof zeros);
    assert_int_equal(
        store_append(r->store,
                     &(struct store_put){.type = 1, .version = 1, .part = &body, .nparts = 1}, ref),
        0);
}

struct waiter {
    struct store_wait w;
    int calls, err;
};

static void on_done(struct store_wait *w, int err)
{
    struct waiter *x = CONTAINER_OF(w, struct waiter, w);
    x->calls++;
    x->err = err;
}

/* ---- what the kernel answers ------------------------------------------------------------- */

/* What the segment's descriptor becomes, or how long files may get behind the last record. */
static const struct refusal {
    const char *instead;
    int flags;
    long room; /* in bytes; -1: any; with no file instead: completions are forged */
    const char *says;
} refusals[] = {
    {"/dev/full", O_WRONLY, -1, "write of 00000001.log failed: No space left on device"},
    {"/dev/null", O_WRONLY, -1, "sync of 00000001.log failed: Invalid argument"},
    {"/dev/zero", O_RDONLY, -1, "write of 00000001.log failed: Bad file descriptor"},
    {NULL, 0, 0, "write of 00000001.log failed: File too large"},
    {NULL, 0, 100, "short write of 00000001.log failed"},
    {NULL, 0, RECORD_BODY, "short write of 00000001.log failed"},
};

/* Stands before the library's, by the linker, in this program alone. A commit is one write and one
 * sync: waits for both, and changes what they say. */
static struct {
    bool on;
    int write, sync; /* results to give; AS_IT_WAS: what the kernel gave */
    bool swapped;    /* the sync's comes first */
    int read;        /* bytes that the next reads give; 0: as it was */
} forger;

enum { AS_IT_WAS = 1 << 30 };

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

int __wrap_io_uring_submit(struct io_uring *ring)
{
    struct io_uring_cqe *cqe[2];
    int n = __real_io_uring_submit(ring);
    if (forger.read && n == 1) {
        assert_int_equal(io_uring_wait_cqe_nr(ring, cqe, 1), 0);
        cqe[0]->res = forger.read;
    }
    if (!forger.on || n != 2) return n;
    assert_int_equal(io_uring_wait_cqe_nr(ring, cqe, 2), 0);
    assert_int_equal(io_uring_peek_batch_cqe(ring, cqe, 2), 2);
    if (forger.write != AS_IT_WAS) cqe[0]->res = forger.write;
    if (forger.sync != AS_IT_WAS) cqe[1]->res = forger.sync;
    if (forger.swapped) {
        struct io_uring_cqe first = {.user_data = cqe[0]->user_data, .res = cqe[0]->res};
        cqe[0]->user_data = cqe[1]->user_data;
        cqe[0]->res = cqe[1]->res;
        cqe[1]->user_data = first.user_data;
        cqe[1]->res = first.res;
    }
    return n;
}

static void refuse_from_now_on(const struct real *r, const struct refusal *how)
{
    if (!how->instead && how->room < 0) {
        forger.on = true;
    } else if (how->instead) {
        int fd = open(how->instead, how->flags | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(dup2(fd, r->segment), r->segment);
        close(fd);
    } else {
        struct rlimit l;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
        l.rlim_cur = (rlim_t)((long)(uint32_t)store_tail(r->store) + how->room);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
    }
}

static void heal(void)
{
    struct rlimit l;
    forger.on = false;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void fails_for_good(struct real *r, const struct refusal *how)
{
    struct waiter w = {.w.done = on_done}, late = {.w.done = on_done};
    struct store_ref ref;

    put(r, &ref);
    assert_int_equal(store_flush(r->store), 0);
    uint64_t durable = store_durable(r->store);
    refuse_from_now_on(r, how);
    put(r, &ref);
    store_wait(r->store, &w.w);
    assert_int_equal(store_flush(r->store), -ERR_STORAGE);
    heal();
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.err, -ERR_STORAGE);
    assert_int_equal(store_state(r->store), STORE_FAILED);
    assert_true(store_durable(r->store) == durable && ref.pos >= durable);
    if (!strstr(r->failed, how->says)) fail_msg("\"%s\", not \"%s\"", r->failed, how->says);
    store_wait(r->store, &late.w);
    assert_int_equal(late.err, -ERR_STORAGE);
    assert_int_equal(store_flush(r->store), -ERR_STORAGE);
    assert_true(store_durable(r->store) == durable);
}

static void whatever_the_kernel_refuses(bool uring)
{
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct real r;
        if (!real_init(&r, uring)) skip();
        fails_for_good(&r, &refusals[i]);
        real_fini(&r);
    }
}

static void what_the_kernel_refuses_a_helper_ends_the_store(void **state)
{
    (void)state;
    whatever_the_kernel_refuses(false);
}

static void what_the_kernel_refuses_the_ring_ends_the_store(void **state)
{
    (void)state;
    whatever_the_kernel_refuses(true);
}

/* ---- what no kernel here answers: completions that are forged ------------------------------- */

static void what_the_ring_answers_ends_the_store_unless_both_are_whole(void **state)
{
    static const struct {
        int write, sync;
        const char *says;
    } rows[] = {
        {AS_IT_WAS, -ECANCELED, "sync of 00000001.log failed: Operation canceled"},
        {AS_IT_WAS, -EIO, "sync of 00000001.log failed: Input/output error"},
        {8, AS_IT_WAS, "short write of 00000001.log failed"},
        {0, AS_IT_WAS, "short write of 00000001.log failed"},
        {8, -ECANCELED, "short write of 00000001.log failed"},
        {-EIO, AS_IT_WAS, "write of 00000001.log failed: Input/output error"},
        {-EINTR, -ECANCELED, "write of 00000001.log failed: Interrupted system call"},
        {-EAGAIN, -ECANCELED, "write of 00000001.log failed: Resource temporarily unavailable"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        struct real r;
        if (!real_init(&r, true)) skip();
        forger.write = rows[i / 2].write;
        forger.sync = rows[i / 2].sync;
        forger.swapped = i % 2;
        fails_for_good(&r, &(struct refusal){.room = -1, .says = rows[i / 2].says});
        real_fini(&r);
    }
}

/* ---- a read that gives less than the whole ------------------------------------------------- */

enum { BUSY_MAX = 80 };

struct busy {
    struct helper_job job;
    pthread_mutex_t *gate;
};

static void wait_at_gate(struct helper_job *j)
{
    struct busy *b = CONTAINER_OF(j, struct busy, job);
    pthread_mutex_lock(b->gate);
    pthread_mutex_unlock(b->gate);
}

static void forget_job(struct helper_job *j)
{
    (void)j;
}

static void keep_helpers_busy(struct real *r, struct busy busy[BUSY_MAX], pthread_mutex_t *gate)
{
    unsigned n = 0;
    int err;
    do {
        busy[n] = (struct busy){.job = {.work = wait_at_gate, .done = forget_job}, .gate = gate};
        err = helper_submit(r->helpers, 0, &busy[n].job);
    } while (err == 0 && ++n < BUSY_MAX);
    assert_int_equal(err, -ERR_FULL);
}

struct reading {
    struct store_read r;
    uint8_t room[RECORD_BODY + 64];
    int calls, err;
};

static void on_read(struct store_read *r, int err, const struct store_record *record)
{
    struct reading *x = CONTAINER_OF(r, struct reading, r);
    (void)record;
    x->calls++;
    x->err = err;
}

static void a_short_read_waits_for_a_helper_and_is_no_damage(void **state)
{
    static struct busy busy[BUSY_MAX];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct reading x = {.r = {.room = x.room, .done = on_read}};
    struct waiter w = {.w.done = on_done};
    struct store_ref ref;
    struct real r;

    (void)state;
    if (!real_init(&r, true)) skip();
    put(&r, &x.r.ref);
    assert_int_equal(store_flush(r.store), 0);
    pthread_mutex_lock(&gate);
    keep_helpers_busy(&r, busy, &gate);
    store_read(r.store, &x.r);
    forger.read = 8;
    store_commit(r.store);
    forger.read = 0;
    store_commit(r.store);
    assert_int_equal(x.calls, 0);
    put(&r, &ref); /* commits don't wait for helpers */
    store_wait(r.store, &w.w);
    while (w.calls == 0)
        store_commit(r.store);
    assert_int_equal(x.calls, 0);
    pthread_mutex_unlock(&gate);
    while (x.calls == 0)
        store_commit(r.store);
    assert_int_equal(x.err, 0);
    real_fini(&r);
}

/* ---- the kernel's workers ----------------------------------------------------------------- */

enum { WORKERS_WANTED = 2, COMMITS = 48 };

struct core_thread {
    struct disk *disk;
    int fd[COMMITS];
    unsigned done, workers, astray; /* astray: may run on the core's CPU */
    unsigned cpu;
};

static void count_done(struct disk_op *op)
{
    (void)op;
}

/* "iou-wrk-TID": the kernel's threads that work for the thread TID. */
static void look_at_task(struct core_thread *t, const char *tid)
{
    char path[64], line[256], mine[32];
    bool is_worker = false;

    snprintf(mine, sizeof mine, "iou-wrk-%ld", syscall(SYS_gettid));
    snprintf(path, sizeof path, "/proc/self/task/%.16s/status", tid);
    FILE *f = fopen(path, "r");
    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        struct cpu_set allowed;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "Name:\t", 6) == 0) is_worker = strcmp(line + 6, mine) == 0;
        if (!is_worker || strncmp(line, "Cpus_allowed_list:\t", 19) != 0) continue;
        t->workers++;
        assert_int_equal(cpu_list_parse(&allowed, line + 19), 0);
        t->astray += cpu_set_has(&allowed, t->cpu);
    }
    fclose(f);
}

static void look_at_workers(struct core_thread *t)
{
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') look_at_task(t, e->d_name);
    closedir(d);
}

static void *run_core(void *arg)
{
    static uint8_t zeros[4096];
    static struct disk_op op[COMMITS];
    struct core_thread *t = arg;

    for (unsigned i = 0; i < COMMITS; i++) {
        op[i] =
            (struct disk_op){.kind = DISK_COMMIT, .fd = t->fd[i], .buf = zeros, .n = sizeof zeros};
        op[i].done = count_done;
        disk_submit(t->disk, &op[i]);
    }
    disk_drain(t->disk);
    for (unsigned i = 0; i < COMMITS; i++)
        t->done += op[i].result == (int64_t)sizeof zeros;
    look_at_workers(t); /* they stay for seconds */
    return NULL;
}

/* The first CPU is the core's, the second is for the rest; false if there is no second. */
static bool choose_cpus(unsigned *core, struct cpu_set *rest)
{
    cpu_set_t mine;
    char text[16];
    unsigned n = 0;
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
        if (!CPU_ISSET(cpu, &mine)) continue;
        if (n++ == 0) *core = cpu;
        snprintf(text, sizeof text, "%u", cpu);
    }
    assert_int_equal(cpu_list_parse(rest, text), 0);
    return n == 2;
}

/* The ring is made by the thread that starts the cores, and used by another. */
static void workers_are_few_and_keep_off_the_cores_cpu(void **state)
{
    char why[DISK_URING_WHY], name[] = "/tmp/pinion_workers.XXXXXX";
    struct core_thread t = {.cpu = 0};
    struct cpu_set rest;
    pthread_t thread;
    int err;

    (void)state;
    if (!choose_cpus(&t.cpu, &rest)) skip();
    struct mesh *mesh = mesh_new(&(struct mesh_options){.cores = 1}, &err);
    struct helpers *helpers = helpers_new(1, 64, mesh, 1, &err);
    t.disk = disk_new_uring(
        &(struct disk_uring_options){
            .io = store_io_linux(), .helpers = helpers, .workers = WORKERS_WANTED, .cpus = &rest},
        why);
    for (unsigned i = 0; i < COMMITS && t.disk; i++) {
        snprintf(name, sizeof name, "/tmp/pinion_workers.XXXXXX");
        t.fd[i] = mkstemp(name);
        assert_true(t.fd[i] >= 0);
        unlink(name);
    }
    if (t.disk) {
        assert_int_equal(pthread_create(&thread, NULL, run_core, &t), 0);
        pthread_join(thread, NULL);
    }
    bool made = t.disk;
    for (unsigned i = 0; i < COMMITS && made; i++)
        close(t.fd[i]);
    disk_free(&t.disk);
    helpers_free(&helpers);
    mesh_free(&mesh);
    if (!made) skip();
    assert_int_equal(t.done, COMMITS);
    assert_in_range(t.workers, 1, WORKERS_WANTED);
    assert_int_equal(t.astray, 0);
}

/* ---- a kernel that refuses ------------------------------------------------------------------ */

static void refuse_uring(int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = ARRAY_LEN(code), .filter = code};
    ASSERT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    ASSERT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

/* In a child: a filter stays for ever. 0: as it should be. */
static int live_with_refusal(int error)
{
    char why[DISK_URING_WHY], expected[DISK_URING_WHY];
    struct store_ref ref;
    struct real r;

    refuse_uring(error);
    snprintf(expected, sizeof expected, "io_uring is refused here: %s", strerror(error));
    if (!real_init(&r, false)) return 1;
    const struct disk_uring_options o = {.io = &r.io, .helpers = r.helpers};
    if (disk_new_uring(&o, why) || strcmp(why, expected) != 0) return 2;
    put(&r, &ref);
    if (store_flush(r.store) != 0 || store_durable(r.store) <= ref.pos) return 3;
    if (strcmp(store_engine(r.store), "helper threads") != 0) return 4;
    real_fini(&r);
    return 0;
}

static void where_the_ring_is_refused_the_reason_is_told_and_helpers_do_it(void **state)
{
    static const int errors[] = {EPERM, ENOSYS, EACCES};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) _exit(live_with_refusal(errors[i]));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_ring_is_refused_the_reason_is_told_and_helpers_do_it),
        cmocka_unit_test(what_the_kernel_refuses_a_helper_ends_the_store),
        cmocka_unit_test(what_the_kernel_refuses_the_ring_ends_the_store),
        cmocka_unit_test(what_the_ring_answers_ends_the_store_unless_both_are_whole),
        cmocka_unit_test(a_short_read_waits_for_a_helper_and_is_no_damage),
        cmocka_unit_test(workers_are_few_and_keep_off_the_cores_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
