# SPDX-License-Identifier: BSD-3-Clause
"""At the limits: nobody who keeps within them is hurt, and the log says which it was."""

import os
import threading
import time

from lib import logline
from lib.broker import serve
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311
from lib.wire import (CONNACK, DISCONNECT, PINGREQ, PUBACK, RawClient, connect, packet, publish,
                      publish_id, subscribe, u16)

RATE_TOO_HIGH, QUOTA_EXCEEDED = 0x96, 0x97


def limited(t, *settings, cores=1):
    """A broker with these settings; its log is at `log_path`."""
    path = os.path.join(t.folder, t.name("limits.log"))
    broker = serve(t, f"log.file={path}", *settings, cores=cores)
    broker.log_path = path
    return broker


def said(broker, event):
    return [line for line in logline.read(broker.log_path) if line["event"] == event]


# ---- memory -------------------------------------------------------------------------------------

def fill(pub, retain, size):
    """Publishes at QoS 1, ten at a time, until the broker takes no more; how many it took."""
    taken, refused = 0, False
    for first in range(0, 400_000, 10):
        for n in range(first, first + 10):
            topic = f"fill/{n}" if retain else "fill"
            pub.send(publish(V5, topic, b"x" * size, 1, n % 10 + 1, retain=retain))
        for _ in range(10):
            answer = pub.receive()
            same("answer", answer.type, PUBACK)
            refused = refused or answer.body[2:3] == bytes([QUOTA_EXCEEDED])
            taken += not refused
        if refused:
            break
    return taken


def delete(pub, n):
    """Deletes the first n retained messages that fill() has made, and ten more."""
    for first in range(0, n + 10, 10):
        for i in range(first, first + 10):
            pub.send(publish(V5, f"fill/{i}", b"", 1, i % 10 + 1, retain=True))
        for _ in range(10):
            pub.receive()


def takes(broker):
    """Does it let somebody in, and take a message?"""
    c = RawClient(broker.port, V5)
    try:
        if c.ask(connect(V5, "probe")).body[1] != 0:
            return False
        return c.ask(publish(V5, "probe", b"x", 1, 1)).body[2:3] != bytes([QUOTA_EXCEEDED])
    finally:
        c.end()


def drain(t, broker, n):
    """The client of session `sub` comes back and takes n messages."""
    sub = t.keep(RawClient(broker.port, V311))
    sub.connect("sub", clean=False)
    for _ in range(n):
        sub.send(packet(PUBACK, 0, u16(publish_id(sub.receive()))))


@claim(cores=(0,), heavy=True, cores_of_broker=(1, 2), size=(200, 100_000),
       what=("retained", "queued"))
def memory_limit_refuses_what_is_new_and_is_over_when_something_has_gone(t, cores_of_broker, size,
                                                                         what):
    broker = limited(t, "limits.memory=32 MiB", "limits.queue_messages=1000000",
                     cores=cores_of_broker)
    sub = t.keep(RawClient(broker.port, V311))
    sub.connect("sub", clean=False)
    if what == "queued":
        sub.ask(subscribe(V311, 1, [("fill", 1)]))
        sub.end()
    pub = t.keep(RawClient(broker.port, V5))
    pub.connect("pub")
    taken = fill(pub, what == "retained", size)
    holds(f"it took some: {taken}", taken * size > 5 << 20)
    eventually("the log says so", lambda: said(broker, "memory_full"))
    same("setting", said(broker, "memory_full")[0]["setting"], "limits.memory")
    for version, refused in ((V5, QUOTA_EXCEEDED), (V311, 3)):
        late = t.keep(RawClient(broker.port, version))
        answer = late.ask(connect(version, "late"))
        same("CONNACK", (answer.type, answer.body[1]), (CONNACK, refused))
    holds("the log names the setting", said(broker, "client_refused")[0]["setting"] ==
          "limits.memory")
    if what == "queued": # who has a session comes back, and takes what waits
        drain(t, broker, taken)
    else:
        delete(pub, taken)
    eventually("it takes what is new", lambda: takes(broker))
    eventually("the log says so", lambda: said(broker, "memory_free"))
    holds("it lives", broker.alive())


# ---- rates --------------------------------------------------------------------------------------

@claim(cores=(0,), version=(V311, V5))
def client_over_its_rate_waits_and_loses_nothing(t, version):
    broker = limited(t, "rates.messages_per_second=20")
    sub = t.keep(RawClient(broker.port, V311))
    sub.connect("sub")
    sub.ask(subscribe(V311, 1, [("x", 0)]))
    pub = t.keep(RawClient(broker.port, version))
    pub.connect("pub")
    began = time.monotonic()
    for n in range(100):
        pub.send(publish(version, "x", str(n).encode(), 1, n + 1))
    same("acknowledged", [pub.receive().body[:2] for _ in range(100)],
         [u16(n + 1) for n in range(100)])
    holds("it took its time", time.monotonic() - began > 3)
    same("delivered", [int(sub.receive().body[3:]) for _ in range(100)], list(range(100)))
    same("setting", said(broker, "client_over_rate")[0]["setting"], "rates.messages_per_second")


@claim(cores=(0,), setting=("messages_per_hour=5", "bytes_per_day=600"))
def client_over_a_longer_rate_is_sent_away_and_does_not_start_afresh(t, setting):
    broker = limited(t, "rates." + setting)
    for attempt in range(2):
        pub = t.keep(RawClient(broker.port, V5))
        pub.connect("pub")
        for n in range(20):
            pub.send(publish(V5, "x", b"x" * 200, 1, n + 1))
        answers = pub.until_closed()
        same("end", (answers[-1].type, answers[-1].body[0]), (DISCONNECT, RATE_TOO_HIGH))
        holds(f"acknowledged: {answers}", (len(answers) > 1) == (attempt == 0))
    other = t.keep(RawClient(broker.port, V5))
    other.connect("other")
    same("another client", other.ask(publish(V5, "x", b"", 1, 1)).type, PUBACK)


