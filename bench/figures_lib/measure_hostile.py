# SPDX-License-Identifier: BSD-3-Clause
"""a pair's latency beside 10,000 connections that are slow, silent, half-open or deaf

The pair has a rate of its own (QoS 1, so each message is also acknowledged); its latency counts
from the moment at which a message should have left. It is measured alone, in the crowd (see
crowd.py), and alone again, since on a machine that others use the last two tell what the machine
does. Broker and generator go before other programs if they may, for the same reason; the crowd
shares the broker's CPU, as the generator spins on its own.
"""

import pathlib
import resource
import subprocess
import sys

from . import brokers, process
from .generators import PinionBench
from .report import median_of, table, times, verdict
from .session import Trouble

CROWD = 10000
SPARE_FILES = 200
RATE = 250
BAR = 2.0
WINDOWS, WINDOWS_QUICK, WINDOW_S = 9, 5, 3
QUANTILES = ("p50", "p99")


class Crowd:
    """The program, while it is used with `with`."""

    def __init__(self, ports, n):
        self.process = subprocess.Popen(
            [sys.executable, "-B", pathlib.Path(__file__).with_name("crowd.py"),
             *(str(p) for p in ports), str(n)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=process.pinned({0}))

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            raise Trouble("the crowd did not get in")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def count(self):
        """Who is there, and who was thrown out so far."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return {k: int(v) for k, v in (w.split("=") for w in self.process.stdout.readline().split())}


def settings(session, port, tls_port):
    """Lines of configuration with a second listener."""
    pem, key = brokers.certificate(session)
    conf = session.scratch / "hostile.yaml"
    conf.write_text(f"listeners:\n  - address: 127.0.0.1:{port}\n"
                    f"  - address: 127.0.0.1:{tls_port}\n    transport: tls\n"
                    f"    tls: {{certificate: {pem}, key: {key}}}\n")
    command = [session.program("pinion"), "serve", "--config", conf, "--set", "cores=1"]
    for s in brokers.PINION_SETTINGS:
        command += ["--set", s]
    return command


def latency(session, broker, where):
    """The medians of some windows, alternating with nothing: what the machine does besides is in
    some of them and not in others."""
    generator = PinionBench(session.program("pinion"))
    windows = []
    for i in range(WINDOWS_QUICK if session.quick else WINDOWS):
        session.progress(f"hostile: {where}, window {i + 1}")
        r = generator.run_mode("pairs", broker.port, broker.pid, "-r", RATE, "-q", 1,
                               "-d", f"{WINDOW_S}s", "-W", "500ms", first=True)
        if r["lost"] or r["failed"]:
            raise Trouble(f"the pair lost {r['lost']:.0f} messages, {r['failed']:.0f} clients")
        session.record(where=where, **r)
        windows.append(r)
    return median_of(windows)


def run_in(session, broker, ports, n):
    """(alone, in the crowd, alone again, who was there)"""
    alone = latency(session, broker, "alone")
    session.progress("hostile: the crowd comes")
    with Crowd(ports, n) as crowd:
        crowded = latency(session, broker, "in the crowd")
        crowded["rss"] = broker.rss()
        there = crowd.count()
    return alone, crowded, latency(session, broker, "alone again"), there


def run(session):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    n = min(CROWD, files - SPARE_FILES) // 4 * 4
    if n < CROWD:
        print(f"Only {n} connections: `ulimit -n` is {files} "
              f"(prlimit --pid $$ --nofile={CROWD + SPARE_FILES}).")
    port, tls_port = process.free_port(), process.free_port()
    broker = process.Child("pinion", settings(session, port, tls_port), port, (0,), first=True)
    try:
        broker.wait_until_it_listens()
        alone, crowded, again, there = run_in(session, broker, (port, tls_port), n)
    except OSError as e:
        raise Trouble(e) from e
    finally:
        broker.end()
        session.progress("")
    rows = []
    for q in QUANTILES:
        r = crowded[q] / max(alone[q], again[q])
        rows.append([f"{q} us", alone[q] * 1000, crowded[q] * 1000, again[q] * 1000, times(r),
                     verdict(r, BAR, most=True)])
    session.record(connections=n, alone=alone, crowded=crowded, again=again, there=there)
    table([f"{n:,} connections", "alone", "in the crowd", "alone again", "ratio", "within 2x"], rows)
    table(["kind", "there", "thrown out so far"],
          [[k, there[k], there[f"{k}_lost"]] for k in ("silent", "slow", "hello", "deaf")])
    print(f"CPU of the broker: {alone['broker_cpu']:.3f} alone, {crowded['broker_cpu']:.3f} in the "
          f"crowd, where it takes {crowded['rss'] / 2**20:.0f} MiB.")
