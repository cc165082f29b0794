/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rewrite.c -- another number of cores, and a crash or a fault of the disk at every step of
 * the way: either all is as it was, or all is in the new logs. */
#include <errno.h>

#include "unit/journal/data_rig.h"

enum { LONG_S = 100000, CLIENTS = DATA_CLIENTS };

static const unsigned moves[][2] = {{1, 2}, {2, 1}, {2, 5}, {3, 2}};

/* As a start does it. */
static int change_cores(struct sim_disk *sim, unsigned cores)
{
    struct store_dir dir;
    uint32_t generation;
    int err = store_dir_open(&dir, &sim->io, "data", false);
    if (err < 0) return err;
    err = data_rewrite(sim, &dir, cores, &generation);
    if (err == 0) err = store_dir_switch(&dir, generation, cores);
    store_dir_close(&dir);
    return err;
}

static void everything_is_in_the_new_logs(void **state)
{
    unsigned cores;
    (void)state;
    for (unsigned m = 0; m < ARRAY_LEN(moves); m++) {
        struct sim_disk *sim = data_some(moves[m][0]);
        struct image_text *before = data_text(sim, &cores);
        assert_int_equal(change_cores(sim, moves[m][1]), 0);
        struct image_text *after = data_text(sim, &cores);
        assert_int_equal(cores, moves[m][1]);
        assert_true(before->n > 40);
        assert_true(image_text_same(before, after));
        free(before);
        free(after);
        sim_disk_free(&sim);
    }
}

/* Its delivery was complete: nothing of it may be taken for torn, though it is the last of its log.
 */
static void the_last_qos2_message_of_a_durable_publisher_stays(void **state)
{
    (void)state;
    for (unsigned m = 0; m < ARRAY_LEN(moves); m++) {
        struct data_rig *r = data_rig_open(sim_disk_new(), moves[m][0], 0);
        struct client *p = data_client(r, "publisher", LONG_S);
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            data_sub(r, c, "a", 2);
            data_leave(r, c);
            free(c);
        }
        assert_int_equal(session_receive(p->session, 1), 0);
        data_turn(r);
        const struct publication x = {.topic = BYTES("a"),
                                      .payload = BYTES("once"),
                                      .qos = 2,
                                      .durability = DURABILITY_COMMIT,
                                      .topic_hash = broker_topic_hash(r->k->broker[0], BYTES("a"))};
        uint32_t mailed = 0;
        assert_int_equal(broker_publish(p->session, &x, 1, 0, &mailed), 0);
        data_turn(r);
        data_advance(r, 2);
        assert_int_equal(p->accepted, 1);
        data_forget(p);
        for (unsigned again = 0; again < 2; again++) {
            r = data_rig_crash(r, moves[m][again ? 0 : 1], 1);
            assert_int_equal(r->found.messages, CLIENTS);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            assert_string_equal(client_heard(c), "once");
            data_leave(r, c);
            free(c);
        }
        data_rig_free(r);
    }
}

static void a_crash_at_any_step_leaves_all_old_or_all_new(void **state)
{
    (void)state;
    for (unsigned m = 0; m < ARRAY_LEN(moves); m++) {
        struct sim_disk *sim = data_some(moves[m][0]);
        unsigned cores, switched = 0;
        struct image_text *before = data_text(sim, &cores);
        unsigned first = sim->nsteps;
        assert_int_equal(change_cores(sim, moves[m][1]), 0);
        assert_true(sim->nsteps > first + 20);
        for (unsigned n = first; n <= sim->nsteps; n++) {
            for (uint64_t seed = 0; seed < 3; seed++) {
                struct sim_disk *crashed = sim_disk_crash(sim, n, seed);
                struct image_text *after = data_text(crashed, &cores);
                assert_true(cores == moves[m][0] || cores == moves[m][1]);
                switched += cores == moves[m][1];
                assert_true(image_text_same(before, after));
                free(after);
                sim_disk_free(&crashed);
            }
        }
        assert_true(switched > 0);
        free(before);
        sim_disk_free(&sim);
    }
}

