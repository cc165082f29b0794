/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "base/err.h"
#include "mesh_rig.h"

/* ---- sending and taking -------------------------------------------------------------- */

static void mail_arrives_after_post_and_not_before(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 64);
    note(&g, 0, 1, 7);
    assert_int_equal(take(&g, 1), 0);
    assert_int_equal(post(&g, 0), 1);
    assert_int_equal(take(&g, 1), 1);
    assert_heard(&g, 1, 0, 7, 1);
    assert_int_equal(take(&g, 1), 0);
    assert_int_equal(post(&g, 0), 0);
    rig_free(&g);
}

static void a_full_batch_goes_out_without_waiting_for_post(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 64);
    for (uint32_t i = 0; i < MESH_BATCH + 1; i++)
        note(&g, 0, 1, i);
    assert_int_equal(take(&g, 1), MESH_BATCH);
    assert_heard(&g, 1, 0, 0, MESH_BATCH);
    assert_int_equal(post(&g, 0), 1);
    assert_int_equal(take(&g, 1), 1);
    assert_heard(&g, 1, 0, MESH_BATCH, 1);
    rig_free(&g);
}

static void a_lone_core_talks_to_itself(void **state)
{
    (void)state;
    struct rig g = rig_make(1, 0);
    for (uint32_t i = 0; i < 3; i++)
        note(&g, 0, 0, i);
    assert_int_equal(g.ear[0].notes, 0);
    assert_false(may_sleep(&g, 0));
    assert_int_equal(take(&g, 0), 3);
    assert_heard(&g, 0, 0, 0, 3);
    assert_int_equal(post(&g, 0), 0);
    assert_true(may_sleep(&g, 0));
    awake(&g, 0);
    assert_int_equal(mesh_counts(g.ear[0].port).sent, 0);
    rig_free(&g);
}

/* A handler that keeps writing to itself does not own the core. */
static void mail_to_oneself_from_a_handler_waits_for_the_next_take(void **state)
{
    (void)state;
    struct rig g = rig_make(1, 2);
    mesh_send(g.ear[0].port, 0, (struct mail){.kind = KIND_ECHO, .a = 2, .b = 5}, 1, 100);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(take(&g, 0), 1);
        assert_int_equal(g.ear[0].notes, 0);
        assert_false(may_sleep(&g, 0));
    }
    assert_int_equal(take(&g, 0), 1);
    assert_heard(&g, 0, 0, 5, 1);
    assert_int_equal(mesh_outbox_bytes(g.ear[0].port), 0);
    rig_free(&g);
}

static void every_core_reaches_every_core(void **state)
{
    (void)state;
    static const unsigned CORES[] = {1, 2, 3, 16, 65, 130};
    for (unsigned c = 0; c < ARRAY_LEN(CORES); c++) {
        unsigned n = CORES[c];
        struct rig g = rig_make(n, 2);
        for (unsigned from = 0; from < n; from++) {
            for (unsigned to = 0; to < n; to++)
                note(&g, from, to, from * 1000 + to);
            post(&g, from);
        }
        for (unsigned to = 0; to < n; to++) {
            assert_int_equal(take(&g, to), n);
            unsigned long seen = 0;
            for (unsigned i = 0; i < n; i++) {
                struct note *heard = &g.ear[to].note[i];
                assert_int_equal(heard->b, heard->from * 1000 + to);
                seen += heard->from;
            }
            assert_int_equal(seen, (unsigned long)n * (n - 1) / 2);
        }
        rig_free(&g);
    }
}

static void handlers_may_answer(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    for (uint32_t i = 0; i < 2; i++)
        mesh_send(g.ear[0].port, 1, (struct mail){.kind = KIND_ECHO, .b = i}, 0, 0);
    post(&g, 0);
    assert_int_equal(take(&g, 1), 2);
    assert_int_equal(post(&g, 1), 2);
    assert_int_equal(take(&g, 0), 2);
    assert_heard(&g, 0, 1, 0, 2);
    rig_free(&g);
}

static void one_take_takes_a_bounded_number_and_remembers_the_rest(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 1024);
    for (uint32_t i = 0; i < MESH_TAKE_MAX + 10; i++)
        note(&g, 0, 1, i);
    post(&g, 0);
    assert_int_equal(take(&g, 1), MESH_TAKE_MAX);
    post(&g, 1);
    assert_false(may_sleep(&g, 1));
    assert_int_equal(take(&g, 1), 10); /* though nobody rang again */
    assert_heard(&g, 1, 0, 0, MESH_TAKE_MAX + 10);
    post(&g, 1);
    assert_true(may_sleep(&g, 1));
    rig_free(&g);
}

static void the_ring_to_start_with_rotates(void **state)
{
    (void)state;
    enum { CORES = 5 };
    struct rig g = rig_make(CORES, 16);
    unsigned firsts[CORES] = {0};
    for (int turn = 0; turn < 10 * CORES; turn++) {
        for (unsigned from = 1; from < CORES; from++) {
            note(&g, from, 0, 0);
            post(&g, from);
        }
        assert_int_equal(take(&g, 0), CORES - 1);
        firsts[g.ear[0].note[0].from]++;
        g.ear[0].notes = 0;
    }
    for (unsigned from = 1; from < CORES; from++)
        assert_true(firsts[from] >= 10);
    rig_free(&g);
}

/* ---- full rings ---------------------------------------------------------------------- */

