# SPDX-License-Identifier: BSD-3-Clause
"""100,000 retained messages: stored, read through `#` (all, none twice), and removed

mosquitto is measured twice. As it comes, a PUBACK waits until the one before has been acknowledged
by TCP, 40 ms at a time, which makes storing slow; with `set_tcp_nodelay true` every message is a
segment of its own, which makes reading slow. Pinion is compared with the better of both.
"""

from .generators import PinionBench
from .report import median_of, ratio, table, times

MESSAGES = 100000
PAYLOAD = 64
SPEEDS = ("stored", "read", "cleared")
FIELDS = (*SPEEDS, "lost", "duplicate", "rss_per_message", "cpu_s")
BROKERS = {
    "pinion": ("pinion", {}),
    "mosquitto": ("mosquitto", {}),
    "mosquitto, nodelay": ("mosquitto", {"settings": ["set_tcp_nodelay true"]}),
}


def measure(session, generator, label):
    name, how = BROKERS[label]
    runs = []
    for i in range(session.runs):
        session.progress(f"retained: {label}, run {i + 1}")
        with session.broker(name, **how) as b:
            r = generator.run_mode("retain", b.port, b.pid, "-n", MESSAGES, "-l", PAYLOAD)
            r["cpu_s"] = b.cpu_s()
        session.record(broker=label, **r)
        runs.append(r)
    return median_of(runs)


def compare(own, peers):
    """A row of ratios, each with the peer that is better in it."""
    row = []
    for k in FIELDS:
        theirs = (max if k in SPEEDS else min)(p[k] for p in peers)
        row.append("" if k in ("lost", "duplicate") else times(ratio(own[k], theirs)))
    return row


def run(session):
    generator = PinionBench(session.program("pinion"))
    got = {label: measure(session, generator, label)
           for label, (name, _) in BROKERS.items() if session.wants(name)}
    rows = [[b, *(m[k] for k in FIELDS)] for b, m in got.items()]
    peers = [m for b, m in got.items() if b != "pinion"]
    if peers and "pinion" in got:
        rows.append(["pinion / mosquitto", *compare(got["pinion"], peers)])
    table(["", "stored/s", "read/s", "removed/s", "lost", "twice", "RSS per message",
           "CPU s, all three"], rows)
    print(f"{MESSAGES:,} messages with {PAYLOAD} bytes of payload each, one publisher at QoS 1, "
          "one subscriber.")
