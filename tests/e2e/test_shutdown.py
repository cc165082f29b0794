# SPDX-License-Identifier: BSD-3-Clause
"""TERM: clients are told and sent away, what they were to get arrives, and nobody holds the end."""

import signal
import socket
import time

from lib import wire
from lib.broker import serve
from lib.claims import between, claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.wire import RawClient

SHUTTING_DOWN, USE_ANOTHER, MOVED = 0x8b, 0x9c, 0x9d


def refused(port):
    """Does nobody listen there?"""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except ConnectionRefusedError:
        return True


@claim(cores=(0,), cores_of_broker=(1, 4), case=(
    ((), SHUTTING_DOWN, None),
    (("shutdown.moved_to=other.example:1883",), USE_ANOTHER, "other.example:1883"),
    (("shutdown.moved_to=b:1", "shutdown.moved_for_good=true"), MOVED, "b:1"),
))
def clients_of_5_0_are_told_why_and_where_to_go(t, cores_of_broker, case):
    broker = serve(t, *case[0], cores=cores_of_broker)
    clients = [Client(t, f"c{i}", V5, broker=broker).open() for i in range(8)]
    old = [Client(t, f"o{i}", V311, broker=broker).open() for i in range(2)]
    same("status", broker.terminate()[0], 0)
    for c in clients:
        same("reason", c.wait_lost(5), case[1])
        same("server reference", getattr(c.lost[1], "ServerReference", None), case[2])
    for c in old:
        c.wait_lost(5)


@claim(cores=(0,))
def longest_server_reference_is_told(t):
    place = "b" * 255
    broker = serve(t, f"shutdown.moved_to={place}")
    c = Client(t, "c", V5, broker=broker).open()
    broker.terminate()
    same("reason", c.wait_lost(5), USE_ANOTHER)
    same("server reference", c.lost[1].ServerReference, place)


@claim(cores=(0,))
def reference_that_a_client_has_no_room_for_is_left_out(t):
    broker = serve(t, "shutdown.moved_to=" + "b" * 200)
    c = t.keep(RawClient(broker.port, 5))
    c.connect("c", raw=b"\x27\x00\x00\x00\x20") # packets up to 32 bytes
    broker.terminate()
    same("told", [p.body for p in c.until_closed(5)], [bytes([USE_ANOTHER])])


@claim(cores=(0,), cores_of_broker=(1, 4))
def what_a_client_was_to_get_arrives_before_the_end(t, cores_of_broker):
    broker = serve(t, "shutdown.timeout=20s", cores=cores_of_broker)
    slow = t.keep(RawClient(broker.port, 5))
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 << 10)
    slow.connect("slow")
    slow.ask(wire.subscribe(5, 1, [("x", 0)]))
    pub = Client(t, "pub", broker=broker).open()
    total = 60 # of 100 KB: more than sockets hold, less than the broker's limit
    for i in range(total):
        pub.publish("x", bytes([i]) * 100_000, 1)
    broker.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    got = slow.until_closed(15)
    same("messages and DISCONNECT", [p.type for p in got], [wire.PUBLISH] * total + [14])
    same("status", broker.wait(10), 0)


@claim(cores=(0,), cores_of_broker=(1, 4), seconds=(1, 3))
def client_that_does_not_read_holds_the_end_no_longer_than_the_limit(t, cores_of_broker, seconds):
    broker = serve(t, f"shutdown.timeout={seconds}s", cores=cores_of_broker)
    dead = t.keep(RawClient(broker.port, 5))
    dead.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    dead.connect("dead")
    dead.ask(wire.subscribe(5, 1, [("x", 0)]))
    pub = Client(t, "pub", broker=broker).open()
    for _ in range(70):
        pub.publish("x", b"x" * 100_000, 1)
    good = t.keep(RawClient(broker.port, 5))
    good.connect("good")
    began = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    same("others don't wait", [(p.type, p.body[0]) for p in good.until_closed(1)],
         [(14, SHUTTING_DOWN)])
    same("status", broker.wait(seconds + 3), 0)
    between("seconds", time.monotonic() - began, seconds - 0.5, seconds + 2)


