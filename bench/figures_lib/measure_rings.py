# SPDX-License-Identifier: BSD-3-Clause
"""mail through the mesh's ring between two pinned threads, beside plain ck_ring"""

import json

from . import process
from .report import number, table, verdict
from .session import Trouble

BAR = 700  # mails per microsecond


def run(session):
    program = session.program("bench/micro/rings")
    command = [program, "--json"] + (["--quick"] if session.quick else [])
    try:
        out, _ = process.run(command, {0, 1}, 300)
        results = [json.loads(line) for line in out.splitlines()]
        for r in results:
            session.record(result=r)
        show_throughput([r for r in results if r["measure"] == "throughput"])
        show_rest([r for r in results if r["measure"] != "throughput"])
    except (OSError, ValueError, KeyError) as e:
        raise Trouble(f"{type(e).__name__}: {e}") from e


def show_throughput(results):
    """A row per capacity, a column per batch."""
    columns = list(dict.fromkeys((r["subject"], r["batch"]) for r in results))
    capacities = list(dict.fromkeys(r["capacity"] for r in results))
    speed = {(r["capacity"], r["subject"], r["batch"]): r["mails_per_us"] for r in results}
    table(["mails per us, slots", *(f"{s}, batch {b}" for s, b in columns)],
          [[number(c), *(speed.get((c, *column)) for column in columns)] for c in capacities])
    best = max((r["mails_per_us"] for r in results if r["subject"] != "ck_ring"), default=None)
    plain = max((r["mails_per_us"] for r in results if r["subject"] == "ck_ring"), default=None)
    print(f"The mesh's ring at best {number(best)} mails per microsecond, plain ck_ring "
          f"{number(plain)}; bar {BAR}: {verdict(best, BAR)}.\n")


def show_rest(results):
    """Each as it is: name, what was set, what came out."""
    told = ("bench", "measure", "subject")
    table(["measure", "subject", "figures"],
          [[r["measure"], r["subject"],
            ", ".join(f"{k} {number(v)}" for k, v in r.items() if k not in told)]
           for r in results])
