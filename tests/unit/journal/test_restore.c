/* SPDX-License-Identifier: BSD-3-Clause */
/* test_restore.c -- the power fails, and everything durable is there again, on as many cores or on
 * others. */
#include "broker/pendings.h"
#include "unit/journal/data_rig.h"

enum { LONG_S = 100000 };

/* From so many cores to so many. */
static const unsigned moves[][2] = {{1, 1}, {2, 2}, {5, 5}, {1, 2}, {2, 1}, {5, 2}, {2, 5}, {1, 5}};

#define EACH_MOVE(m) for (unsigned m = 0; m < ARRAY_LEN(moves); m++)

static struct data_rig *fresh(unsigned m)
{
    return data_rig_open(sim_disk_new(), moves[m][0], 0);
}

static struct data_rig *crash(struct data_rig *r, unsigned m)
{
    return data_rig_crash(r, moves[m][1], 5);
}

static void what_waits_comes_to_everybody_in_its_order(void **state)
{
    enum { CLIENTS = 7, MESSAGES = 12 };
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        char expected[CLIENTS][1024] = {0};
        struct client *p = data_client(r, "publisher", 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            data_sub(r, c, "all/#", 1);
            data_sub(r, c, data_name("own/", i), 2);
            data_leave(r, c);
            free(c);
        }
        for (unsigned i = 0; i < MESSAGES; i++) {
            char text[16];
            snprintf(text, sizeof text, "m%u", i);
            bool own = i % 3 == 0;
            data_publish(r, p, own ? data_name("own/", i % CLIENTS) : "all/x", text, own ? 2 : 1);
            for (unsigned k = 0; k < CLIENTS; k++) {
                if (own && k != i % CLIENTS) continue;
                if (*expected[k]) strcat(expected[k], " ");
                strcat(expected[k], text);
            }
        }
        data_forget(p);
        r = crash(r, m);
        assert_int_equal(r->found.sessions, CLIENTS);
        assert_int_equal(r->found.subscriptions, 2 * CLIENTS);
        assert_int_equal(r->found.lost, 0);
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            assert_true(c->present);
            assert_false(c->session->restored);
            assert_string_equal(client_heard(c), expected[i]);
            for (unsigned k = 0; k < c->n; k++)
                assert_false(c->note[k].dup);
            data_leave(r, c);
            free(c);
        }
        data_rig_free(r);
    }
}

static void what_is_published_afterwards_finds_its_subscribers(void **state)
{
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        for (unsigned i = 0; i < 6; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            data_sub(r, c, i % 2 ? "a/+" : "a/b", 1);
            data_leave(r, c);
            free(c);
        }
        r = crash(r, m);
        struct client *p = data_client(r, "publisher", 0);
        data_publish(r, p, "a/b", "one", 1);
        data_publish(r, p, "a/c", "two", 1);
        for (unsigned i = 0; i < 6; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            assert_string_equal(client_heard(c), i % 2 ? "one two" : "one");
            data_leave(r, c);
            free(c);
        }
        client_free(r->k, p);
        data_rig_free(r);
    }
}

static void what_is_in_flight_is_sent_again_under_its_packet_id(void **state)
{
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *p = data_client(r, "publisher", 0), *c = calloc(1, sizeof *c);
        data_attach(
            r, c, &(struct attach){.client_id = BYTES("c"), .expiry_s = LONG_S, .receive_max = 4});
        data_sub(r, c, "a", 2);
        for (unsigned i = 1; i <= 7; i++)
            data_publish(r, p, "a", data_name("m", i), i % 2 ? 2 : 1);
        assert_string_equal(client_heard(c), "m1 m2 m3 m4");
        assert_int_equal(session_on_pubrec(c->session, 1, false), 0); /* m1 */
        assert_int_equal(session_on_puback(c->session, 2), 0);        /* m2: m5 comes as 5 */
        data_turn(r);
        assert_int_equal(c->n, 5);
        data_advance(r, 2); /* what is lazy is on disk */
        data_forget(p);
        data_forget(c);
        r = crash(r, m);
        c = data_client(r, "c", LONG_S);
        assert_string_equal(client_heard(c), "m3 m4 m5 m6 m7");
        assert_int_equal(c->released, 1);
        assert_int_equal(c->released_id[0], 1);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(c->note[i].packet_id, i + 3);
            /* The client was connected: who waits at QoS 1 may have been sent. */
            assert_int_equal(c->note[i].dup, i < 3 || c->note[i].qos == 1);
        }
        assert_int_equal(session_on_pubcomp(c->session, 1), 0);
        assert_int_equal(session_on_pubrec(c->session, 3, false), 0);
        assert_int_equal(session_on_pubcomp(c->session, 3), 0);
        assert_int_equal(session_on_puback(c->session, 4), 0);
        data_turn(r);
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

