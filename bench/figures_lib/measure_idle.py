# SPDX-License-Identifier: BSD-3-Clause
"""what an idle connection holds in memory, and what an idle broker uses of the CPU

Connections greet and then do nothing. Resident memory is read from /proc before and after;
CPU time is that of all threads while nothing happens.
"""

import time

from . import mqtt
from .report import table

BAR, GOAL = 2048, 700  # resident bytes per connection
CONNECTIONS = 9000


def idle_cpu_ms(broker, seconds):
    """Milliseconds of CPU that it uses while nothing happens."""
    before = broker.cpu_s()
    time.sleep(seconds)
    return (broker.cpu_s() - before) * 1000


def measure(session, name, seconds):
    with session.broker(name) as b:
        time.sleep(0.5)
        alone = idle_cpu_ms(b, seconds)
        before = b.rss()
        clients = []
        try:
            for i in range(CONNECTIONS):
                clients.append(mqtt.Client(b.port, f"idle-{i}"))
            time.sleep(0.5)
            after = b.rss()
            busy = idle_cpu_ms(b, seconds)
        finally:
            for c in clients:
                c.close()
    return {"rss_before": before, "rss_after": after,
            "rss_per_connection": (after - before) / CONNECTIONS,
            "idle_ms": alone, "idle_connected_ms": busy, "seconds": seconds}


def run(session):
    seconds = 3 if session.quick else 10
    rows = []
    for name in [b for b in ("pinion", "mosquitto") if session.wants(b)]:
        session.progress(f"idle: {name}")
        r = measure(session, name, seconds)
        session.record(broker=name, connections=CONNECTIONS, **r)
        rows.append([name, r["rss_before"] / 2**20, r["rss_after"] / 2**20,
                     r["rss_per_connection"], r["idle_ms"], r["idle_connected_ms"]])
    table(["", "RSS before, MiB", f"with {CONNECTIONS:,} connections", "bytes per connection",
           f"CPU ms in {seconds} s, alone", "CPU ms, connected"], rows)
    print(f"Bar: {BAR:,} bytes per connection and no CPU time; goal: {GOAL} bytes.")