# ---- strangers ----------------------------------------------------------------------------------

@claim(cores=(0,), cores_of_broker=(1, 2))
def who_says_nothing_shuts_nobody_out(t, cores_of_broker):
    broker = limited(t, "limits.strangers=20", cores=cores_of_broker)
    silent = [t.keep(RawClient(broker.port, V311)) for _ in range(100)]
    for i in range(10):
        t.keep(RawClient(broker.port, V311)).connect(f"c{i}")
        silent.append(t.keep(RawClient(broker.port, V311)))
    same("setting", said(broker, "stranger_closed")[0]["setting"], "limits.strangers")
    holds("the newest is still there", silent[-1].next(0.2) is None and not silent[-1].closed)


# ---- who reads slowly ---------------------------------------------------------------------------

def flooded(broker, qos, stop):
    """Publishes to `flood` until told to stop, at a pace that any reader keeps up with."""
    pub = RawClient(broker.port, V311)
    pub.connect("flood")
    while not stop.is_set():
        for _ in range(4):
            pub.send(publish(V311, "flood", b"x" * 50_000, qos, 1))
            if qos:
                pub.receive()
        time.sleep(0.005)
    pub.end()


def median_of_pair(t, broker, name):
    """Of 300 messages that a pair of clients exchanges one by one, in seconds."""
    sub, pub = (t.keep(RawClient(broker.port, V311)) for _ in range(2))
    sub.connect(f"{name}-sub")
    sub.ask(subscribe(V311, 1, [(name, 0)]))
    pub.connect(f"{name}-pub")
    took = []
    for n in range(300):
        began = time.monotonic()
        pub.send(publish(V311, name, str(n).encode(), 1, n + 1))
        same("message", int(sub.receive().body[2 + len(name):]), n)
        took.append(time.monotonic() - began)
        pub.receive()
    return sorted(took)[len(took) // 2]


@claim(cores=(0,), heavy=True, cores_of_broker=(1, 2), qos=(0, 1))
def who_never_reads_hurts_nobody_and_holds_no_more_than_its_limits(t, cores_of_broker, qos):
    broker = limited(t, "limits.output=1 MiB", "limits.queue_bytes=4 MiB", cores=cores_of_broker)
    stop = threading.Event()
    flood = threading.Thread(target=flooded, args=(broker, qos, stop))
    flood.start()
    try:
        alone = median_of_pair(t, broker, "before")
        before = broker.resident()
        for i in range(4):
            slow = t.keep(RawClient(broker.port, V311))
            slow.connect(f"slow{i}")
            slow.ask(subscribe(V311, 1, [("flood", qos)]))
        eventually("it loses messages", lambda: said(broker, "message_dropped"))
        beside = median_of_pair(t, broker, "after")
        grown = broker.resident() - before
    finally:
        stop.set()
        flood.join()
    holds(f"medians: {alone * 1e6:.0f} us alone, {beside * 1e6:.0f} us beside",
          beside < 5 * alone + 0.005)
    holds(f"it holds {grown >> 20} MiB", grown < 4 * (5 << 20) + (16 << 20))
    same("setting", {line["setting"] for line in said(broker, "message_dropped")},
         {("limits.output", "limits.queue_bytes")[qos]})


# ---- who takes no answers -----------------------------------------------------------------------

ASKED = {"ping": (packet(PINGREQ, 0, b""), 2),
         "publish": (publish(V311, "nobody", b"", 1, 7), 4),
         "subscribe": (subscribe(V311, 7, [("nobody", 0)]), 5)}


def say_until_nobody_reads(client, data, most):
    """Says data again and again, reads nothing; how many bytes of it were taken within `most`."""
    block, said = data * (65536 // len(data)), 0
    client.sock.settimeout(3)
    try:
        while said < most:
            said += client.sock.send(block[said % len(block):])
    except TimeoutError:
        pass
    return said


def hear(client, n):
    """Reads n bytes, or fails."""
    client.sock.settimeout(10)
    while n > 0:
        got = len(client.sock.recv(min(n, 1 << 20)))
        holds("the connection goes on", got > 0)
        n -= got


@claim(cores=(0,), cores_of_broker=(1, 2), asked=tuple(ASKED))
def who_takes_no_answers_is_not_read_and_gets_them_all_in_the_end(t, cores_of_broker, asked):
    broker = limited(t, "limits.output=1 MiB", cores=cores_of_broker)
    alone = median_of_pair(t, broker, "before")
    before = broker.resident()
    data, answer_bytes = ASKED[asked]
    client = t.keep(RawClient(broker.port, V311))
    client.connect("deaf")
    taken = say_until_nobody_reads(client, data, 100_000_000)
    grown = broker.resident() - before
    beside = median_of_pair(t, broker, "after")
    holds(f"it was read: {taken}", taken > 500_000)
    holds(f"it was not read for ever: {taken}", taken < 100_000_000)
    holds(f"it holds {grown >> 10} KiB", grown < 4 << 20)
    holds(f"medians: {alone * 1e6:.0f} us alone, {beside * 1e6:.0f} us beside",
          beside < 5 * alone + 0.005)
    same("setting", said(broker, "answers_wait")[0]["setting"], "limits.output")
    hear(client, taken // len(data) * answer_bytes)
    client.send(data[taken % len(data):])
    hear(client, answer_bytes)
