/* SPDX-License-Identifier: BSD-3-Clause */
/* test_no_memory.c -- restarts whose n-th allocation fails: the start says so, frees what it has,
 * and the next one finds everything.
 *
 * The linker puts the functions below before the allocator's, in this program alone. The simulated
 * disk, which is no part of what is tested, asks twice. */
#include "unit/journal/data_rig.h"

enum { ROUNDS_MAX = 3000 };

/* ---- the allocator ------------------------------------------------------------------------ */

static struct {
    unsigned countdown; /* the n-th from now fails; 0: none */
    bool failed;
} memory;

static bool fails(void)
{
    if (memory.countdown == 0 || --memory.countdown > 0) return false;
    memory.failed = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static void fail_at(unsigned n)
{
    memory.countdown = n;
    memory.failed = false;
}

static bool did_fail(void)
{
    memory.countdown = 0;
    return memory.failed;
}

/* ---- recovery ---------------------------------------------------------------------------------
 */

/* One core on a copy of `sim`; allocation `n` of its recovery fails. What recovery said. */
static int recover_without(const struct sim_disk *sim, unsigned n, bool *failed)
{
    struct sim_disk *copy = sim_disk_crash(sim, sim->nsteps, 0);
    struct cluster *k = cluster_new(1, NULL);
    struct core *c = &k->core[0];
    struct disk *disk = disk_new_inline(&copy->io);
    struct journal *j = journal_new(k->broker[0], &(struct journal_options){.ctx = NULL});
    struct journal_found found;
    struct store_dir dir;
    c->clock.wall_ms = DATA_WALL_MS + 50000;
    assert_int_equal(store_dir_open(&dir, &copy->io, "data", false), 0);
    const struct store_options o = {.io = &copy->io,
                                    .disk = disk,
                                    .dir = &dir,
                                    .generation = dir.generation,
                                    .clock = &c->clock,
                                    .owner = journal_owner(j),
                                    .segment_bytes = DATA_SEGMENT};
    struct store *s = store_new(&o);
    assert_non_null(s);
    fail_at(n);
    int err = journal_recover(j, s, NULL, &found);
    *failed = did_fail();
    if (err < 0)
        store_close(&s);
    else
        assert_int_equal(found.sessions, DATA_CLIENTS + 1);
    cluster_settle(k);
    assert_int_equal(journal_close(j), 0);
    cluster_free(k);
    assert_int_equal(j->kept.used, 0);
    journal_free(&j);
    disk_free(&disk);
    store_dir_close(&dir);
    sim_disk_free(&copy);
    return err;
}

static void recovery_without_memory_says_so_and_leaves_nothing(void **state)
{
    struct sim_disk *sim = data_some(1);
    bool failed = true;
    unsigned n = 1, refused = 0;
    (void)state;
    for (; failed && n < ROUNDS_MAX; n++) {
        int err = recover_without(sim, n, &failed);
        refused += err == -ERR_NOMEM;
        if (!failed) assert_int_equal(err, 0);
    }
    assert_true(n > 100 && n < ROUNDS_MAX);
    assert_true(refused > 100);
    sim_disk_free(&sim);
}

/* ---- another number of cores --------------------------------------------------------------------
 */

static void rewriting_without_memory_changes_nothing(void **state)
{
    struct sim_disk *sim = data_some(2);
    struct image_text *before;
    bool failed = true;
    unsigned cores, n = 1;
    (void)state;
    before = data_text(sim, &cores);
    for (; failed && n < ROUNDS_MAX; n++) {
        struct sim_disk *copy = sim_disk_crash(sim, sim->nsteps, 0);
        struct store_dir dir;
        uint32_t generation;
        assert_int_equal(store_dir_open(&dir, &copy->io, "data", false), 0);
        fail_at(n);
        int err = data_rewrite(copy, &dir, 3, &generation);
        failed = did_fail();
        if (err == 0) err = store_dir_switch(&dir, generation, 3);
        store_dir_close(&dir);
        struct image_text *after = data_text(copy, &cores);
        assert_int_equal(cores, err == 0 ? 3 : 2);
        assert_true(image_text_same(before, after));
        free(after);
        sim_disk_free(&copy);
    }
    assert_true(n > 100 && n < ROUNDS_MAX);
    free(before);
    sim_disk_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recovery_without_memory_says_so_and_leaves_nothing),
        cmocka_unit_test(rewriting_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
