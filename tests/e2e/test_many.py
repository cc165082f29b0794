# SPDX-License-Identifier: BSD-3-Clause
"""Many clients at once, and the cores among which they are shared out."""

import collections
import threading
import time

from lib.broker import serve
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.wire import RawClient, publish, subscribe, u16

CLIENTS, EACH = 200, 20


def crowd(t, n, version=V311):
    """n connected clients on sockets of their own, without threads."""
    clients = [t.keep(RawClient(t.broker.port, version)) for _ in range(n)]
    for i, c in enumerate(clients):
        c.connect(t.name(f"c{i}"))
    return clients


@claim(heavy=True)
def two_hundred_publishers_reach_one_subscriber_each_in_order(t):
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("in/#"), 1)
    clients = crowd(t, CLIENTS)
    for n in range(EACH):
        for i, c in enumerate(clients):
            c.send(publish(V311, t.topic(f"in/{i}"), f"{n}".encode(), 1, n + 1))
    for c in clients:
        ids = [c.receive().body[:2] for _ in range(EACH)]
        same("acknowledgements in order", ids, [u16(n + 1) for n in range(EACH)])
    sub.wait_heard(CLIENTS * EACH, 30)
    by_topic = collections.defaultdict(list)
    for m in sub.exactly(CLIENTS * EACH):
        by_topic[m.topic].append(int(m.payload))
    same("topics", len(by_topic), CLIENTS)
    same("orders", [o for o in by_topic.values() if o != list(range(EACH))], [])


@claim(heavy=True)
def one_publisher_reaches_two_hundred_subscribers_each_in_order(t):
    clients = crowd(t, CLIENTS)
    for c in clients:
        c.ask(subscribe(V311, 1, [(t.topic("out"), 0)]))
    pub = Client(t, "pub").open()
    for n in range(EACH):
        pub.publish(t.topic("out"), f"{n}", 1)
    for c in clients:
        heard = [int(c.receive().body[2 + len(t.topic("out")):]) for _ in range(EACH)]
        same("messages", heard, list(range(EACH)))


@claim(heavy=True)
def everybody_talks_to_everybody(t):
    """Each of 30 clients publishes 20 messages that all of them hear."""
    clients = [Client(t, f"c{i}", (V311, V5)[i % 2]).open() for i in range(30)]
    for c in clients:
        c.subscribe(t.topic("all/+"), 1)
    for n in range(EACH):
        for i, c in enumerate(clients):
            c.publish(t.topic(f"all/{i}"), f"{n}", 1, wait=False)
    for c in clients:
        c.wait_heard(30 * EACH, 40)
    for c in clients:
        for i in range(30):
            same("order", [int(m.payload) for m in c.heard if m.topic == t.topic(f"all/{i}")],
                 list(range(EACH)))


@claim(cores=(0,), cores_of_broker=(1, 2, 4, 16), heavy=True)
def clients_that_connect_at_once_are_shared_out_among_all_cores(t, cores_of_broker):
    broker = serve(t, cores=cores_of_broker)
    before = settled(broker)
    clients = [t.keep(RawClient(broker.port, V5)) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=c.connect, args=(t.name(f"c{i}"),))
               for i, c in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = eventually("all are watched by a core", lambda: watched(broker, before + CLIENTS))
    same("cores", len(counts), cores_of_broker)
    share = CLIENTS // cores_of_broker
    holds(f"shared out: {counts}", min(counts) - before // cores_of_broker >= share / 4)
    for i, c in enumerate(clients): # moved or not, each is served
        same("SUBACK", c.ask(subscribe(V5, 1, [(t.topic(f"{i}"), 0)])).type, 9)
        same("PUBLISH", c.ask(publish(V5, t.topic(f"{i}"), b"x")).type, 3)


def settled(broker):
    """How many sockets the cores watch once the probe of its start is forgotten."""
    counts = []

    def twice_the_same():
        counts.append(sum(broker.connections_per_core()))
        time.sleep(0.3)
        return counts[-1] == sum(broker.connections_per_core())

    eventually("a quiet broker", twice_the_same)
    return counts[-1]


def watched(broker, n):
    counts = broker.connections_per_core()
    return counts if sum(counts) == n else None


@claim(cores=(0,), cores_of_broker=(1, 4), heavy=True)
def clients_that_come_and_go_leave_nothing_behind(t, cores_of_broker):
    """The cores watch no more sockets after 300 connections, half of them cut off."""
    broker = serve(t, cores=cores_of_broker)
    before = settled(broker)
    for i in range(300):
        raw = RawClient(broker.port, V5)
        raw.connect(t.name(f"g{i}"))
        if i % 2:
            raw.ask(subscribe(V5, 1, [(t.topic("#"), 1)]))
            raw.send(b"\xe0\x00")
            raw.until_closed()
        raw.end()
    eventually("only listeners are watched", lambda: watched(broker, before))
