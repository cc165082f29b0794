/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_memory.c -- CONNECT with each allocation failing in its turn: the client
 * comes in or is sent away, and afterwards no place is lost and nothing is left. */
#include "broker/access/access.h"
#include "broker/access/acl.h"
#include "broker/access/door.h"
#include "unit/mqtt/test_mqtt_session_rig.h"

/* ---- memory, linked in place of the library's (--wrap) ------------------------------------- */

static unsigned fail_in; /* this allocation fails, counted from 1; 0: none */
static bool failed;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    bool now = fail_in > 0 && --fail_in == 0;
    failed |= now;
    return now;
}

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

/* ---- a login -------------------------------------------------------------------------------- */

static void use_rules(struct rig *r)
{
    static const struct acl_rule rule = {.allow = true, .actions = ACL_ALL, .place = 1};
    static const struct acl_options plain = {.allow_rest = false};
    char error[ACCESS_ERROR];

    for (unsigned i = 0; i < r->cores; i++) {
        struct access_options o = {.acl = acl_new(&rule, 1, &plain)};
        struct access *a = access_new(&o, error);
        assert_non_null(a);
        broker_set_access(r->broker[i], a);
    }
    rig_settle(r);
}

/* The n-th allocation after CONNECT has come fails. False: there were fewer. */
static bool attempt(struct access_door *door, const char *connect, unsigned n)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);
    r->listener.proto_ctx = door;
    use_rules(r);
    int fd = client_at(r, 0);
    rig_settle(r);
    size_t bytes = packet(connect, r->wanted);
    assert_int_equal(send(fd, r->wanted, bytes, MSG_NOSIGNAL), bytes);
    failed = false;
    fail_in = n;
    rig_settle(r);
    fail_in = 0;
    client_gone(r, fd);
    client_gone(r, client_online(r, 4, "next")); /* the only place is free */
    rig_free(r);
    return failed;
}

static void a_login_without_memory_loses_no_place(void **state)
{
    static const char *const connects[] = {
        "10[ <MQTT> 04 02 0000 <a> ]",
        "10[ <MQTT> 04 00 0000 <b> ]",
        "10[ <MQTT> 05 06 003c ( 11 00000010 ) <will> ( 02 00000005 ) <w/t> <gone> ]",
    };
    struct access_door doors[8] = {{.name = NULL}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(connects) * ARRAY_LEN(doors); i++) {
        struct access_door *door =
            &doors[i % ARRAY_LEN(doors)]; /* their counts are of both cores */
        unsigned n = 1;
        *door = (struct access_door){
            .name = "door", .connections_max = 1, .loopback = true, .anonymous = DOOR_ALLOWED};
        while (attempt(door, connects[i / ARRAY_LEN(doors)], n))
            n++;
        assert_true(n > 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_without_memory_loses_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
