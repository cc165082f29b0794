# SPDX-License-Identifier: BSD-3-Clause
"""Part of `durable`: what others on the same core notice of a load that is kept on disk.

A pair of clients of its own sends at QoS 0, a fixed number of messages a second, through the one
core that also carries the load: publishes at QoS 1, at a fixed rate too. Both brokers, with and
without persistence, get the same load and take turns, so that both have the same neighbours. The
pair's latency counts from the moment at which each message should have left. The core has CPU 0;
the kernel's workers, the load, and the pair go where there is room. Broker and pair go before other
programs if they may, since what is asked is what persistence adds, not what a busy machine does.
"""

import contextlib
import os
import subprocess

from . import disk, keepers, process
from .durable_load import SHAPE, WINDOW, broker_of
from .generators import PinionBench
from .report import median_of, table, times, verdict
from .session import Trouble

RATE, RATE_PAIR = 20000, 1000
WINDOWS, WINDOWS_QUICK, WINDOW_S, LEAD_S = 9, 3, 3, 1
BAR = 1.5
SUBJECTS = ("pinion, memory", "pinion, interval", "pinion, commit")
IDLE = "alone"


class Load:
    """Publishes beside the pair, while it is used with `with`."""

    def __init__(self, session, broker):
        command = [session.program("pinion"), "bench", "-p", broker.port, "-m", "acks", *SHAPE,
                   "-w", WINDOW, "-r", RATE, "-W", "0s", "-d", f"{WINDOW_S + 3 * LEAD_S}s",
                   "--json", "--name", "load"]
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=process.pinned({1}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def pair(session, broker, label):
    """Its latency in one window."""
    generator = PinionBench(session.program("pinion"))
    cpus = {2} if 2 in os.sched_getaffinity(0) else {1}
    r = generator.run_mode("pairs", broker.port, broker.pid, "-r", RATE_PAIR, "-q", 0, "-l", 16,
                           "-d", f"{WINDOW_S}s", "-W", f"{LEAD_S}s", first=True, cpus=cpus)
    if r["lost"] or r["failed"]:
        raise Trouble(f"{label}: the pair lost {r['lost']:.0f} messages, {r['failed']:.0f} clients")
    session.record(part="service", broker=label, **r)
    return r


def window(session, broker, label):
    """With the load beside it, or alone."""
    if label == IDLE:
        return pair(session, broker, label)
    with Load(session, broker) as load:
        r = pair(session, broker, label)
        if load.process.poll() is not None:
            raise Trouble(f"{label}: the load ended early")
        return r


def measure(session, brokers):
    """Label to medians; label IDLE is the first broker without a load."""
    runs = {label: [] for label in (IDLE, *brokers)}
    for i in range(WINDOWS_QUICK if session.quick else WINDOWS):
        for label, got in runs.items():
            session.progress(f"durable: service, {label}, window {i + 1}")
            got.append(window(session, brokers.get(label, brokers[SUBJECTS[0]]), label))
    return {label: median_of(r) for label, r in runs.items()}


def run(session):
    if not session.wants("pinion"):
        return
    with contextlib.ExitStack() as stack:
        brokers = {}
        for label in SUBJECTS:
            data = stack.enter_context(disk.fresh(session))
            keeper = keepers.BY_LABEL[label]
            brokers[label] = stack.enter_context(
                broker_of(session, keeper, data, cpus=os.sched_getaffinity(0), first=True))
        got = measure(session, brokers)
    base = got[SUBJECTS[0]]
    session.record(part="service", medians=got)
    print(f"A pair with {RATE_PAIR:,} messages a second beside {RATE:,} publishes a second:\n")
    table(["", "p50 us", "p99 us", "p99.9 us", "p99 of memory", f"within {BAR}x", "broker CPUs"],
          [[label, m["p50"] * 1000, m["p99"] * 1000, m["p99.9"] * 1000,
            times(m["p99"] / base["p99"]),
            verdict(m["p99"] / base["p99"], BAR, most=True) if "commit" in label else "",
            m["broker_cpu"]] for label, m in got.items()])
