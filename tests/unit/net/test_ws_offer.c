/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/ws_offer.h"

#define AGREED                                                                                     \
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "                   \
    "client_no_context_takeover"

/* What a client offers, and what it is told. */
static const struct {
    const char *offer, *answer;
    uint8_t bits;
} rows[] = {
    {"permessage-deflate", AGREED "\r\n", 15},
    {"permessage-deflate; client_max_window_bits", AGREED "\r\n", 15},
    {" permessage-deflate ;\tclient_max_window_bits = 10 ", AGREED "\r\n", 15},
    {"permessage-deflate; server_no_context_takeover; client_no_context_takeover", AGREED "\r\n",
     15},
    {"permessage-deflate;server_max_window_bits=10", AGREED "; server_max_window_bits=10\r\n", 10},
    {"permessage-deflate;server_max_window_bits=\"15\"", AGREED "; server_max_window_bits=15\r\n",
     15},
    {"permessage-deflate; server_max_window_bits=8", "", 0},
    {"permessage-deflate; server_max_window_bits=8, permessage-deflate", AGREED "\r\n", 15},
    {"x-webkit-deflate-frame, permessage-deflate;server_max_window_bits=9;client_max_window_bits",
     AGREED "; server_max_window_bits=9\r\n", 9},
    {"", "", 0},
    {",,", "", 0},
    {"permessage-deflates", "", 0},
    {"permessage-deflate; server_max_window_bits", "", 0},
    {"permessage-deflate; server_max_window_bits=16", "", 0},
    {"permessage-deflate; server_max_window_bits=09", "", 0},
    {"permessage-deflate; server_max_window_bits=\"10", "", 0},
    {"permessage-deflate; client_max_window_bits=7", "", 0},
    {"permessage-deflate; client_max_window_bits=", "", 0},
    {"permessage-deflate; server_no_context_takeover=1", "", 0},
    {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", "", 0},
    {"permessage-deflate; level=9", "", 0},
    {"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", "", 0},
};

static void the_first_offer_that_can_be_kept_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char room[WS_OFFER_ANSWER_MAX];
        struct writer w = wr_of(room, sizeof room);
        struct ws_deflate d = {.agreed = false};
        ws_offer_read(&d, bytes_str(rows[i].offer));
        ws_offer_put(&w, &d);
        assert_false(w.bad);
        if (!bytes_eq(bytes_of(room, wr_len(&w)), bytes_str(rows[i].answer)))
            fail_msg("%s: %.*s", rows[i].offer, (int)wr_len(&w), room);
        assert_int_equal(d.window_bits, rows[i].bits);
    }
}

static void offers_may_stand_in_several_headers(void **state)
{
    struct ws_deflate d = {.agreed = false};

    (void)state;
    ws_offer_read(&d, BYTES("something"));
    ws_offer_read(&d, BYTES("permessage-deflate; server_max_window_bits=12"));
    ws_offer_read(&d, BYTES("permessage-deflate"));
    assert_true(d.agreed);
    assert_int_equal(d.window_bits, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_offer_that_can_be_kept_is_taken),
        cmocka_unit_test(offers_may_stand_in_several_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