/* And the next start does it all over again. */
static void a_start_after_such_a_crash_comes_up_with_everything(void **state)
{
    (void)state;
    for (unsigned m = 0; m < ARRAY_LEN(moves); m++) {
        struct sim_disk *sim = data_some(moves[m][0]);
        unsigned first = sim->nsteps;
        assert_int_equal(change_cores(sim, moves[m][1]), 0);
        for (unsigned n = first; n <= sim->nsteps; n += 7) {
            struct data_rig *r = data_rig_open(sim_disk_crash(sim, n, n), moves[m][1], 100);
            assert_int_equal(r->found.sessions, CLIENTS + 1);
            assert_int_equal(r->found.lost, 0);
            struct client *c = data_client(r, "c1", LONG_S);
            assert_true(c->present);
            assert_int_equal(c->released, 1);
            assert_int_equal(c->n, 3 + 12);
            data_leave(r, c);
            free(c);
            data_rig_free(r);
        }
        sim_disk_free(&sim);
    }
}

static void a_disk_that_fails_leaves_the_old_logs_in_force(void **state)
{
    static const enum sim_call calls[] = {SIM_WRITE, SIM_SYNC, SIM_OPEN, SIM_RENAME, SIM_READ};
    (void)state;
    for (unsigned k = 0; k < ARRAY_LEN(calls); k++) {
        unsigned cores, at = 1, failed = 1;
        for (; failed && at < 500; at += 1 + at / 8) {
            struct sim_disk *fresh = data_some(2);
            struct image_text *before = data_text(fresh, &cores);
            fresh->fail_call = calls[k];
            fresh->fail_at = at;
            fresh->fail_errno = EIO;
            fresh->failed = 0;
            int err = change_cores(fresh, 3);
            failed = fresh->failed;
            fresh->fail_at = 0;
            struct image_text *after = data_text(fresh, &cores);
            assert_true(cores == (err == 0 ? 3 : 2) || failed);
            assert_true(image_text_same(before, after));
            free(before);
            free(after);
            sim_disk_free(&fresh);
        }
        assert_true(at > 1);
    }
}

static void what_is_too_large_for_the_new_segments_is_said(void **state)
{
    static const struct clock clock = {.now_ns = 1};
    static char large[8192];
    struct data_rig *rig = data_rig_open(data_some(2), 2, 50);
    struct client *p = data_client(rig, "another", 0);
    struct rewrite_found found;
    struct store_dir dir;
    unsigned cores = 3, n;
    (void)state;
    memset(large, 'x', sizeof large - 1);
    data_publish(rig, p, "large", large, 1 | SAY_RETAINED);
    client_free(rig->k, p);
    struct sim_disk *sim = data_rig_stop(rig);
    struct image_text *before = data_text(sim, &n);
    assert_int_equal(store_dir_open(&dir, &sim->io, "data", false), 0);
    struct rewrite r = {.dir = &dir,
                        .generation = dir.generation + 1,
                        .cores = cores,
                        .seed = cluster_seed,
                        .segment_bytes = STORE_SEGMENT_MIN,
                        .clock = &clock,
                        .ctx = &cores,
                        .core_of = data_core_of};
    assert_int_equal(journal_rewrite(&r, &found), -ERR_TOO_LARGE);
    assert_non_null(strstr(r.why, "data.segment"));
    store_dir_close(&dir);
    struct image_text *after = data_text(sim, &n);
    assert_int_equal(n, 2);
    assert_true(image_text_same(before, after));
    free(before);
    free(after);
    sim_disk_free(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_in_the_new_logs),
        cmocka_unit_test(the_last_qos2_message_of_a_durable_publisher_stays),
        cmocka_unit_test(a_crash_at_any_step_leaves_all_old_or_all_new),
        cmocka_unit_test(a_start_after_such_a_crash_comes_up_with_everything),
        cmocka_unit_test(a_disk_that_fails_leaves_the_old_logs_in_force),
        cmocka_unit_test(what_is_too_large_for_the_new_segments_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
