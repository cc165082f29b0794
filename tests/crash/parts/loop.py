# SPDX-License-Identifier: BSD-3-Clause
"""One thread, many sockets: connections without blocking, timers, and time limits for all."""

import collections
import heapq
import itertools
import selectors
import socket
import time


class Loop:
    """Runs handlers of sockets, timers, and what other threads put into `mail`."""

    def __init__(self):
        self.selector, self.timers = selectors.DefaultSelector(), []
        self.order, self.mail = itertools.count(), collections.deque()
        self.look = lambda: None  # in each turn; may raise

    def now(self):
        return time.monotonic()

    def after(self, seconds, act):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), act))

    def until(self, condition, seconds):
        """Runs until condition() is true; False if it is not so in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() >= end:
                return False
            self.turn(end)
        return True

    def run(self, seconds):
        self.until(lambda: False, seconds)

    def turn(self, end):
        self.look()
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()
        wait = min(end, self.timers[0][0] if self.timers else end) - time.monotonic()
        for key, events in self.selector.select(max(0, min(wait, 0.005))):
            key.data(events)
        while self.mail:
            self.mail.popleft()()

    def close(self):
        self.selector.close()


class Connection:
    """A TCP connection of the loop's. The owner has opened(), read(bytes) and lost()."""

    def __init__(self, loop, port, owner):
        self.loop, self.owner, self.out, self.open = loop, owner, bytearray(), False
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect_ex(("127.0.0.1", port))
        loop.selector.register(self.sock, selectors.EVENT_WRITE, self.ready)

    def send(self, data):
        if self.sock:
            self.out += data
            self.flush()

    def flush(self):
        try:
            while self.out:
                del self.out[:self.sock.send(self.out)]
        except BlockingIOError:
            pass
        except OSError:
            self.out.clear()  # the end is read, too: first comes what the broker still said
        self.watch()

    def watch(self):
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0)
        self.loop.selector.modify(self.sock, events, self.ready)

    def ready(self, events):
        if not self.open:
            if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.fail()
                return
            self.open = True
            self.watch()
            self.owner.opened()
            return
        if events & selectors.EVENT_WRITE:
            self.flush()
        if events & selectors.EVENT_READ:
            self.take()

    def take(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.owner.read(data)
        else:
            self.fail()

    def fail(self):
        if self.sock:
            self.close()
            self.owner.lost()

    def close(self):
        """Without a word to the owner."""
        if self.sock:
            self.loop.selector.unregister(self.sock)
            self.sock.close()
            self.sock = None
