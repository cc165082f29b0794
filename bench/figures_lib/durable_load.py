# SPDX-License-Identifier: BSD-3-Clause
"""Part of `durable`: how fast each broker acknowledges what it has to keep."""

from . import disk, keepers
from .generators import PinionBench
from .report import median_of, ratio, table, times, verdict
from .session import Trouble

PUBLISHERS, SESSIONS, WINDOW, PAYLOAD = 500, 4, 16, 128
RATE = 2000  # that all can do
DRAIN_S = 400  # what rewrites its database with each message takes long to give them back
MESSAGES, MESSAGES_QUICK = 1000000, 200000
LIMIT_S, LIMIT_QUICK_S = 5, 3  # the slow are measured by what they managed
SHAPE = ("-P", PUBLISHERS, "-S", SESSIONS, "-l", PAYLOAD)
BASE, OWN = "pinion, memory", "pinion, commit"
HALF = 0.5
VARIANTS = {
    "waiting": "All messages wait for sessions whose clients have left; afterwards these come back "
               "and take them:",
    "live": "The sessions' clients are there, and get each message meanwhile:",
    "paced": f"The same with {RATE:,} messages a second, that is, how long an acknowledgement "
             "takes where nothing queues:",
}


def broker_of(session, keeper, data, **how):
    """Started with its data in that directory; used with `with`."""
    return session.broker(keeper.broker, maker=lambda port: keeper.command(session, port, data),
                          patience_s=keeper.patience_s, **how)


def load(session, keeper, variant):
    """One run. Its figures."""
    generator = PinionBench(session.program("pinion"))
    n, limit_s = (MESSAGES_QUICK, LIMIT_QUICK_S) if session.quick else (MESSAGES, LIMIT_S)
    more = {"waiting": ["--away"], "live": [], "paced": ["-r", RATE]}[variant]
    if variant == "paced":
        n = RATE * limit_s
    with disk.fresh(session) as data, broker_of(session, keeper, data) as b:
        before = b.dirtied()
        r = generator.run_mode("acks", b.port, b.pid, *SHAPE, "-w", WINDOW, "-n", n, *more,
                               "-W", "500ms", "-d", f"{limit_s + 1}s", "--name", "load")
        r["dirtied_per_message"] = (b.dirtied() - before) / max(r["published"], 1)
        if keeper.synced and r["dirtied_per_message"] < PAYLOAD:
            raise Trouble(f"{keeper.label}: acknowledged, but hardly anything was written")
        r["rss"] = b.rss()
        if variant == "waiting":
            d = generator.run_mode("drain", b.port, b.pid, *SHAPE, "--name", "load",
                                   "-n", int(r["published"] - r["unacknowledged"]),
                                   timeout_s=DRAIN_S)
            r.update(lost=max(d["lost"], 0), duplicate=d["duplicate"],
                     failed=r["failed"] + d["failed"], drained=d["received"])
    session.record(variant=variant, broker=keeper.label, **r)
    return r


def runs_of(session, variant):
    """Label to medians, or to a sentence why there are none. Brokers take turns."""
    wanted = [k for k in keepers.ALL if session.wants(k.broker)]
    runs, why = {k.label: [] for k in wanted}, {}
    for i in range(session.runs):
        for k in wanted:
            if k.label in why:
                continue
            session.progress(f"durable: {variant}, {k.label}, run {i + 1}")
            try:
                runs[k.label].append(load(session, k, variant))
            except keepers.Missing as e:
                why[k.label] = str(e)
                session.record(variant=variant, broker=k.label, missing=str(e))
            except Trouble as e:
                why[k.label] = "failed, see above"
                session.trouble(f"{variant}: {e}")
    return {label: median_of(r) if r else why[label] for label, r in runs.items()}


HEAD = ["", "when acknowledged", "acks/s", "of memory", "per CPU-second", "of memory", "p50 ms",
        "p99 ms", "taken back/s", "missing", "twice", "failed", "unanswered",
        "broker CPUs", "generator CPUs"]
HEAD_PACED = ["", "when acknowledged", "acks/s", "p50 ms", "p99 ms", "max ms", "broker CPUs",
              "missing", "failed"]


def row(label, m, base):
    promise = keepers.BY_LABEL[label].promise
    if isinstance(m, str):
        return [label, m, *["-"] * (len(HEAD) - 2)]
    speeds = []
    for k in ("acked", "acked_per_cpu"):
        share = ratio(m[k], base.get(k)) if base.get(k) else None
        speeds += [m[k], f"{share:.0%}" if share else "-"]
    return [label, promise, *speeds, m["p50"], m["p99"], m.get("drained"), m["lost"],
            m["duplicate"], m["failed"], m["unacknowledged"], m["broker_cpu"],
            m["generator_cpus"]]


def row_paced(label, m):
    promise = keepers.BY_LABEL[label].promise
    if isinstance(m, str):
        return [label, m, *["-"] * (len(HEAD_PACED) - 2)]
    return [label, promise, *(m[k] for k in ("acked", "p50", "p99", "max", "broker_cpu", "lost",
                                             "failed"))]


def compare(got):
    """Sentences about the targets."""
    own, base = got.get(OWN), got.get(BASE)
    if not isinstance(own, dict):
        return
    if isinstance(base, dict):
        for k, what in (("acked", "a second"), ("acked_per_cpu", "a CPU-second")):
            share = ratio(own[k], base[k])
            if share:
                print(f"Acknowledged from disk {what}: {share:.0%} of without persistence; "
                      f"at least half: {verdict(share, HALF)}.")
    for label, m in got.items():
        if isinstance(m, dict) and not label.startswith("pinion"):
            print(f"Against {label}: {times(ratio(own['acked'], m['acked']))} a second, "
                  f"{times(ratio(own['acked_per_cpu'], m['acked_per_cpu'] or None))} a CPU-second, "
                  f"p99 {times(ratio(own['p99'], m['p99'] or None))}.")
    print()


def run(session):
    """Variant to label to medians."""
    results = {}
    print(f"{PUBLISHERS} publishers at QoS 1, {WINDOW} in flight each, {PAYLOAD} bytes, "
          f"{SESSIONS} sessions.\n")
    for variant, what in VARIANTS.items():
        got = results[variant] = runs_of(session, variant)
        base = got.get(BASE) if isinstance(got.get(BASE), dict) else {}
        session.record(variant=variant, medians={k: m for k, m in got.items()
                                                 if isinstance(m, dict)})
        print(what + "\n")
        if variant == "paced":
            table(HEAD_PACED, [row_paced(label, m) for label, m in got.items()])
        else:
            table(HEAD, [row(label, m, base) for label, m in got.items()])
            compare(got)
    return results
