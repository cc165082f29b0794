/* SPDX-License-Identifier: BSD-3-Clause */
/* test_journal.c -- who is told when, and what becomes of all when the log fails or is full. */
#include <errno.h>

#include "unit/journal/journal_rig.h"

/* What core 0 and 1 were told, in their order. */
static struct {
    struct mail mail[64];
    unsigned n;
} heard[2];

static void hear(void *ctx, unsigned from, const struct mail *m)
{
    const struct broker *b = ctx;
    (void)from;
    assert_true(heard[b->core->id].n < 64);
    heard[b->core->id].mail[heard[b->core->id].n++] = *m;
}

/* A rig whose KEPT mail we hear ourselves. */
static struct journal_rig *listening_rig(unsigned cores)
{
    static mail_fn *handlers[BROKER_MAIL_KINDS];
    struct journal_rig *r = journal_rig_new(cores);
    broker_mail_handlers(handlers);
    handlers[MAIL_ERRAND] = hear;
    for (unsigned i = 0; i < cores; i++) {
        r->journal[i]->handler[MAIL_ERRAND] = hear;
        mesh_port_bind(r->k->core[i].mesh, handlers, BROKER_MAIL_KINDS, NULL, r->k->broker[i]);
    }
    memset(heard, 0, sizeof heard);
    return r;
}

static void tell(struct journal_rig *r, unsigned to, uint32_t what)
{
    struct mail m = {.kind = MAIL_ERRAND, .b = what};
    assert_int_equal(journal_tell(r->journal[0], to, m), 0);
}

/* One record, of which nothing else becomes. */
static int write_one(struct journal_rig *r, uint8_t flags)
{
    struct record_buf b;
    record_put_cleared(&b, bytes_str("t"));
    b.put.flags = flags;
    return journal_put(r->journal[0], &b.put, NULL);
}

static void write_surely(struct journal_rig *r, const char *topic)
{
    struct record_buf b;
    record_put_cleared(&b, bytes_str(topic));
    journal_put_surely(r->journal[0], &b.put);
}

static void with_nothing_to_wait_for_it_is_told_at_once(void **state)
{
    (void)state;
    struct journal_rig *r = listening_rig(1);
    tell(r, 0, 1);
    assert_int_equal(heard[0].n, 1);
    assert_int_equal(heard[0].mail[0].flags, 0);
    journal_rig_free(r);
}

static void nobody_is_told_before_the_disk_has_answered(void **state)
{
    (void)state;
    struct journal_rig *r = listening_rig(1);
    r->held.commits = true;
    assert_int_equal(write_one(r, 0), 0);
    tell(r, 0, 1);
    uint64_t tail = journal_tail(r->journal[0]);
    rig_turn(r);
    assert_int_equal(heard[0].n, 0);
    assert_true(r->k->core[0].durable < tail);
    assert_true(r->k->core[0].commit_pos >= tail);
    r->held.commits = false;
    rig_turn(r);
    assert_int_equal(heard[0].n, 1);
    assert_true(r->k->core[0].durable >= tail);
    journal_rig_free(r);
}

static void all_are_told_in_order_here_and_on_other_cores(void **state)
{
    (void)state;
    struct journal_rig *r = listening_rig(2);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(write_one(r, 0), 0);
        tell(r, i % 2, i);
    }
    assert_int_equal(heard[0].n, 0);
    rig_turn(r);
    assert_int_equal(heard[0].n, 10);
    assert_int_equal(heard[1].n, 10);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(heard[i % 2].mail[i / 2].b, i);
        assert_int_equal(heard[i % 2].mail[i / 2].flags, 0);
    }
    journal_rig_free(r);
}

static void who_waits_hurries_what_is_lazy(void **state)
{
    (void)state;
    struct journal_rig *r = listening_rig(1);
    assert_int_equal(write_one(r, STORE_LAZY), 0);
    rig_turn(r);
    assert_true(r->k->core[0].durable < journal_tail(r->journal[0]));
    tell(r, 0, 1);
    rig_turn(r);
    assert_int_equal(heard[0].n, 1);
    assert_true(r->k->core[0].durable == journal_tail(r->journal[0]));
    journal_rig_free(r);
}

static void positions_hold_however_many_turns_a_commit_takes(void **state)
{
    (void)state;
    struct journal_rig *r = listening_rig(1);
    r->held.commits = true;
    for (uint32_t i = 0; i < 5 * MARKS; i++) {
        assert_int_equal(write_one(r, 0), 0);
        journal_commit(r->journal[0]);
    }
    assert_int_equal(r->k->core[0].durable, 0);
    assert_int_equal(r->k->core[0].commit_pos, 1);
    r->held.commits = false;
    rig_turn(r);
    assert_int_equal(r->k->core[0].durable, 5 * MARKS);
    journal_rig_free(r);
}