static void what_is_retained_is_there_again(void **state)
{
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *p = data_client(r, "publisher", 0);
        for (unsigned i = 0; i < 9; i++)
            data_publish(r, p, data_name("r/", i), data_name("v", i), 1 | SAY_RETAINED);
        data_publish(r, p, "r/3", "", 1 | SAY_RETAINED);
        data_publish(r, p, "r/4", "new", 1 | SAY_RETAINED);
        data_forget(p);
        r = crash(r, m);
        assert_int_equal(r->found.retained, 8);
        struct client *c = data_client(r, "c", 0);
        for (unsigned i = 0; i < 9; i++) {
            client_forget(c);
            data_sub(r, c, data_name("r/", i), 1);
            assert_string_equal(client_heard(c), i == 3 ? "" : i == 4 ? "new" : data_name("v", i));
        }
        client_forget(c);
        data_sub(r, c, "r/#", 1);
        assert_int_equal(c->n, 8);
        client_free(r->k, c);
        data_rig_free(r);
    }
}

static void a_client_that_was_connected_has_its_will_sent(void **state)
{
    const struct publication will = {.topic = BYTES("will"),
                                     .payload = BYTES("gone"),
                                     .qos = 1,
                                     .has_expiry = true,
                                     .expiry_s = 60};
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *heir = data_client(r, "heir", LONG_S), *c = calloc(1, sizeof *c);
        struct publication w = will;
        w.topic_hash = broker_topic_hash(r->k->broker[0], w.topic);
        data_sub(r, heir, "will", 1);
        data_attach(
            r, c,
            &(struct attach){
                .client_id = BYTES("c"), .expiry_s = LONG_S, .will = &w, .will_delay_s = 30});
        data_advance(r, 500); /* longer than the will lives once it is sent */
        data_forget(heir);
        data_forget(c);
        r = crash(r, m);
        heir = data_client(r, "heir", LONG_S);
        data_advance(r, 28);
        assert_int_equal(heir->n, 0); /* its delay counts from the restart */
        data_advance(r, 5);
        assert_string_equal(client_heard(heir), "gone");
        data_leave(r, heir);
        free(heir);
        data_rig_free(r);
    }
}

static void a_will_that_was_sent_is_not_sent_again(void **state)
{
    const struct publication will = {.topic = BYTES("will"), .payload = BYTES("gone"), .qos = 1};
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *heir = data_client(r, "heir", LONG_S), *c = calloc(1, sizeof *c);
        struct publication w = will;
        w.topic_hash = broker_topic_hash(r->k->broker[0], w.topic);
        data_sub(r, heir, "will", 1);
        data_attach(r, c,
                    &(struct attach){.client_id = BYTES("c"), .expiry_s = LONG_S, .will = &w});
        data_leave(r, c);
        free(c);
        assert_string_equal(client_heard(heir), "gone");
        assert_int_equal(session_on_puback(heir->session, heir->note[0].packet_id), 0);
        data_advance(r, 2);
        data_forget(heir);
        r = crash(r, m);
        heir = data_client(r, "heir", LONG_S);
        data_advance(r, 100);
        assert_string_equal(client_heard(heir), "");
        data_leave(r, heir);
        free(heir);
        data_rig_free(r);
    }
}