static void full_ring_sends_mail_to_the_outbox_and_order_is_kept(void **state)
{
    (void)state;
    static const uint32_t SLOTS[] = {2, 4, 16, 64, 256};
    for (unsigned s = 0; s < ARRAY_LEN(SLOTS); s++) {
        struct rig g = rig_make(2, SLOTS[s]);
        uint32_t sent = 0;
        unsigned turns = 0;
        while (g.ear[1].notes < 5000) {
            for (int i = 0; i < 77 && sent < 5000; i++)
                note(&g, 0, 1, sent++);
            post(&g, 0);
            take(&g, 1);
            assert_true(++turns < 5000);
        }
        assert_heard(&g, 1, 0, 0, 5000);
        struct mesh_counts sender = mesh_counts(g.ear[0].port),
                           receiver = mesh_counts(g.ear[1].port);
        assert_int_equal(sender.sent, 5000);
        assert_int_equal(receiver.taken, 5000);
        assert_int_equal(sender.waited > 0, SLOTS[s] < 77);
        rig_free(&g);
    }
}

static void new_mail_goes_behind_the_outbox_though_the_ring_has_room(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 4);
    for (uint32_t i = 0; i < 6; i++)
        note(&g, 0, 1, i);
    post(&g, 0);
    assert_int_equal(take(&g, 1), 4); /* all room again, but 4 and 5 still wait */
    note(&g, 0, 1, 6);
    assert_int_equal(mesh_counts(g.ear[0].port).waited, 3);
    post(&g, 0);
    assert_int_equal(take(&g, 1), 3);
    assert_heard(&g, 1, 0, 0, 7);
    rig_free(&g);
}

static void a_full_ring_to_one_core_does_not_hold_up_another(void **state)
{
    (void)state;
    struct rig g = rig_make(3, 2);
    for (uint32_t i = 0; i < 10; i++)
        note(&g, 0, 1, i);
    note(&g, 0, 2, 99);
    post(&g, 0);
    assert_int_equal(take(&g, 2), 1);
    assert_heard(&g, 2, 0, 99, 1);
    rig_free(&g);
}

static void only_mail_that_waits_is_charged_and_relief_gives_it_back(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    struct mesh_port *p = g.ear[0].port;
    assert_int_equal(note_charged(&g, 0, 1, 0, 100), 0);
    assert_int_equal(note_charged(&g, 0, 1, 1, 100), 0);
    assert_int_equal(note_charged(&g, 0, 1, 2, 100), 100);
    assert_int_equal(mesh_send(p, 1, (struct mail){.kind = KIND_NOTE, .b = 3}, 2, 30), 30);
    assert_int_equal(mesh_send(p, 1, (struct mail){.kind = KIND_NOTE, .b = 4}, 0, 5), 5);
    assert_int_equal(mesh_outbox_bytes(p), 135);

    post(&g, 0); /* the ring is full: nothing leaves the outbox */
    assert_int_equal(mesh_outbox_bytes(p), 135);
    assert_int_equal(g.ear[0].relieved[1], 0);
    take(&g, 1);
    post(&g, 0);
    assert_int_equal(g.ear[0].relieved[1], 100);
    assert_int_equal(g.ear[0].relieved[2], 30);
    assert_int_equal(mesh_outbox_bytes(p), 5);
    take(&g, 1);
    post(&g, 0);
    assert_int_equal(mesh_outbox_bytes(p), 0);
    take(&g, 1);
    assert_heard(&g, 1, 0, 0, 5);
    rig_free(&g);
}

static void a_mesh_with_mail_in_every_place_can_be_freed(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    for (uint32_t i = 0; i < 1000; i++) {
        note(&g, 0, 1, i);
        note(&g, 1, 1, i);
    }
    rig_free(&g);
}

/* ---- making -------------------------------------------------------------------------- */

static void running_out_of_descriptors_is_an_error(void **state)
{
    (void)state;
    struct rlimit before, few;
    int err = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 16;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct mesh *m = mesh_new(&(struct mesh_options){.cores = 32}, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_null(m);
    assert_int_equal(err, -ERR_NOFILE);
}

static void memory_can_be_placed_and_mail_still_arrives(void **state)
{
    (void)state;
    int err = 0;
    struct ear *e = calloc(1, sizeof *e);
    struct mesh *m = mesh_new(&(struct mesh_options){.cores = 2, .numa = true}, &err);
    assert_non_null(e);
    assert_non_null(m);
    mesh_port_bind(mesh_port_at(m, 1), HANDLERS, KINDS, on_relief, e);
    mesh_send(mesh_port_at(m, 0), 1, (struct mail){.kind = KIND_NOTE, .b = 3}, 0, 0);
    mesh_post(mesh_port_at(m, 0));
    assert_int_equal(mesh_take(mesh_port_at(m, 1)), 1);
    assert_int_equal(e->note[0].b, 3);
    mesh_free(&m);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_arrives_after_post_and_not_before),
        cmocka_unit_test(a_full_batch_goes_out_without_waiting_for_post),
        cmocka_unit_test(a_lone_core_talks_to_itself),
        cmocka_unit_test(mail_to_oneself_from_a_handler_waits_for_the_next_take),
        cmocka_unit_test(every_core_reaches_every_core),
        cmocka_unit_test(handlers_may_answer),
        cmocka_unit_test(one_take_takes_a_bounded_number_and_remembers_the_rest),
        cmocka_unit_test(the_ring_to_start_with_rotates),
        cmocka_unit_test(full_ring_sends_mail_to_the_outbox_and_order_is_kept),
        cmocka_unit_test(new_mail_goes_behind_the_outbox_though_the_ring_has_room),
        cmocka_unit_test(a_full_ring_to_one_core_does_not_hold_up_another),
        cmocka_unit_test(only_mail_that_waits_is_charged_and_relief_gives_it_back),
        cmocka_unit_test(a_mesh_with_mail_in_every_place_can_be_freed),
        cmocka_unit_test(running_out_of_descriptors_is_an_error),
        cmocka_unit_test(memory_can_be_placed_and_mail_still_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
