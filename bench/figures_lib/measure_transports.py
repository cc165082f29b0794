# SPDX-License-Identifier: BSD-3-Clause
"""pairs at QoS 0 over TCP, TLS and WebSocket, per CPU-second of a broker on one core

Both brokers get the same transport from the same generator, and take turns. The share of plain
TCP is that of the same run.
"""

from . import scenarios
from .report import median_of, ratio, table, times, verdict

TRANSPORTS = ("tcp", "tls", "ws", "wss")
BARS = {"tcp": 19, "tls": 16, "ws": 10}  # the best known broker's, against mosquitto
SHARE = 0.75  # of plain TCP


def measure(session, scenario, broker, transport):
    with session.broker(broker, transport=transport) as b:
        r = session.options.generator.run_flow(scenario, b.port, b.pid, session.seconds, transport)
    session.record(scenario=scenario.letter, broker=broker, transport=transport, **r)
    return r


def medians(session, scenario):
    """(broker, transport) to medians."""
    runs = {(b, t): [] for t in TRANSPORTS for b in ("pinion", "mosquitto") if session.wants(b)}
    for i in range(session.runs):
        for (broker, transport), got in runs.items():
            session.progress(f"transports: {transport}, {broker}, run {i + 1}")
            got.append(measure(session, scenario, broker, transport))
    return {key: median_of(got) for key, got in runs.items()}


def run(session):
    got = medians(session, scenarios.BY_LETTER["B"])

    def per_cpu(broker, transport):
        return got.get((broker, transport), {}).get("per_cpu")

    rows = []
    for t in TRANSPORTS:
        own, peer = per_cpu("pinion", t), per_cpu("mosquitto", t)
        share, r = ratio(own, per_cpu("pinion", "tcp")), ratio(own, peer)
        bar = BARS.get(t)
        rows.append([t, own, f"{share:.0%}" if share else "-", verdict(share, SHARE), peer,
                     times(r), times(bar), times(2 * bar if bar else None), verdict(r, bar),
                     sum(m["lost"] + m["failed"] for (_, k), m in got.items() if k == t)])
        session.record(transport=t, medians={b: m for (b, k), m in got.items() if k == t},
                       share=share, ratio=r, bar=bar)
    table(["", "pinion", "of tcp", f"{SHARE:.0%}?", "mosquitto", "ratio", "bar", "goal", "bar met",
           "lost, failed"], rows)
