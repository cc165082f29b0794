# SPDX-License-Identifier: BSD-3-Clause
"""clients that connect, leave and come again, per CPU-second of the broker

Plain, with a full TLS handshake each time (P-256), and with one that resumes the session before.
"""

from .generators import PinionBench
from .report import median_of, number, ratio, table, times

GOALS = {"tcp": (60000, 38600), "tls": (5000, 4100)}  # a second, where mosquitto makes so many
CLIENTS = 200
KINDS = (("tcp", ()), ("tls", ()), ("tls", ("--resume",)))


def name_of(transport, more):
    return " ".join([transport, *(m.lstrip("-") + "d" for m in more)])


def measure(session, broker, transport, more):
    generator = PinionBench(session.program("pinion"))
    measure_s, warmup_s = session.seconds
    how = {} if broker == "floor" else {"transport": transport}
    with session.broker(broker, **how) as b:
        r = generator.run_mode("connrate", b.port, b.pid, "-n", CLIENTS, "-t", transport, *more,
                               "-d", f"{int(measure_s * 1000)}ms",
                               "-W", f"{int(warmup_s * 1000)}ms")
    session.record(broker=broker, transport=name_of(transport, more), **r)
    return r


def run(session):
    for transport, more in KINDS:
        names = ["pinion", "mosquitto"] + (["floor"] if transport == "tcp" else [])
        runs = {b: [] for b in names if session.wants(b)}
        kind = name_of(transport, more)
        for i in range(session.runs):
            for broker, got in runs.items():
                session.progress(f"connects: {kind}, {broker}, run {i + 1}")
                got.append(measure(session, broker, transport, more))
        got = {b: median_of(r) for b, r in runs.items()}
        peer = got.get("mosquitto", {}).get("per_cpu")
        table([kind, "connects/s", "per CPU-second", "against mosquitto", "p50 ms", "p99 ms",
               "failed"],
              [[b, m["connections"], m["per_cpu"], times(ratio(m["per_cpu"], peer)), m["p50"],
                m["p99"], m["failed"]] for b, m in got.items()])
    for transport, (goal, where) in GOALS.items():
        print(f"Goal over {transport}, where mosquitto makes {number(where)}: {number(goal)}, "
              f"{times(goal / where)}.")
