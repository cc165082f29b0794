# SPDX-License-Identifier: BSD-3-Clause
"""Part of `durable`: how much of what the disk can do reaches the publishers.

How many messages share a commit, and how many bytes it has, is asked of the broker's metrics. A
plain program (`bench/micro/store --plain`) then writes and syncs as many bytes again and again, one
commit after the other, into a file filled with zeros beside the broker's: what it would acknowledge
in a second with the same groups is what the disk can do. Both may use all CPUs: a sync ends in
kernel threads, and who shares a CPU with them waits for it.
"""

import http.client
import json
import os
import re
import secrets

from . import disk, keepers, process
from .generators import PinionBench
from .process import free_port
from .report import median_of, table
from .session import Trouble

LOADS = ((1, 1), (16, 1), (64, 16), (500, 16))  # publishers, and how many each has in flight
SESSIONS, PAYLOAD = 1, 128
SECONDS, SECONDS_QUICK = 3, 1
COMMITS, BYTES = "pinion_log_commits_total", "pinion_log_written_bytes_total"


class Metrics:
    """The admin interface of a broker yet to be started with `settings`."""

    def __init__(self, session):
        self.port = free_port()
        self.token = secrets.token_hex(32)
        file = session.scratch / f"token-{self.port}"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(self.token + "\n")
        self.settings = (f"admin.address=127.0.0.1:{self.port}", f"admin.token_file={file}")

    def read(self):
        """Name to the sum over all labels."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request("GET", "/metrics", headers={"Authorization": f"Bearer {self.token}"})
        text = c.getresponse().read().decode()
        c.close()
        sums = {}
        for name, value in re.findall(r"^([a-z_0-9]+)(?:\{.*\})? (\S+)$", text, re.M):
            sums[name] = sums.get(name, 0) + float(value)
        return sums


def plain(session, data, size):
    """What a plain program does with commits of `size` bytes."""
    command = [session.program("bench/micro/store"), "--plain", size, "--json", "--dir", data]
    command += ["--quick"] if session.quick else []
    out, _ = process.run(command, os.sched_getaffinity(0), 60)
    return json.loads(out)


def measure(session, publishers, window):
    generator = PinionBench(session.program("pinion"))
    seconds = SECONDS_QUICK if session.quick else SECONDS
    metrics = Metrics(session)
    settings = (*keepers.PINION_QUEUES, *metrics.settings)
    with disk.fresh(session) as data:
        kept = (f"data.dir={data / 'log'}", "data.durability=commit")
        with session.broker("pinion", settings=(*settings, *kept),
                            cpus=os.sched_getaffinity(0)) as b:
            before = metrics.read()
            r = generator.run_mode("acks", b.port, b.pid, "-P", publishers, "-S", SESSIONS, "-l",
                                   PAYLOAD, "-w", window, "--away", "-W", "0s", "-d", f"{seconds}s")
            after = metrics.read()
        commits = after.get(COMMITS, 0) - before.get(COMMITS, 0)
        if not commits:
            raise Trouble("raw: the broker's metrics tell of no commits")
        p = plain(session, data, int((after[BYTES] - before[BYTES]) / commits))
    group = r["published"] / commits
    r.update(group=group, bytes=p["bytes"], plain=p["commits_per_s"] * group,
             share=r["acked"] / (p["commits_per_s"] * group), plain_p50=p["p50_us"] / 1000,
             plain_p99=p["p99_us"] / 1000)
    session.record(part="raw", **r)
    return r


def run(session):
    if not session.wants("pinion"):
        return
    rows = []
    for publishers, window in LOADS:
        runs = []
        for i in range(session.runs):
            session.progress(f"durable: raw, {publishers} publishers, run {i + 1}")
            runs.append(measure(session, publishers, window))
        m = median_of(runs)
        rows.append([f"{publishers} x {window}", m["group"], m["bytes"], m["acked"], m["plain"],
                     f"{m['share']:.0%}", m["p50"], m["p99"], m["plain_p50"], m["plain_p99"]])
    print("Acknowledged from disk, and what a plain program makes of the same disk with the same "
          "groups:\n")
    table(["publishers x in flight", "messages per commit", "bytes per commit", "acks/s",
           "plain program/s", "share", "ack p50 ms", "ack p99 ms", "plain p50 ms",
           "plain p99 ms"], rows)
