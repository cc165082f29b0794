# SPDX-License-Identifier: BSD-3-Clause
"""A crowd of clients that are slow, silent, half-open or deaf; a program of its own.

    crowd.py PORT TLS_PORT N

A quarter of N each:
  silent  connects and says nothing
  slow    sends its CONNECT a byte a second
  hello   sends half of a TLS hello
  deaf    subscribes to a flood and never reads

Who is thrown out comes again a second later. Prints `ready` when N have connected and the sockets
of the deaf are full, and how many
of each kind are there for each line that it is sent.
"""

import collections
import errno
import heapq
import os
import resource
import select
import socket
import sys
import time

import mqtt

KINDS = ("silent", "slow", "hello", "deaf")
TOPICS = 50  # of the flood: each has as many of the deaf
FLOOD_HZ, FLOOD_BYTES = 20, 1000
FILL_HZ, FILL_BYTES, FILL_MESSAGES = 500, 10000, 40 * TOPICS  # until their sockets are full
RETRY_S, SLOW_S = 1.0, 1.0
OPENING_MAX = 200  # a listener's backlog is finite
PER_SOURCE = 100   # clients behind one address

# The first half of a ClientHello: the record announces what never comes.
HELLO = bytes.fromhex("16030100f8010000f40303") + bytes(range(32)) + bytes.fromhex("20")


def topic(n):
    return f"crowd/flood/{n % TOPICS}"


class Guest:
    def __init__(self, number):
        self.number = number
        self.kind = KINDS[number % len(KINDS)]
        self.socket = None
        self.connected = False
        self.sent = 0
        self.turn = 0  # of its socket: what was planned for the one before is void


class Crowd:
    def __init__(self, port, tls_port, n):
        self.port, self.tls_port = port, tls_port
        self.guests = [Guest(i) for i in range(n)]
        self.waiting = collections.deque(self.guests)
        self.by_fd = {}
        self.opening = 0
        self.plans = []  # (when, number, turn): the next thing a guest does
        self.poll = select.epoll()
        self.thrown_out = collections.Counter()
        self.flooder = mqtt.Client(port, "crowd-flooder")
        self.flood_at = time.monotonic()
        self.fill = FILL_MESSAGES
        self.flooded = 0

    def plan(self, guest, after_s):
        heapq.heappush(self.plans, (time.monotonic() + after_s, guest.number, guest.turn))

    # ---- connecting ----

    def open_some(self):
        while self.waiting and self.opening < OPENING_MAX:
            self.open(self.waiting.popleft())

    def open(self, g):
        s = socket.socket()
        s.setblocking(False)
        if g.kind == "deaf":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        source = g.number // PER_SOURCE
        s.bind((f"127.1.{source // 250}.{source % 250 + 1}", 0))
        error = s.connect_ex(("127.0.0.1", self.tls_port if g.kind == "hello" else self.port))
        g.socket, g.connected, g.sent, g.turn = s, False, 0, g.turn + 1
        if error not in (0, errno.EINPROGRESS):
            s.close()
            g.socket = None
            self.plan(g, RETRY_S)
            return
        self.opening += 1
        self.by_fd[s.fileno()] = g
        self.poll.register(s.fileno(), select.EPOLLOUT)

    def lose(self, g):
        """The broker has closed, or refused."""
        if not g.connected:
            self.opening -= 1
        self.thrown_out[g.kind] += 1
        del self.by_fd[g.socket.fileno()]
        self.poll.unregister(g.socket.fileno())
        g.socket.close()
        g.socket, g.turn = None, g.turn + 1
        self.plan(g, RETRY_S)

    def on_connected(self, g):
        self.opening -= 1
        g.connected = True
        self.poll.modify(g.socket.fileno(), select.EPOLLIN)
        if g.kind == "hello":
            g.socket.send(HELLO)
        elif g.kind == "slow":
            self.plan(g, SLOW_S)
        elif g.kind == "deaf":
            name = f"crowd-{g.number}-{g.turn}"
            g.socket.send(mqtt.connect(name) + mqtt.subscribe([topic(g.number // len(KINDS))]))
            self.poll.modify(g.socket.fileno(), select.EPOLLRDHUP)

    # ---- what they do ----

    def act(self, g):
        if g.socket is None:
            self.waiting.append(g)
            return
        packet = mqtt.connect(f"crowd-{g.number}")
        if g.sent < len(packet):
            g.socket.send(packet[g.sent:g.sent + 1])
            g.sent += 1
        self.plan(g, SLOW_S)

    def run_plans(self):
        now = time.monotonic()
        while self.plans and self.plans[0][0] <= now:
            _, number, turn = heapq.heappop(self.plans)
            g = self.guests[number]
            if g.turn != turn:
                continue
            try:
                self.act(g)
            except OSError:
                self.lose(g)
        if now >= self.flood_at and self.is_complete():
            filling = self.fill > 0
            self.fill -= filling
            self.flood_at = now + 1 / (FILL_HZ if filling else FLOOD_HZ)
            self.flooded += 1
            self.flooder.send(mqtt.publish(topic(self.flooded),
                                           b"x" * (FILL_BYTES if filling else FLOOD_BYTES)))

    def is_complete(self):
        return not self.waiting and self.opening == 0

    def on_event(self, g, event):
        try:
            if not g.connected:
                error = g.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                self.on_connected(g)
            elif g.kind == "deaf" or not g.socket.recv(4096):
                self.lose(g)
        except BlockingIOError:
            pass
        except OSError:
            self.lose(g)

    def there(self):
        return collections.Counter(g.kind for g in self.guests if g.connected and g.socket)

    def report(self):
        there = self.there()
        print(" ".join(f"{k}={there[k]} {k}_lost={self.thrown_out[k]}" for k in KINDS), flush=True)

    def run(self):
        """Until stdin ends."""
        said_ready = False
        self.poll.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            self.open_some()
            for fd, event in self.poll.poll(0.002, 1024):
                if fd == sys.stdin.fileno():
                    if not os.read(fd, 100):
                        return
                    self.report()
                elif fd in self.by_fd:
                    self.on_event(self.by_fd[fd], event)
            self.run_plans()
            if not said_ready and self.fill == 0:
                said_ready = True
                print("ready", flush=True)


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    crowd = Crowd(*(int(a) for a in sys.argv[1:4]))
    crowd.run()


if __name__ == "__main__":
    main()
