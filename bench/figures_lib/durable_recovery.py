# SPDX-License-Identifier: BSD-3-Clause
"""Part of `durable`: a start after a crash, with messages that wait for clients who are away.

The broker is killed as soon as the last message is acknowledged. What does not survive that is
ended in good order instead. A start takes from the call of the program to the first CONNACK; pages
that the kernel remembers are not read from the disk.
"""

import time

from . import disk, keepers, mqtt
from .durable_load import SHAPE, SESSIONS, PUBLISHERS, WINDOW, broker_of
from .generators import PinionBench
from .report import median_of, table
from .session import Trouble

MESSAGES = {"pinion, commit": 1000000, "mosquitto": 1000000, "nats": 200000}
QUICK = 0.1
FILL_S = 120
HEAD = ["", "ended by", "waiting", "filled/s", "RSS MiB", "files MiB", "stop s", "start s",
        "s per million", "CPU s of that", "RSS MiB after", "peak MiB", "taken back/s", "lost",
        "twice"]


def stop(keeper, broker):
    """Seconds that it took."""
    began = time.monotonic()
    if keeper.survives_kill:
        broker.kill()
    else:
        broker.end()
        broker.killed = True
    return time.monotonic() - began


def start_s(broker):
    """Seconds from the call of the program to its first CONNACK."""
    mqtt.Client(broker.port, "first").close()
    return time.monotonic() - broker.began


def measure(session, keeper):
    generator = PinionBench(session.program("pinion"))
    n = int(MESSAGES[keeper.label] * (QUICK if session.quick else 1))
    with disk.fresh(session) as data:
        with broker_of(session, keeper, data) as b:
            f = generator.run_mode("acks", b.port, b.pid, *SHAPE, "-w", WINDOW, "--away", "-W",
                                   "0s", "-n", n, "-d", f"{FILL_S}s", "--name", "recovery",
                                   timeout_s=2 * FILL_S)
            if f["unacknowledged"] or f["failed"]:
                raise Trouble(f"{keeper.label}: {f['unacknowledged']:.0f} not acknowledged, "
                              f"{f['failed']:.0f} clients failed")
            r = {"waiting": f["published"], "filled": f["acked"], "rss_full": b.rss(),
                 "stop_s": stop(keeper, b), "files": disk.used(data)}
        with broker_of(session, keeper, data) as b:
            r.update(start_s=start_s(b), start_cpu_s=b.cpu_s(), rss=b.rss(), peak=b.peak())
            d = generator.run_mode("drain", b.port, b.pid, *SHAPE, "--name", "recovery",
                                   "-n", int(f["published"]), timeout_s=2 * FILL_S)
        r.update(drained=d["received"], lost=d["lost"], duplicate=d["duplicate"])
    session.record(part="recovery", broker=keeper.label, **r)
    return r


def row(keeper, m):
    mib = {k: m[k] / 2**20 for k in ("rss_full", "files", "rss", "peak")}
    return [keeper.label, "kill -9" if keeper.survives_kill else "SIGTERM", m["waiting"],
            m["filled"], mib["rss_full"], mib["files"], m["stop_s"], m["start_s"],
            m["start_s"] * 1e6 / m["waiting"], m["start_cpu_s"], mib["rss"],
            mib["peak"], m["drained"], m["lost"], m["duplicate"]]


def run(session):
    rows = []
    for keeper in [keepers.BY_LABEL[s] for s in MESSAGES]:
        if not session.wants(keeper.broker):
            continue
        try:
            runs = []
            for i in range(session.runs if keeper.broker == "pinion" else 1):
                session.progress(f"durable: recovery, {keeper.label}, run {i + 1}")
                runs.append(measure(session, keeper))
            rows.append(row(keeper, median_of(runs)))
        except keepers.Missing as e:
            rows.append([keeper.label, str(e), *["-"] * (len(HEAD) - 2)])
        except Trouble as e:
            session.trouble(f"recovery: {e}")
            rows.append([keeper.label, "failed, see above", *["-"] * (len(HEAD) - 2)])
    print(f"A start with messages of {PUBLISHERS} publishers waiting for {SESSIONS} sessions:\n")
    table(HEAD, rows)