static void a_session_ends_when_its_time_is_over_wherever_it_was_spent(void **state)
{
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        static const uint32_t expiry_s[] = {8, 20, 40};
        for (unsigned i = 0; i < 3; i++) {
            struct client *c = data_client(r, data_name("c", i), expiry_s[i]);
            data_sub(r, c, "a", 1);
            data_leave(r, c);
            free(c);
        }
        data_advance(r, 5);
        r = crash(r, m); /* 5 s later: the first one's time is over */
        struct client *c = data_client(r, "c0", LONG_S);
        assert_false(c->present);
        data_leave(r, c);
        free(c);
        data_advance(r, 15);
        c = data_client(r, "c1", LONG_S);
        assert_false(c->present);
        data_leave(r, c);
        free(c);
        c = data_client(r, "c2", LONG_S);
        assert_true(c->present);
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

static void a_session_that_was_connected_has_all_its_time(void **state)
{
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *c = data_client(r, "c", 20);
        data_sub(r, c, "a", 1);
        data_advance(r, 1000);
        data_forget(c);
        r = crash(r, m);
        data_advance(r, 18);
        c = data_client(r, "c", 20);
        assert_true(c->present);
        data_forget(c);
        r = crash(r, m);
        data_advance(r, 25);
        c = data_client(r, "c", 20);
        assert_false(c->present);
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

/* What members that are offline hold is for who comes first, on whatever core. */
static void a_share_groups_messages_wait_for_the_first_member(void **state)
{
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *p = data_client(r, "publisher", 0);
        for (unsigned i = 0; i < 4; i++) {
            struct client *c = data_client(r, data_name("c", i), LONG_S);
            data_sub(r, c, "$share/g/a/#", 1);
            data_leave(r, c);
            free(c);
        }
        for (unsigned i = 0; i < 12; i++)
            data_publish(r, p, data_name("a/", i), data_name("m", i), 1);
        data_forget(p);
        r = crash(r, m);
        assert_int_equal(r->found.messages, 12);
        struct client *c = data_client(r, "c2", LONG_S);
        for (unsigned i = 0; i < 12; i++) {
            unsigned times = 0;
            for (unsigned k = 0; k < c->n; k++)
                times += strcmp(c->note[k].payload, data_name("m", i)) == 0;
            assert_int_equal(times, 1);
        }
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

/* At QoS 2, with packet id 7, for the first time or again. */
static void publish_7(struct client *p, const char *topic)
{
    struct broker *b = p->session->broker;
    const struct publication pub = {.topic = bytes_str(topic),
                                    .payload = BYTES("once"),
                                    .qos = 2,
                                    .topic_hash = broker_topic_hash(b, bytes_str(topic))};
    uint32_t mailed = 0;
    assert_int_equal(session_receive(p->session, 7), 0);
    assert_int_equal(broker_publish(p->session, &pub, 7, 0, &mailed), 0);
}

static void join_cores(unsigned cores)
{
    char name[4][32];
    struct data_rig *r = data_rig_open(sim_disk_new(), 2, 1);
    snprintf(name[0], 32, "%s", client_at(r->k, 0, "x"));
    snprintf(name[1], 32, "%s", client_at(r->k, 1, "y"));
    snprintf(name[2], 32, "%s", client_at(r->k, 0, "p"));
    snprintf(name[3], 32, "%s", topic_at(r->k, 0, "t"));
    for (unsigned i = 0; i < 2; i++) {
        struct client *c = data_client(r, name[i], LONG_S);
        data_sub(r, c, name[3], 2);
        data_leave(r, c);
        free(c);
    }
    struct client *p = data_client(r, name[2], LONG_S);
    publish_7(p, name[3]);
    for (unsigned i = 0; i < 20; i++) { /* the other core does not come to it */
        cluster_turn(r->k, 0);
        journal_commit(r->journal[0]);
    }
    r = data_rig_crash(r, cores, 1);
    data_forget(p);
    assert_int_equal(r->found.messages, 1);

    p = data_client(r, name[2], LONG_S);
    publish_7(p, name[3]);
    data_turn(r);
    assert_int_equal(p->accepted, 1);
    assert_int_equal(p->accepted_status[0], 0);
    for (unsigned i = 0; i < 2; i++) {
        struct client *c = data_client(r, name[i], LONG_S);
        assert_string_equal(client_heard(c), "once");
        client_free(r->k, c);
    }
    client_free(r->k, p);
    data_rig_free(r);
}

static void what_one_log_knew_and_another_did_not_comes_once_to_the_sessions_of_both(void **state)
{
    (void)state;
    join_cores(1);
    join_cores(2);
    join_cores(3);
}

static void a_session_stays_its_users(void **state)
{
    static const uint8_t nowhere[16];
    (void)state;
    EACH_MOVE(m)
    {
        struct data_rig *r = fresh(m);
        struct client *c = calloc(1, sizeof *c), other = {.n = 0};
        data_attach(r, c,
                    &(struct attach){.client_id = BYTES("c"),
                                     .expiry_s = LONG_S,
                                     .identity = identity_new(NULL, nowhere, BYTES("ada"))});
        data_leave(r, c);
        free(c);
        r = crash(r, m);
        struct broker *b = home_of(r->k, "c");
        const struct attach a = {
            .client_id = BYTES("c"), .expiry_s = LONG_S, .ops = &client_ops, .sink = &other};
        bool present;
        int err = 0;
        assert_null(session_attach(b, &a, &present, &err));
        assert_int_equal(err, -ERR_DENIED);
        c = calloc(1, sizeof *c);
        data_attach(r, c,
                    &(struct attach){.client_id = BYTES("c"),
                                     .expiry_s = LONG_S,
                                     .identity = identity_new(NULL, nowhere, BYTES("ada"))});
        assert_true(c->present);
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

/* ---- logs that were written here ------------------------------------------------------------ */

struct own_log {
    struct sim_disk *sim;
    struct store_dir dir;
    struct disk *disk;
    struct store *store;
};

static int ignore(void *ctx, const struct store_record *s)
{
    (void)ctx;
    (void)s;
    return 0;
}

static struct own_log log_new(void)
{
    static const struct clock clock = {.now_ns = 1};
    static struct own_log l;
    l = (struct own_log){.sim = sim_disk_new()};
    l.disk = disk_new_inline(&l.sim->io);
    assert_int_equal(store_dir_open(&l.dir, &l.sim->io, "data", false), 0);
    const struct store_options o = {.io = &l.sim->io,
                                    .disk = l.disk,
                                    .dir = &l.dir,
                                    .generation = 1,
                                    .clock = &clock,
                                    .segment_bytes = DATA_SEGMENT};
    l.store = store_new(&o);
    assert_non_null(l.store);
    assert_int_equal(store_recover(l.store, &(struct store_replay){.record = ignore}), 0);
    store_start(l.store);
    return l;
}

static struct store_ref log_put(struct own_log *l, const struct record_buf *b)
{
    struct store_ref ref;
    assert_int_equal(store_append(l->store, &b->put, &ref), 0);
    return ref;
}

static struct sim_disk *log_end(struct own_log *l)
{
    assert_int_equal(store_close(&l->store), 0);
    assert_int_equal(store_dir_switch(&l->dir, 1, 1), 0);
    disk_free(&l->disk);
    store_dir_close(&l->dir);
    return l->sim;
}

/* A message for session 1, in flight at place `flight`. */
static void log_entry(struct own_log *l, uint64_t seq, const char *payload, uint32_t flight)
{
    struct record_buf b;
    record_put_body(
        &b, &(struct record_message){.topic = BYTES("a"), .qos = 1, .payload = bytes_str(payload)});
    struct record_entry e = {.sid = 1,
                             .seq = seq,
                             .qos = 1,
                             .state = RECORD_SENT,
                             .flight = flight,
                             .message_bytes = (uint32_t)(1 + strlen(payload))};
    e.body = log_put(l, &b);
    record_put_entry(&b, &e);
    log_put(l, &b);
}

static void log_session(struct own_log *l)
{
    struct record_buf b;
    record_put_session(&b, &(struct record_session){.client_id = BYTES("c"),
                                                    .sid = 1,
                                                    .expiry_s = LONG_S,
                                                    .durability = DURABILITY_COMMIT});
    log_put(l, &b);
}

static void a_window_that_was_half_renumbered_keeps_its_packet_ids(void **state)
{
    (void)state;
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct own_log l = log_new();
        log_session(&l);
        log_entry(&l, 1, "one", 7);
        log_entry(&l, 2, "two", 8);
        log_entry(&l, 3, "three", 65535u * 30000 + 9);
        log_entry(&l, 4, "four", 65535u * 30000 + 11);
        struct data_rig *r = data_rig_open(log_end(&l), cores, 0);
        struct client *c = data_client(r, "c", LONG_S);
        assert_string_equal(client_heard(c), "one two three four");
        assert_int_equal(c->note[0].packet_id, 8);
        assert_int_equal(c->note[1].packet_id, 9);
        assert_int_equal(c->note[2].packet_id, 10);
        assert_int_equal(c->note[3].packet_id, 12);
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

static void an_entry_without_its_body_is_counted_and_the_others_come(void **state)
{
    (void)state;
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct own_log l = log_new();
        struct record_buf b;
        log_session(&l);
        log_entry(&l, 1, "one", 0);
        record_put_entry(&b, &(struct record_entry){.sid = 1,
                                                    .seq = 2,
                                                    .body = {99ull << 32 | 64, 80},
                                                    .qos = 1,
                                                    .state = RECORD_SENT,
                                                    .flight = 1});
        log_put(&l, &b);
        log_entry(&l, 3, "three", 2);
        struct data_rig *r = data_rig_open(log_end(&l), cores, 0);
        assert_int_equal(r->found.lost, cores == 1 ? 1 : 0); /* else the rewriting has said it */
        assert_int_equal(r->found.messages, 2);
        struct client *c = data_client(r, "c", LONG_S);
        assert_string_equal(client_heard(c), "one three");
        data_leave(r, c);
        free(c);
        data_rig_free(r);
    }
}

/* Restart upon restart: what the logs say stays the same. */
static void nothing_changes_however_often_it_restarts(void **state)
{
    static const unsigned cores[] = {1, 2, 5, 5, 3, 1, 1, 2};
    struct data_rig *r = data_rig_open(sim_disk_new(), 2, 0);
    struct client *p = data_client(r, "publisher", 0), *c[8];
    unsigned n;
    (void)state;

    for (unsigned i = 0; i < 8; i++) {
        c[i] = data_client(r, data_name("c", i), LONG_S);
        data_sub(r, c[i], i % 3 ? "a/#" : "$share/g/a/#", (uint8_t)(1 + i % 2));
        if (i % 2) data_leave(r, c[i]); /* the others have it in flight */
    }
    for (unsigned i = 0; i < 40; i++)
        data_publish(r, p, data_name("a/", i % 7), data_name("m", i), 1 + i % 2);
    for (unsigned i = 0; i < 5; i++)
        data_publish(r, p, data_name("a/", i), data_name("r", i), 1 | SAY_RETAINED);
    for (unsigned i = 0; i < 8; i++) {
        if (i % 2 == 0) data_leave(r, c[i]);
        free(c[i]);
    }
    data_forget(p);
    data_advance(r, 2);
    for (unsigned i = 0; i < ARRAY_LEN(cores); i++) {
        struct image_text *before = data_text(r->sim, &n);
        r = data_rig_crash(r, cores[i], 1);
        assert_int_equal(r->found.lost, 0);
        struct image_text *after = data_text(r->sim, &n);
        assert_int_equal(n, cores[i]);
        assert_true(image_text_same(before, after));
        free(before);
        free(after);
    }
    data_rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_comes_to_everybody_in_its_order),
        cmocka_unit_test(what_is_published_afterwards_finds_its_subscribers),
        cmocka_unit_test(what_is_in_flight_is_sent_again_under_its_packet_id),
        cmocka_unit_test(what_is_retained_is_there_again),
        cmocka_unit_test(a_client_that_was_connected_has_its_will_sent),
        cmocka_unit_test(a_will_that_was_sent_is_not_sent_again),
        cmocka_unit_test(a_session_ends_when_its_time_is_over_wherever_it_was_spent),
        cmocka_unit_test(a_session_that_was_connected_has_all_its_time),
        cmocka_unit_test(a_share_groups_messages_wait_for_the_first_member),
        cmocka_unit_test(what_one_log_knew_and_another_did_not_comes_once_to_the_sessions_of_both),
        cmocka_unit_test(a_session_stays_its_users),
        cmocka_unit_test(a_window_that_was_half_renumbered_keeps_its_packet_ids),
        cmocka_unit_test(an_entry_without_its_body_is_counted_and_the_others_come),
        cmocka_unit_test(nothing_changes_however_often_it_restarts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
