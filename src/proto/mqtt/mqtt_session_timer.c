/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_timer.c -- two time limits on one timer: until CONNECT has come, and then
 * between packets. The net keeps the stamp of the last bytes; the timer only looks at it. */
#include <stddef.h>

#include "proto/mqtt/mqtt_session_internal.h"

/* One and a half times the keep alive, and a second because stamps are whole seconds:
 * no client is closed before its time [MQTT-3.1.2-22]. */
static uint32_t patience_s(const struct mqtt *m)
{
    return (3u * m->keep_alive_s + 1) / 2 + 1;
}

static void on_keep_alive(struct mqtt *m, uint32_t now_s)
{
    struct conn *c = m->conn;

    /* While we don't read, silence is not the client's, unless it takes none of our answers. */
    if (conn_is_excused(c)) c->last_rx_s = now_s;

    uint32_t due_s = c->last_rx_s + patience_s(m);
    if (now_s < due_s)
        wheel_arm(&m->core->core->wheel, &m->timer, due_s);
    else
        mqtt_end(m, MQTT_RC_KEEP_ALIVE_TIMEOUT);
}

static void on_timer(struct timer *t)
{
    struct mqtt *m = CONTAINER_OF(t, struct mqtt, timer);

    if (m->conn->flags & CONN_CLOSING) return;
    if (m->flags & MQTT_RATED)
        mqtt_rate_over(m);
    else if (m->state == MQTT_ONLINE)
        on_keep_alive(m, core_now_s(m->core->core));
    else
        mqtt_end(m, MQTT_RC_MAXIMUM_CONNECT_TIME);
}

void mqtt_timer_start(struct mqtt *m)
{
    struct core *core = m->core->core;

    m->timer.fire = on_timer;
    wheel_arm(&core->wheel, &m->timer, core_now_s(core) + m->core->options.connect_timeout_s);
}

void mqtt_keep_alive_start(struct mqtt *m)
{
    struct wheel *w = &m->core->core->wheel;

    if (m->keep_alive_s)
        wheel_arm(w, &m->timer, core_now_s(m->core->core) + patience_s(m));
    else
        wheel_cancel(w, &m->timer); /* [MQTT-3.1.2.10]: zero turns it off */
}
