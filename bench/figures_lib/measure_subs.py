# SPDX-License-Identifier: BSD-3-Clause
"""J: 1,000 clients with 1,000 wildcard filters each

A round sends ROUND messages from PUBLISHERS clients, each message for one random filter, and waits
until all have come: mostly one message per subscriber and round.
"""

import random
import selectors
import time

from . import mqtt
from .report import ratio, table, times

FILTERS = 1000
PER_PACKET = 200
PUBLISHERS = 50
EACH = 20
PAYLOAD = b"x" * 64
BAR, GOAL = 1.9, 8
ROUNDS_MADE = 40  # different rounds, used in turn


def subscribe_all(port, clients):
    subscribers = []
    for c in range(clients):
        s = mqtt.Client(port, f"subscriber-{c}")
        subscribers.append(s)
        for k in range(0, FILTERS, PER_PACKET):
            s.subscribe([f"s/{c}/{k + i}/+" for i in range(PER_PACKET)])
    return subscribers


def make_rounds(clients):
    """(per publisher, what to send; bytes in all)"""
    luck = random.Random(1)
    rounds = []
    for _ in range(ROUNDS_MADE):
        batches = [b"".join(mqtt.publish(f"s/{luck.randrange(clients)}/{luck.randrange(FILTERS)}/x",
                                         PAYLOAD) for _ in range(EACH))
                   for _ in range(PUBLISHERS)]
        rounds.append((batches, sum(map(len, batches))))
    return rounds


def play(publishers, selector, rounds, seconds):
    """Messages delivered in `seconds`. What comes back is as long as what was sent."""
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end:
        batches, missing = rounds[n % len(rounds)]
        for p, batch in zip(publishers, batches):
            p.send(batch)
        while missing > 0:
            ready = selector.select(mqtt.TIMEOUT_S)
            if not ready:
                raise OSError("messages were lost")
            for key, _ in ready:
                missing -= len(key.fileobj.recv(65536))
        if missing < 0:
            raise OSError("more came than was sent")
        n += 1
    return n * PUBLISHERS * EACH


def measure(session, name, clients):
    everybody = []
    with session.broker(name) as b:
        try:
            before = b.rss()
            began = time.monotonic()
            subscribers = subscribe_all(b.port, clients)
            subscribe_s = time.monotonic() - began
            subscribe_cpu_s = b.cpu_s()
            rss = b.rss() - before
            publishers = [mqtt.Client(b.port, f"publisher-{i}") for i in range(PUBLISHERS)]
            everybody = subscribers + publishers
            with selectors.EpollSelector() as selector:
                for s in subscribers:
                    selector.register(s.socket, selectors.EVENT_READ)
                rounds = make_rounds(clients)
                play(publishers, selector, rounds, session.seconds[1])
                cpu = b.cpu_s()
                n = play(publishers, selector, rounds, session.seconds[0])
                cpu = b.cpu_s() - cpu
        finally:
            for c in everybody:
                c.close()
    return {"rss": rss, "subscribe_s": subscribe_s, "subscribe_cpu_s": subscribe_cpu_s,
            "per_cpu": n / cpu, "rss_per_filter": rss / clients / FILTERS}


def run(session):
    clients = 200 if session.quick else 1000
    got = {}
    for name in [b for b in ("pinion", "mosquitto") if session.wants(b)]:
        session.progress(f"subs: {name}")
        got[name] = measure(session, name, clients)
        session.record(broker=name, clients=clients, filters=FILTERS, **got[name])
    rows = [[b, m["rss"] / 2**20, m["rss_per_filter"], m["subscribe_s"], m["subscribe_cpu_s"],
             m["per_cpu"]] for b, m in got.items()]
    if len(got) == 2:
        own, peer = got["pinion"], got["mosquitto"]
        rows.append(["pinion / mosquitto", *(times(ratio(own[k], peer[k])) for k in
                    ("rss", "rss_per_filter", "subscribe_s", "subscribe_cpu_s", "per_cpu"))])
    table(["", "RSS MiB", "bytes per filter", "s to subscribe", "CPU s for that",
           "deliveries per CPU-second"], rows)
    print(f"{clients:,} clients x {FILTERS:,} filters. Best peer: {times(BAR)} mosquitto's "
          f"deliveries; goal {times(GOAL)},\nand for 1,000 clients 250 MiB and 1 s.")
