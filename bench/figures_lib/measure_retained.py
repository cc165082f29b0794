# SPDX-License-Identifier: BSD-3-Clause
"""100,000 retained messages: stored, read through `#` (all, none twice), and removed"""

from .generators import PinionBench
from .report import median_of, ratio, table, times

MESSAGES = 100000
PAYLOAD = 64


def run(session):
    generator = PinionBench(session.program("pinion"))
    n = MESSAGES
    got = {}
    for name in [b for b in ("pinion", "mosquitto") if session.wants(b)]:
        runs = []
        for i in range(session.runs):
            session.progress(f"retained: {name}, run {i + 1}")
            with session.broker(name) as b:
                r = generator.run_mode("retain", b.port, b.pid, "-n", n, "-l", PAYLOAD)
                r["cpu_s"] = b.cpu_s()
            session.record(broker=name, **r)
            runs.append(r)
        got[name] = median_of(runs)
    fields = ("stored", "read", "cleared", "lost", "duplicate", "rss_per_message", "cpu_s")
    rows = [[b, *(m[k] for k in fields)] for b, m in got.items()]
    if len(got) == 2:
        rows.append(["pinion / mosquitto", *(times(ratio(got["pinion"][k], got["mosquitto"][k]))
                     if k not in ("lost", "duplicate") else "" for k in fields)])
    table(["", "stored/s", "read/s", "removed/s", "lost", "twice", "RSS per message",
           "CPU s, all three"], rows)
    print(f"{n:,} messages with {PAYLOAD} bytes of payload each, one publisher at QoS 1, one "
          "subscriber.")
