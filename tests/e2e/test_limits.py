# SPDX-License-Identifier: BSD-3-Clause
"""What happens at the limits: nobody who keeps within them is hurt, and the log says which it was."""

import os

from lib import logline
from lib.broker import serve
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311
from lib.wire import (CONNACK, PUBACK, RawClient, connect, packet, publish, publish_id, subscribe,
                      u16)

QUOTA_EXCEEDED = 0x97


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


@claim(cores=(0,), heavy=True, cores_of_broker=(1, 2), size=(200, 100_000), what=("retained", "queued"))
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
