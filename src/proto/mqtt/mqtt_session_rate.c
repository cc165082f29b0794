/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_rate.c -- a client that publishes faster than its rates allow.
 *
 * The message that uses a window up is still taken. Then the client is not read until the window
 * has passed, and loses nothing; or, if that would take longer than a minute or is not wanted, its
 * next message is not taken and it is sent away. Nothing that was acknowledged is lost. */
#include "proto/mqtt/mqtt_session_internal.h"

static void tell(const struct mqtt *m, const struct allowance_end *e, const char *action)
{
    LOG(&m->core->core->log, LOG_WARN, "client_over_rate",
        F_TEXT("client", session_client_id(m->session)), F_STR("setting", allowance_setting(e)),
        F_STR("action", action), F_U64("wait_s", e->wait_s));
}

static void hold(struct mqtt *m, const struct allowance_end *e)
{
    struct core *core = m->core->core;

    count(&core->counters, C_limited_rate_wait);
    tell(m, e, "wait");
    mqtt_pause(m, MQTT_RATED);
    wheel_arm(&core->wheel, &m->timer, core_now_s(core) + e->wait_s);
}

void mqtt_rate_over(struct mqtt *m)
{
    mqtt_go_on(m, MQTT_RATED);
    mqtt_keep_alive_start(m);
}

int mqtt_spend(struct mqtt *m, uint32_t bytes)
{
    struct core *core = m->core->core;
    struct allowance *a = m->session->allowance;
    const struct allowance_limits *l = &broker_options(m->core->broker)->rates;
    struct allowance_end e = allowance_ended(a, l, core_now_s(core));

    if (e.wait_s && (l->disconnects || e.window > ALLOWANCE_MINUTE)) {
        count(&core->counters, C_limited_rate_end);
        tell(m, &e, "disconnect");
        return MQTT_RC_MESSAGE_RATE_TOO_HIGH;
    }
    allowance_spend(a, core_now_s(core), bytes);
    e = allowance_ended(a, l, core_now_s(core));
    if (e.wait_s && !l->disconnects && e.window <= ALLOWANCE_MINUTE) hold(m, &e);
    return 0;
}
