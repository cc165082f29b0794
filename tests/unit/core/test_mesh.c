/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/mesh.h"

enum { KIND_NOTE = 1, KIND_ECHO = 2, KINDS, NOTES_MAX = 8192, ACCOUNTS = 8 };

/* What one core was told. */
struct ear {
    struct mesh_port *port;
    struct note {
        unsigned from;
        uint32_t b;
    } note[NOTES_MAX];
    unsigned notes;
    uint32_t relieved[ACCOUNTS];
};

struct rig {
    struct mesh *mesh;
    unsigned cores;
    struct ear *ear;
};

static void on_note(void *ctx, unsigned from, const struct mail *m)
{
    struct ear *e = ctx;
    assert_true(e->notes < NOTES_MAX);
    e->note[e->notes++] = (struct note){from, m->b};
}

/* Answers where it came from with a note, and again to itself while `a` lasts. */
static void on_echo(void *ctx, unsigned from, const struct mail *m)
{
    struct ear *e = ctx;
    struct mail answer = {.kind = m->a ? KIND_ECHO : KIND_NOTE, .b = m->b};
    if (m->a) answer.a = (uint16_t)(m->a - 1);
    mesh_send(e->port, from, answer, 0, 0);
}

static void on_relief(void *ctx, uint32_t account, uint32_t bytes)
{
    struct ear *e = ctx;
    assert_in_range(account, 1, ACCOUNTS - 1);
    e->relieved[account] += bytes;
}

static mail_fn *const HANDLERS[KINDS] = {[KIND_NOTE] = on_note, [KIND_ECHO] = on_echo};

static struct rig rig_make(unsigned cores, uint32_t slots)
{
    int err = 0;
    struct rig g = {.cores = cores, .ear = calloc(cores, sizeof *g.ear)};
    assert_non_null(g.ear);
    g.mesh = mesh_new(&(struct mesh_options){.cores = cores, .ring_slots = slots}, &err);
    assert_non_null(g.mesh);
    for (unsigned i = 0; i < cores; i++) {
        g.ear[i].port = mesh_port_at(g.mesh, i);
        mesh_port_bind(g.ear[i].port, HANDLERS, KINDS, on_relief, &g.ear[i]);
    }
    return g;
}

static void rig_free(struct rig *g)
{
    mesh_free(&g->mesh);
    assert_null(g->mesh);
    free(g->ear);
}

static uint32_t note_charged(struct rig *g, unsigned from, unsigned to, uint32_t b, uint32_t bytes)
{
    struct mail m = {.kind = KIND_NOTE, .b = b};
    return mesh_send(g->ear[from].port, to, m, bytes ? 1 : 0, bytes);
}

static void note(struct rig *g, unsigned from, unsigned to, uint32_t b)
{
    note_charged(g, from, to, b, 0);
}

static unsigned take(struct rig *g, unsigned core)
{
    return mesh_take(g->ear[core].port);
}

static unsigned post(struct rig *g, unsigned core)
{
    return mesh_post(g->ear[core].port);
}

static bool may_sleep(struct rig *g, unsigned core)
{
    return mesh_may_sleep(g->ear[core].port);
}

static void awake(struct rig *g, unsigned core)
{
    mesh_awake(g->ear[core].port);
}

static bool bell_rings(struct rig *g, unsigned core)
{
    struct pollfd fd = {.fd = mesh_bell_fd(g->ear[core].port), .events = POLLIN};
    int n = poll(&fd, 1, 0);
    assert_true(n >= 0);
    return n == 1;
}

/* Everything told to `to` is `from`'s notes first, first + 1 ... */
static void assert_heard(struct rig *g, unsigned to, unsigned from, uint32_t first, unsigned n)
{
    struct ear *e = &g->ear[to];
    assert_int_equal(e->notes, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(e->note[i].from, from);
        assert_int_equal(e->note[i].b, first + i);
    }
    e->notes = 0;
}

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

/* ---- sleep and wake ------------------------------------------------------------------ */

static void an_idle_core_may_sleep_and_its_bell_is_quiet(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    assert_true(may_sleep(&g, 0));
    assert_false(bell_rings(&g, 0));
    awake(&g, 0);
    assert_true(may_sleep(&g, 0));
    rig_free(&g);
}

static void a_core_must_not_sleep_on_mail_of_any_kind(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    note(&g, 0, 1, 0);
    assert_false(may_sleep(&g, 0)); /* staged */
    post(&g, 0);
    assert_false(may_sleep(&g, 1)); /* waits in the ring */
    note(&g, 0, 0, 0);
    assert_false(may_sleep(&g, 0)); /* to itself */
    assert_int_equal(take(&g, 0), 1);
    assert_true(may_sleep(&g, 0));
    assert_false(bell_rings(&g, 0));
    assert_false(bell_rings(&g, 1));
    rig_free(&g);
}

static void a_sleeper_is_woken_once_by_however_many_ring(void **state)
{
    (void)state;
    struct rig g = rig_make(4, 16);
    assert_true(may_sleep(&g, 0));
    for (unsigned from = 1; from < 4; from++) {
        for (uint32_t i = 0; i < 3; i++) {
            note(&g, from, 0, i);
            post(&g, from);
        }
    }
    assert_true(bell_rings(&g, 0));
    uint64_t bells = 0;
    for (unsigned from = 1; from < 4; from++)
        bells += mesh_counts(g.ear[from].port).bells;
    assert_int_equal(bells, 1);
    awake(&g, 0);
    assert_false(bell_rings(&g, 0));
    assert_int_equal(take(&g, 0), 9);
    rig_free(&g);
}