@claim(cores=(0,))
def client_that_goes_on_sending_holds_nothing(t):
    broker = serve(t, "shutdown.timeout=15s", cores=2)
    c = t.keep(RawClient(broker.port, 4))
    c.connect("flood")
    c.sock.setblocking(False)
    flood = wire.publish(4, "x", b"y" * 1000) * 100

    at = 0 # of the flood: what a send did not take comes first in the next, or it is no MQTT

    def pour(until):
        """Sends till then; False if the connection has ended."""
        nonlocal at
        while time.monotonic() < until:
            try:
                at = (at + c.sock.send(flood[at:])) % len(flood)
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                return False
        return True

    holds("the client is still there", pour(time.monotonic() + 0.5))
    began = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    pour(began + 18)
    same("status", broker.wait(18), 0)
    # How much is still read of it is told by tests/unit/net/test_farewell.c.
    between("seconds", time.monotonic() - began, 0, 8)


@claim(cores=(0,))
def will_of_a_client_that_is_sent_away_is_published(t):
    broker = serve(t, "shutdown.drain=3s")
    for i in range(30):
        Client(t, f"c{i}", broker=broker, will=(f"will/{i}", b"gone", 1)).open()
    watch = Client(t, "watch", broker=broker).open() # the youngest goes last
    watch.subscribe("will/#", 1)
    broker.process.send_signal(signal.SIGTERM)
    same("status", broker.wait(10), 0)
    between("wills, but for those of its own last moment", len(watch.heard), 25, 30)


@claim(cores=(0,), cores_of_broker=(1, 4))
def drain_shuts_the_door_first_and_spreads_the_rest(t, cores_of_broker):
    broker = serve(t, "shutdown.drain=4s", cores=cores_of_broker)
    clients = [Client(t, f"c{i}", V5, broker=broker).open() for i in range(40)]
    began = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    eventually("the door is shut", lambda: refused(broker.port), 2)
    holds("most are still there", sum(c.lost is None for c in clients) > 20)
    left = []
    for _ in range(8):
        time.sleep(0.4)
        left.append(sum(c.lost is None for c in clients))
    holds(f"they leave by and by: {left}", len(set(left)) > 4 and left[3] < 36 and left[3] > 4)
    same("status", broker.wait(10), 0)
    between("seconds", time.monotonic() - began, 1, 6)
    same("reasons", {c.wait_lost(5) for c in clients}, {SHUTTING_DOWN})


@claim(cores=(0,))
def client_that_says_connect_during_the_drain_is_refused(t):
    broker = serve(t, "shutdown.drain=30s")
    silent = t.keep(RawClient(broker.port, 5))
    keeper = [Client(t, f"c{i}", broker=broker).open() for i in range(20)]
    broker.process.send_signal(signal.SIGTERM)
    eventually("the door is shut", lambda: refused(broker.port), 2)
    silent.send(wire.connect(5, "late"))
    answer = silent.next(2)
    holds(f"refused: {answer}", answer is None or answer.body[1] == 0x88)
    holds("others are there", any(c.lost is None for c in keeper))
    broker.process.send_signal(signal.SIGTERM)
    same("the second TERM ends at once", broker.wait(1), -signal.SIGTERM)


@claim(cores=(0,))
def second_term_ends_at_once(t):
    broker = serve(t, "shutdown.timeout=60s")
    dead = t.keep(RawClient(broker.port, 4))
    dead.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    dead.connect("dead")
    dead.ask(wire.subscribe(4, 1, [("x", 0)]))
    pub = Client(t, "pub", broker=broker).open()
    for _ in range(70):
        pub.publish("x", b"x" * 100_000, 1)
    broker.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    holds("it waits for a client", broker.alive())
    broker.process.send_signal(signal.SIGTERM)
    same("status", broker.wait(1), -signal.SIGTERM)
