# SPDX-License-Identifier: BSD-3-Clause
"""mail through the mesh's ring between two pinned threads, beside plain ck_ring"""

import json

from . import process
from .report import table, verdict
from .session import Trouble

BAR = 700  # mails per microsecond


def run(session):
    program = session.program("bench/micro/rings")
    command = [program, "--json"] + (["--quick"] if session.quick else [])
    try:
        out, _ = process.run(command, {0, 1}, 300)
    except OSError as e:
        raise Trouble(str(e)) from e
    results = [json.loads(line) for line in out.splitlines()]
    for r in results:
        session.record(result=r)
    show(results)


def show(results):
    rows = []
    best = 0
    for r in results:
        if r.get("measure") != "throughput":
            continue
        speed = r["mails_per_s"] / 1e6
        best = max(best, speed if r["subject"] != "ck_ring" else 0)
        rows.append([r["subject"], r.get("slots"), r.get("batch"), speed, r.get("ns_per_mail")])
    table(["", "slots", "batch", "mails per us", "ns per mail"], rows)
    print(f"Best of ours: {best:,.0f} mails per microsecond; bar {BAR}: {verdict(best, BAR)}. "
          "Round trips, growth and wake-ups are in the JSON lines and in bench/micro/rings.")
