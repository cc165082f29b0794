# SPDX-License-Identifier: BSD-3-Clause
"""instructions per message in B, with 1 to 16 cores

The broker runs in callgrind and gets a counted number of messages, once N and once 2N: the
difference is what N messages cost, without the start. It is split by source file into what
a hop costs (mesh, ring, outbox, and what only runs when a message crosses cores), and the rest.
"""

import collections
import shutil

from . import callgrind, mqtt
from .report import table
from .session import Trouble

CORES = (1, 2, 4, 16)
PAIRS = 50
BATCH = 50
BAR = 0.25
START_S = 60

HOP_FILES = ("core/mesh", "core/ring", "core/outbox")
HOP_FUNCTIONS = ("route_on_publish", "message_hand_over", "message_on_home", "pool_send_home",
                 "pool_take_home")
GROUPS = (("net and system calls", ("src/net/", "sock_linux", "reactor_epoll", "libc", "sysdeps",
                                    "syscall")),
          ("codec and session", ("src/proto/",)),
          ("broker", ("src/broker/",)),
          ("memory", ("jemalloc", "malloc", "core/pool")))


def play(port, messages):
    """PAIRS pairs, BATCH messages at a time each, `messages` in all."""
    subscribers = [mqtt.Client(port, f"subscriber-{i}") for i in range(PAIRS)]
    publishers = [mqtt.Client(port, f"publisher-{i}") for i in range(PAIRS)]
    try:
        for i, s in enumerate(subscribers):
            s.subscribe([f"bench/t/{i}"])
        batches = [mqtt.publish(f"bench/t/{i}", b"x" * 64) * BATCH for i in range(PAIRS)]
        for _ in range(messages // (PAIRS * BATCH)):
            for p, batch in zip(publishers, batches):
                p.send(batch)
            for s, batch in zip(subscribers, batches):
                s.take(len(batch))
    finally:
        for c in subscribers + publishers:
            c.close()


def costs_of(session, cores, messages):
    out = session.scratch / f"callgrind-{cores}-{messages}"
    valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}",
                "--compress-strings=no", "--compress-pos=no"]
    session.progress(f"callgrind: {cores} cores, {messages} messages")
    with session.broker("pinion", cpus=(0, 1), prefix=valgrind, patience_s=START_S,
                        cores=cores) as b:
        play(b.port, messages)
    if not out.exists():
        raise Trouble("callgrind has written nothing")
    return callgrind.read(out)


def group_of(file, function):
    if any(h in file for h in HOP_FILES) or any(h in function for h in HOP_FUNCTIONS):
        return "hops"
    for name, marks in GROUPS:
        if any(m in file for m in marks):
            return name
    return "other"


def per_message(session, cores, messages):
    """Group to instructions per message; also what costs most, per function."""
    few, many = (costs_of(session, cores, n) for n in (messages, 2 * messages))
    groups = collections.Counter()
    functions = collections.Counter()
    for key, cost in many.items():
        each = (cost - few[key]) / messages
        groups[group_of(*key)] += each
        functions[key] += each
    session.record(cores=cores, messages=messages, per_message=dict(groups),
                   functions={f"{f.rpartition('/src/')[2]}:{n}": c
                              for (f, n), c in functions.most_common(40)})
    return groups, functions


def run(session):
    if not shutil.which("valgrind"):
        raise Trouble("valgrind is not installed")
    messages = 20000 if session.quick else 100000
    got = {n: per_message(session, n, messages) for n in CORES}
    one, many = (got[n][0] for n in (CORES[0], CORES[-1]))
    names = sorted(one | many, key=lambda g: (g == "hops", g))
    rows = [[g, *(got[n][0][g] for n in CORES), many[g] - one[g]] for g in names]
    rows.append(["all", *(got[n][0].total() for n in CORES), many.total() - one.total()])
    table(["instructions per message", *(f"{n} core{'s' if n > 1 else ''}" for n in CORES),
           "more"], rows)
    rest = one.total() - one["hops"], many.total() - many["hops"]
    growth = rest[1] / rest[0] - 1
    session.record(growth_beside_hops=growth, growth=many.total() / one.total() - 1)
    print(f"Beside the hops: {growth:+.0%} from {CORES[0]} to {CORES[-1]} cores (bar: at most "
          f"{BAR:.0%}); with them: {many.total() / one.total() - 1:+.0%}.")
