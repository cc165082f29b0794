/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

enum { HEAVY = 100 };

/* Sends mail from core 0 to core 1, which is not turned, until `want` bytes wait in the outbox. */
static void fill_outbox(struct rig *r, uint32_t account, uint32_t want)
{
    struct mesh_port *port = r->core[0].mesh;
    struct mail nothing = {.kind = RIG_MAIL + 1}; /* handled by fill_handler */

    for (unsigned i = 0; mesh_outbox_bytes(port) < want; i++) {
        assert_true(i < 10000);
        uint32_t charged = mesh_send(port, 1, nothing, account, HEAVY);
        if (r->probe.conn) conn_charge(r->probe.conn, charged);
    }
}

static void ignore_mail(void *ctx, unsigned from, const struct mail *m)
{
    (void)ctx;
    (void)from;
    (void)m;
}

static struct rig *rig_with_limits(uint32_t per_conn, size_t per_core)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    static mail_fn *handlers[RIG_MAIL + 2];

    o.debt_bytes_max = per_conn;
    o.debt_core_bytes_max = per_core;
    struct rig *r = rig_new(&o);
    handlers[RIG_MAIL] = rig_handover;
    handlers[RIG_MAIL + 1] = ignore_mail;
    for (unsigned i = 0; i < RIG_CORES; i++)
        mesh_port_bind(r->core[i].mesh, handlers, RIG_MAIL + 2, rig_relief, r->net[i]);
    return r;
}

static void an_indebted_connection_is_not_read_until_half_is_paid(void **state)
{
    struct rig *r = rig_with_limits(1000, SIZE_MAX);
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;

    (void)state;
    conn_charge(c, 1000);
    assert_false(c->flags & CONN_INDEBTED);
    conn_charge(c, 1);
    assert_true(c->flags & CONN_INDEBTED);
    assert_int_equal(rig_count(r, 0, C_reads_paused), 1);
    rig_say(fd, "hello", 5);
    assert_int_equal(rig_turn(r, 2), 0);
    net_on_relief(r->net[0], c->id, 500);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 0); /* 501 are left */
    net_on_relief(r->net[0], c->id, 1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(rig_count(r, 0, C_reads_paused), 1);
    close(fd);
    rig_free(r);
}

static long charge_and_stop(struct probe *p, struct conn *c, struct bytes in)
{
    size_t n = in.n < 3 ? in.n : 3;
    probe_take(p, bytes_of(in.p, n));
    if (p->calls == 1) conn_charge(c, 2000);
    return (long)n;
}

static void bytes_left_by_an_indebted_handler_come_first_when_it_has_paid(void **state)
{
    struct rig *r = rig_with_limits(1000, SIZE_MAX);
    int fd = rig_stream(r);

    (void)state;
    r->probe.bytes = charge_and_stop;
    rig_say(fd, "abcdef", 6);
    rig_turn(r, 2);
    rig_say(fd, "ghi", 3);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 3);
    net_on_relief(r->net[0], r->probe.conn->id, 2000);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 9);
    assert_memory_equal(r->probe.seen, "abcdefghi", 9);
    close(fd);
    rig_free(r);
}

static void relief_for_one_that_has_gone_is_ignored(void **state)
{
    struct rig *r = rig_with_limits(1000, SIZE_MAX);
    int fd = rig_stream(r);
    uint32_t id = r->probe.conn->id;

    (void)state;
    conn_charge(r->probe.conn, 700);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 1);
    net_on_relief(r->net[0], id, 700);
    net_on_relief(r->net[0], 0, 700);
    net_on_relief(r->net[0], UINT32_MAX, 700);
    close(fd);
    rig_free(r);
}

static void a_full_ring_indebts_and_its_emptying_lifts(void **state)
{
    struct rig *r = rig_with_limits(1000, SIZE_MAX);
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;

    (void)state;
    fill_outbox(r, c->id, 1200);
    assert_int_equal(c->debt, mesh_outbox_bytes(r->core[0].mesh));
    assert_true(c->flags & CONN_INDEBTED);
    rig_say(fd, "hello", 5);
    rig_turn(r, 20);
    assert_int_equal(c->debt, 0);
    assert_int_equal(r->probe.seen_n, 5);
    close(fd);
    rig_free(r);
}

static void a_core_over_its_limit_lifts_no_debt_before_it_has_recovered(void **state)
{
    struct rig *r = rig_with_limits(1 << 20, 2000);
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;

    (void)state;
    r->probe.conn = NULL; /* the flood is somebody else's */
    fill_outbox(r, 0, 2100);
    r->probe.conn = c;
    conn_charge(c, 10); /* little, but more than the core can bear */
    assert_true(c->flags & CONN_INDEBTED);
    rig_say(fd, "hello", 5);
    net_on_relief(r->net[0], c->id, 10);
    core_turn(&r->core[0]);
    assert_true(c->flags & CONN_INDEBTED);
    rig_turn(r, 20); /* core 1 takes the flood; nobody relieves this connection once more */
    assert_int_equal(mesh_outbox_bytes(r->core[0].mesh), 0);
    assert_false(c->flags & CONN_INDEBTED);
    assert_int_equal(r->probe.seen_n, 5);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_indebted_connection_is_not_read_until_half_is_paid),
        cmocka_unit_test(bytes_left_by_an_indebted_handler_come_first_when_it_has_paid),
        cmocka_unit_test(relief_for_one_that_has_gone_is_ignored),
        cmocka_unit_test(a_full_ring_indebts_and_its_emptying_lifts),
        cmocka_unit_test(a_core_over_its_limit_lifts_no_debt_before_it_has_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