/* ---- failure ------------------------------------------------------------------------------- */

static void fail_the_disk(struct journal_rig *r)
{
    struct sim_disk *sim = r->disk[0].sim;
    sim->fail_call = SIM_SYNC;
    sim->fail_at = 1;
    sim->fail_errno = EIO;
    sim->fail_all = true;
}

static void failure_is_told_to_all_who_wait_and_ends_durability(void **state)
{
    (void)state;
    struct journal_rig *r = listening_rig(2);
    fail_the_disk(r);
    assert_int_equal(write_one(r, 0), 0);
    tell(r, 0, 1);
    tell(r, 1, 2);
    rig_turn(r);
    assert_true(journal_failed(r->journal[0]));
    assert_int_equal(r->failed, 1);
    assert_int_equal(heard[0].mail[0].flags, ERR_STORAGE);
    assert_int_equal(heard[1].mail[0].flags, ERR_STORAGE);
    assert_int_equal(r->k->core[0].durable, 0);

    assert_int_equal(write_one(r, 0), -ERR_STORAGE);
    assert_true(journal_tail(r->journal[0]) == UINT64_MAX);
    assert_true(journal_has_room(r->journal[0]));
    tell(r, 0, 3);
    assert_int_equal(heard[0].n, 2);
    assert_int_equal(heard[0].mail[1].flags, ERR_STORAGE);
    journal_rig_free(r);
}

static void sessions_go_on_in_memory_when_the_log_has_failed(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *old = rig_client(r, "old", &door_commit, 100);
    client_sub(r->k, old, "a", 1);
    rig_turn(r);
    fail_the_disk(r);
    struct sub_request more = {.filter = bytes_str("b"), .qos = 1};
    assert_int_equal(client_ask(old, &more), 1); /* not known yet to be in vain */
    rig_turn(r);
    assert_true(journal_failed(r->journal[0]));
    assert_int_equal(client_ask(old, &more), -ERR_STORAGE);

    bool present;
    int err;
    struct attach a = {.client_id = bytes_str("new"),
                       .expiry_s = 10,
                       .receive_max = 1,
                       .door = &door_commit,
                       .ops = &client_ops,
                       .sink = old};
    assert_null(session_attach(r->k->broker[0], &a, &present, &err));
    assert_int_equal(err, -ERR_STORAGE);
    assert_null(session_find(r->k->broker[0], 0, a.client_id));
    client_detach(r->k, old, false);
    client_attach(
        r->k, old,
        &(struct attach){.client_id = bytes_str("old"), .expiry_s = 100, .door = &door_commit});
    assert_true(old->present);
    struct client *memory = rig_client(r, "memory", &door_memory, 100);
    client_pub(r->k, memory, "a", "hello", 0);
    assert_string_equal(client_heard(old), "hello");
    client_free(r->k, old);
    client_free(r->k, memory);
    journal_rig_free(r);
}

/* ---- no room ------------------------------------------------------------------------------- */

/* Fills the log up to its reserve. */
static void fill(struct journal_rig *r)
{
    unsigned n = 0;
    int err;
    do {
        err = write_one(r, 0);
        rig_turn(r);
        assert_true(++n < 100000);
    } while (err == 0);
    assert_int_equal(err, -ERR_FULL);
}

/* ... and that too, so that records must wait for room. */
static unsigned fill_reserve(struct journal_rig *r)
{
    unsigned n = 0;
    for (; r->journal[0]->nlate < 3; n++) {
        char topic[16];
        snprintf(topic, sizeof topic, "r%u", n);
        write_surely(r, topic);
        rig_turn(r);
        assert_true(n < 100000);
    }
    return n;
}

static struct journal_rig *small_rig(void)
{
    struct journal_rig *r = journal_rig_new_with(1, 4096, true); /* a snapshot would make room */
    rig_turn(r);
    r->disk[0].sim->bytes_max = r->disk[0].sim->bytes;
    return r;
}

static void full_log_refuses_what_adds_and_takes_what_frees(void **state)
{
    (void)state;
    struct journal_rig *r = small_rig();
    fill(r);
    write_surely(r, "freed");
    rig_turn(r);
    assert_int_equal(r->journal[0]->nlate, 0);
    assert_true(r->k->core[0].durable == journal_tail(r->journal[0]));
    journal_rig_free(r);
}