static void nobody_wakes_a_core_that_is_awake(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 64);
    for (uint32_t i = 0; i < 40; i++) {
        note(&g, 0, 1, i);
        post(&g, 0);
    }
    assert_false(bell_rings(&g, 1));
    assert_int_equal(mesh_counts(g.ear[0].port).bells, 0);
    rig_free(&g);
}

static void a_core_can_sleep_and_wake_again_and_again(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(may_sleep(&g, 1));
        assert_false(bell_rings(&g, 1));
        note(&g, 0, 1, i);
        post(&g, 0);
        assert_true(bell_rings(&g, 1));
        awake(&g, 1);
        assert_int_equal(take(&g, 1), 1);
        post(&g, 1);
    }
    assert_heard(&g, 1, 0, 0, 100);
    assert_int_equal(mesh_counts(g.ear[0].port).bells, 100);
    rig_free(&g);
}

static void waking_twice_does_no_harm(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    assert_true(may_sleep(&g, 1));
    note(&g, 0, 1, 0);
    post(&g, 0);
    awake(&g, 1);
    awake(&g, 1);
    assert_false(bell_rings(&g, 1));
    take(&g, 1);
    post(&g, 1);
    assert_true(may_sleep(&g, 1));
    note(&g, 0, 1, 1);
    post(&g, 0);
    assert_true(bell_rings(&g, 1));
    rig_free(&g);
}

/* The winner of the flag may write the descriptor only after the sleeper woke by itself
 * (a timer): that wake-up comes late, once, and must not end all later sleeps. */
static void a_wake_up_that_comes_late_is_drained_by_the_next_awake(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    uint64_t one = 1, stolen;
    int fd = mesh_bell_fd(g.ear[1].port);

    assert_true(may_sleep(&g, 1));
    note(&g, 0, 1, 0);
    post(&g, 0);
    assert_int_equal(read(fd, &stolen, sizeof stolen), sizeof stolen); /* as if not written yet */
    awake(&g, 1);
    take(&g, 1);
    post(&g, 1);
    assert_true(may_sleep(&g, 1));
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
    assert_true(bell_rings(&g, 1));
    awake(&g, 1);
    assert_false(bell_rings(&g, 1));
    rig_free(&g);
}

static void a_stranger_can_wake_a_core_or_keep_it_awake_for_one_turn(void **state)
{
    (void)state;
    struct rig g = rig_make(1, 2);
    mesh_ring(g.ear[0].port);
    assert_false(bell_rings(&g, 0)); /* it was awake */
    assert_false(may_sleep(&g, 0));
    assert_true(may_sleep(&g, 0));
    mesh_ring(g.ear[0].port);
    mesh_ring(g.ear[0].port);
    assert_true(bell_rings(&g, 0));
    awake(&g, 0);
    assert_false(bell_rings(&g, 0));
    assert_true(may_sleep(&g, 0));
    rig_free(&g);
}

static void a_sender_asleep_with_a_full_outbox_is_rung_back(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    unsigned turns = 0;
    for (uint32_t i = 0; i < 20; i++)
        note(&g, 0, 1, i);
    post(&g, 0);
    while (g.ear[1].notes < 20) {
        bool outbox_waits = g.ear[1].notes + 2 < 20;
        assert_true(may_sleep(&g, 0));
        assert_int_equal(take(&g, 1), 2);
        assert_false(may_sleep(&g, 1)); /* a ring-back is still owed, for all it knows */
        post(&g, 1);
        assert_int_equal(bell_rings(&g, 0), outbox_waits);
        awake(&g, 0);
        take(&g, 0);
        post(&g, 0);
        assert_true(++turns <= 20);
    }
    assert_heard(&g, 1, 0, 0, 20);
    rig_free(&g);
}

static void a_sender_does_not_sleep_on_an_outbox_that_could_move(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    for (uint32_t i = 0; i < 3; i++)
        note(&g, 0, 1, i);
    post(&g, 0);
    take(&g, 1);
    assert_false(may_sleep(&g, 0));
    assert_int_equal(post(&g, 0), 1);
    assert_true(may_sleep(&g, 0));
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
        cmocka_unit_test(an_idle_core_may_sleep_and_its_bell_is_quiet),
        cmocka_unit_test(a_core_must_not_sleep_on_mail_of_any_kind),
        cmocka_unit_test(a_sleeper_is_woken_once_by_however_many_ring),
        cmocka_unit_test(nobody_wakes_a_core_that_is_awake),
        cmocka_unit_test(a_core_can_sleep_and_wake_again_and_again),
        cmocka_unit_test(waking_twice_does_no_harm),
        cmocka_unit_test(a_wake_up_that_comes_late_is_drained_by_the_next_awake),
        cmocka_unit_test(a_stranger_can_wake_a_core_or_keep_it_awake_for_one_turn),
        cmocka_unit_test(a_sender_asleep_with_a_full_outbox_is_rung_back),
        cmocka_unit_test(a_sender_does_not_sleep_on_an_outbox_that_could_move),
        cmocka_unit_test(running_out_of_descriptors_is_an_error),
        cmocka_unit_test(memory_can_be_placed_and_mail_still_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
