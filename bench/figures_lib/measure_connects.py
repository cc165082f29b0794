# SPDX-License-Identifier: BSD-3-Clause
"""clients that connect, leave and come again, per CPU-second of the broker"""

from .report import median_of, number, ratio, table, times

GOAL = 60000  # a second, on the machine of the design figures
CLIENTS = 200


def run(session):
    from .generators import PinionBench
    generator = PinionBench(session.program("pinion"))
    measure_s, warmup_s = session.seconds
    got = {}
    for name in [b for b in ("pinion", "mosquitto", "floor") if session.wants(b)]:
        runs = []
        for i in range(session.runs):
            session.progress(f"connects: {name}, run {i + 1}")
            with session.broker(name) as b:
                r = generator.run_mode("connrate", b.port, b.pid, "-n", CLIENTS,
                                       "-d", f"{int(measure_s * 1000)}ms",
                                       "-W", f"{int(warmup_s * 1000)}ms")
            session.record(broker=name, **r)
            runs.append(r)
        got[name] = median_of(runs)
    peer = got.get("mosquitto", {}).get("per_cpu")
    table(["", "connects/s", "per CPU-second", "against mosquitto", "p50 ms", "p99 ms", "failed"],
          [[b, m["connections"], m["per_cpu"], times(ratio(m["per_cpu"], peer)), m["p50"],
            m["p99"], m["failed"]] for b, m in got.items()])
    print(f"Goal, where mosquitto makes 38,600: {number(GOAL)}, 1.55x.")