static void what_must_not_be_lost_waits_for_room_in_order(void **state)
{
    (void)state;
    struct journal_rig *r = small_rig();
    struct journal *j = r->journal[0];
    fill(r);
    fill_reserve(r);
    assert_int_equal(journal_stats(j).late, 3);
    assert_int_equal(journal_stats(j).records, journal_tail(j) - 3);
    assert_true(journal_stats(j).bytes >= 24 * journal_stats(j).records);
    assert_int_equal(write_one(r, 0), -ERR_FULL); /* not before those */
    assert_true(journal_has_room(j)); /* waiting is in vain: what needs no log goes on */

    memset(heard, 0, sizeof heard);
    j->handler[MAIL_ERRAND] = hear;
    tell(r, 0, 1);
    uint64_t tail = journal_tail(j);
    rig_turn(r);
    assert_int_equal(heard[0].n, 0);
    assert_int_equal(r->k->core[0].durable, tail - 3);
    uint64_t due_ns = journal_due_ns(j);
    assert_true(due_ns != UINT64_MAX && due_ns > r->k->core[0].clock.now_ns); /* without a rush */

    assert_int_equal(r->full, 0); /* there may be room soon */
    rig_advance(r, 1);
    assert_int_equal(r->full, 1);
    assert_int_equal(heard[0].n, 1);
    assert_int_equal(heard[0].mail[0].flags, ERR_FULL);
    tell(r, 0, 1);
    tail = journal_tail(j);
    rig_advance(r, 1);
    assert_int_equal(r->full, 2); /* others may have begun to wait */
    assert_int_equal(heard[0].n, 2);
    r->disk[0].sim->bytes_max = 0;
    rig_turn(r);
    unsigned told = r->full;
    rig_advance(r, 2);
    rig_advance(r, 2);
    assert_in_range(r->full, told, told + 1); /* the store tries again after a while */
    assert_int_equal(journal_stats(j).late, 0);
    tell(r, 0, 1);
    assert_int_equal(heard[0].n, 3);
    assert_int_equal(heard[0].mail[2].flags, 0);
    assert_int_equal(r->k->core[0].durable, tail);
    assert_int_equal(write_one(r, 0), 0);
    journal_rig_free(r);
}

static void session_that_changes_in_vain_is_written_once_as_it_is_by_then(void **state)
{
    (void)state;
    struct journal_rig *r = small_rig();
    struct journal *j = r->journal[0];
    struct client *c = rig_client(r, "c", &door_commit, 100);
    rig_turn(r);
    fill(r);
    unsigned n = fill_reserve(r);
    (void)n;
    for (unsigned i = 0; i < 10; i++) {
        client_detach(r->k, c, false);
        client_attach(r->k, c,
                      &(struct attach){
                          .client_id = bytes_str("c"), .expiry_s = 200 + i, .door = &door_commit});
        assert_true(c->present);
    }
    assert_int_equal(journal_stats(j).late, 4);
    assert_true(rig_says(r, 0, "session 1 c.0 serial 0 flight 0 expiry 100 "));
    r->disk[0].sim->bytes_max = 0;
    rig_advance(r, 2);
    assert_int_equal(journal_stats(j).late, 0);
    assert_true(rig_says(r, 0, "session 1 c.0 serial 0 flight 0 expiry 209 gone 0 "));
    client_free(r->k, c);
    journal_rig_free(r);
}

static void no_new_session_is_durable_without_room(void **state)
{
    (void)state;
    struct journal_rig *r = small_rig();
    fill(r);
    bool present;
    int err;
    struct client c = {.n = 0};
    struct attach a = {.client_id = bytes_str("new"),
                       .expiry_s = 10,
                       .receive_max = 1,
                       .door = &door_commit,
                       .ops = &client_ops,
                       .sink = &c};
    assert_null(session_attach(r->k->broker[0], &a, &present, &err));
    assert_int_equal(err, -ERR_DISK_FULL);
    assert_int_equal(r->k->broker[0]->nsessions, 0);
    journal_rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_nothing_to_wait_for_it_is_told_at_once),
        cmocka_unit_test(nobody_is_told_before_the_disk_has_answered),
        cmocka_unit_test(all_are_told_in_order_here_and_on_other_cores),
        cmocka_unit_test(who_waits_hurries_what_is_lazy),
        cmocka_unit_test(positions_hold_however_many_turns_a_commit_takes),
        cmocka_unit_test(failure_is_told_to_all_who_wait_and_ends_durability),
        cmocka_unit_test(sessions_go_on_in_memory_when_the_log_has_failed),
        cmocka_unit_test(full_log_refuses_what_adds_and_takes_what_frees),
        cmocka_unit_test(what_must_not_be_lost_waits_for_room_in_order),
        cmocka_unit_test(session_that_changes_in_vain_is_written_once_as_it_is_by_then),
        cmocka_unit_test(no_new_session_is_durable_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
