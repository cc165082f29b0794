/* SPDX-License-Identifier: BSD-3-Clause */
/* certificates.c -- the log says in time when a certificate or a list is about to end, once a day
 * until somebody has put another in its place. On the main thread. */
#include "app/serve/serve.h"

enum { DAY_S = 24 * 3600, CERTIFICATE_DAYS = 30, LIST_DAYS = 2 };

static void warn(struct serve *s, const char *event, unsigned i, int64_t end_s, int days)
{
    char address[SOCK_ADDR_TEXT];
    struct log *log = serve_log(s);
    int64_t left_s = end_s - (int64_t)(s->clock.wall_ms / 1000);

    if (end_s == 0 || left_s > (int64_t)days * DAY_S) return;
    LOG(log, left_s > 0 ? LOG_WARN : LOG_ERROR, event,
        F_STR("listener", sock_addr_text(&s->listener[i].addr, address)),
        F_I64("not_after_s", end_s), F_I64("days_left", left_s > 0 ? left_s / DAY_S : 0),
        F_STR("state", left_s > 0 ? "ends soon" : "has ended"));
}

int serve_certificates_watch(struct serve *s, bool now)
{
    const uint64_t day_ns = DAY_S * NS_PER_S;

    serve_log(s); /* reads the clock */
    if (!now && s->clock.now_ns < s->certificates_due_ns)
        return (int)((s->certificates_due_ns - s->clock.now_ns) / NS_PER_MS) + 1;
    for (unsigned i = 0; i < NET_LISTENERS_MAX; i++) {
        if (!s->tls[i]) continue;
        warn(s, "certificate_ends", i, tls_context_expiry(s->tls[i]), CERTIFICATE_DAYS);
        warn(s, "revocation_list_ends", i, tls_context_crl_expiry(s->tls[i]), LIST_DAYS);
    }
    s->certificates_due_ns = s->clock.now_ns + day_ns;
    return (int)(day_ns / NS_PER_MS);
}
