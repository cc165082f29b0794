# SPDX-License-Identifier: BSD-3-Clause
"""The world that crashes: a broker, everyone around it, and what happens in a cycle.

A cycle is: start; everyone resumes; what was under way is brought to its end; all that is owed to
those who are there must have come; then work for a random time; then the broker dies.
"""

import signal
import time

from lib import wire
from lib.claims import Failed
from parts import others
from parts.brokers import PowerGone
from parts.client import Client
from parts.ledger import Ledger
from parts.loop import Loop

RECOVER_S = 30     # from the start of the broker to the first CONNACK
SHORT_S, SLACK_S = 1, 0.7  # the session that expires
QOS = {"a": 1, "b": 1, "c": 2, "d": 2}
SIZES = (8, 8, 30, 30, 200, 200, 1500, 9000, 70000)
IN_ORDER = 0.1     # how many of the ends are none by force
TOPICS = 12  # of retained messages


class Visitor(Client):
    """Comes once, clean, and looks at what is retained."""

    def __init__(self, world, name):
        super().__init__(world, name, expiry=None)
        self.seen, self.asked = {}, None

    def hear(self, topic, seq, qos, packet):
        if packet.flags & 1:
            self.seen[topic] = seq

    def on_suback(self, packet):
        self.requests.clear()


class Short(Client):
    """Has a session that expires soon; knows when it must be there and when not."""

    def __str__(self):
        now = time.monotonic()
        away = "never" if self.left is None else f"{now - self.left:.3f} s"
        return (f"{self.name} (away {away}, the broker is up for {now - self.world.up_since:.3f} s, "
                f"expiry {self.expiry} s)")

    def possible(self):
        if True not in self.asked_while or self.left is None:
            return self.asked_while
        now = time.monotonic()
        if now - self.left < SHORT_S - SLACK_S:
            return {True} if False not in self.asked_while else {False, True}
        if now - max(self.left, self.world.up_since) > SHORT_S + SLACK_S:
            return {False}
        return {False, True}


class Fickle(Client):
    """Sometimes begins with a clean session: what was before must never come back."""

    def opened(self):
        clean = self.visits == 0 or self.world.luck.random() < 0.3
        self.asked_while = {False} if clean else set(self.exists)
        self.connection.send(wire.connect(5, self.name, 0, clean,
                                          raw=b"\x11" + self.expiry.to_bytes(4, "big")))
        if clean:
            self.ledger.forget(self.listener)
        self.exists.add(True)


class World:
    """`args` has cores, work, others; `broker` is one of parts/brokers.py."""

    def __init__(self, args, broker, luck, folder):
        self.args, self.broker, self.luck, self.folder = args, broker, luck, folder
        self.loop, self.ledger = Loop(), Ledger()
        self.port, self.cores, self.cycle = None, args.cores[0], 0
        self.started = self.up_since = 0.0
        self.ended = None  # since when the broker is, or goes
        self.recoveries, self.greeting = [], False
        self.kills = self.early_kills = self.terms = self.resizes = 0
        self.loop.look = self.look
        self.cast_publishers()
        self.cast_listeners()
        self.others = []

    def cast_publishers(self):
        self.publishers, self.streams = [], {}
        for i in range(4):
            pub = Client(self, f"pub{i}", version=(4, 5)[i % 2], window=(20, 8)[i // 2])
            self.streams[pub] = [self.ledger.stream(f"m/{pub.name}/{k}", q) for k, q in QOS.items()]
            self.publishers.append(pub)
        self.toggled = Client(self, "toggled", window=10)
        self.streams[self.toggled] = [self.ledger.stream(f"u/{k}", k % 2 + 1) for k in range(6)]
        self.keeper = Client(self, "keeper", window=10)
        self.streams[self.keeper] = [self.ledger.stream(f"r/{k}", k % 2 + 1)
                                     for k in range(TOPICS)]
        self.publishers += [self.toggled, self.keeper]

    def cast_listeners(self):
        def listener(name, *wanted, kind=Client, version=5, **more):
            client = kind(self, name, version, **more)
            for pair in wanted:
                client.subscribe(*pair)
            return client

        self.faithful = [listener("online", ("m/#", 2)), listener("old", ("m/+/c", 2), version=4)]
        self.absent = [listener("absent4", ("m/+/a", 1), ("m/+/d", 2), version=4, lag=0.03),
                       listener("absent5", ("m/+/b", 2), ("m/+/c", 1))]
        self.restless = [listener("restless1", ("m/#", 1), lag=0.05),
                         listener("restless2", ("m/#", 2), lag=0.02)]
        self.toggler = listener("toggler")
        self.short = listener("short", kind=Short, expiry=SHORT_S)
        self.fickle = listener("fickle", kind=Fickle)
        self.groups = []
        for name, wanted, qos in (("g1", "m/+/b", 1), ("g2", "m/+/d", 2)):
            group = self.ledger.listener(name, shared=True)
            self.groups += [listener(f"{name}-{i}", (f"$share/{name}/{wanted}", qos),
                                     listener=group) for i in range(2)]

    def cast_others(self):
        if not self.args.others:
            return
        stream = self.ledger.stream
        self.paho_pub = others.Paho(self, "paho-pub", [stream("m/paho/a", 1), stream("m/paho/c", 2)])
        self.paho_sub = others.Paho(self, "paho-sub", wanted=[("m/+/c", 2), ("m/+/a", 1)])
        self.paho_c = others.PahoC(self, self.folder, "paho-c",
                                   [stream("m/pahoc/b", 1), stream("m/pahoc/d", 2)])
        self.paho_c.begin()
        self.mosquitto_sub = others.MosquittoSub(self, "mosquitto-sub", "m/+/d", 2)
        self.mosquitto_pub = None
        self.others = [self.paho_pub, self.paho_sub, self.paho_c, self.mosquitto_sub]

    @property
    def stayers(self):
        """Those who are there whenever the broker is."""
        return self.publishers + self.faithful + self.groups + [self.toggler]

    @property
    def all(self):
        return [*self.stayers, *self.absent, *self.restless, self.short, self.fickle]

    # ---- the broker ---------------------------------------------------------------------

    def greeted(self, _client):
        """Somebody has had a CONNACK."""
        if self.greeting:
            self.greeting = False
            self.up_since = time.monotonic()
            self.recoveries.append(self.up_since - self.started)

    def start(self):
        if self.cycle == 1 or self.args.by != "cut":
            if self.cycle > 1 and len(self.args.cores) > 1 and self.luck.random() < 0.35:
                self.cores = self.luck.choice([n for n in self.args.cores if n != self.cores])
                self.resizes += 1
            self.broker.start(self.cores, self.luck)
        self.started, self.greeting, self.port = time.monotonic(), True, self.broker.port
        self.ended = None

    def kill(self):
        starting = self.greeting
        self.port, self.greeting, self.ended = None, False, time.monotonic()
        self.kills += 1
        if self.args.by == "cut" or self.broker.disk.failed():
            for client in self.all:
                client.cut()  # what a broker without a disk says is not read any more
        if self.args.by == "cut":
            return
        in_order = self.args.by == "term" or self.luck.random() < IN_ORDER
        if in_order and not self.broker.disk.failed() and self.broker.alive():
            self.kills -= 1
            self.terms += 1
            self.end_in_order(starting)
        else:
            self.broker.kill()
        self.loop.run(0.02)  # what it still said, and that it is gone
        self.broker.disk.lose_power(self.luck)

    def resume(self):
        """Starts the broker; sometimes it dies again while it reads its data."""
        self.start()
        while self.cycle > 1 and self.luck.random() < 0.2:
            self.loop.run(self.luck.random() * 0.1)
            self.watch()
            self.kill()
            self.early_kills += 1
            self.start()
        for client in self.stayers:
            client.come()
        if not self.loop.until(lambda: not self.greeting or not self.broker.alive(), RECOVER_S):
            raise Failed(f"no CONNACK within {RECOVER_S} s of the start")
        self.watch()

    def look(self):
        if self.broker.disk.dead and self.port:
            raise PowerGone

    def watch(self):
        if self.broker.disk.failed():
            raise PowerGone
        if not self.broker.alive():
            raise Failed(f"the broker ended with {self.broker.process.returncode}: "
                         f"{self.broker.said()}")

    # ---- the check ----------------------------------------------------------------------

    def check(self, everyone=False):
        """Brings to an end what is under way, and judges."""
        present = list(self.stayers)
        for client in [*self.absent, *self.restless]:
            if everyone or client in self.restless or self.luck.random() < 0.4:
                client.come()
                present.append(client)
        if self.luck.random() < 0.5:
            self.fickle.come()
            present.append(self.fickle)
        self.look_at_retained()
        if not self.loop.until(lambda: all(c.idle for c in present) and self.others_idle(), self.args.drain):
            self.watch()
            busy = [f"{c.name} ({len(c.outgoing)} under way, {len(c.requests)} asked, "
                    f"{'ready' if c.ready else 'not ready'})" for c in present if not c.idle]
            busy += [type(o).__name__ for o in self.others if not o.idle]
            self.ledger.blame("lost", f"answers: after {self.args.drain} s still busy: {', '.join(busy)}")
        listeners = {c.listener.name: c.listener for c in [*present, *self.others]
                     if getattr(c, "listener", None)}
        self.wait_for_owed(listeners.values())
        if self.args.stop and not self.ledger.clean:
            raise Failed("something is wrong")

    def others_idle(self):
        return all(o.idle for o in self.others)

    def wait_for_owed(self, listeners):
        end, behind = time.monotonic() + self.args.drain, list(listeners)
        while behind and time.monotonic() < end:
            behind = [x for x in behind if self.ledger.missing(x)]
            if behind:
                self.loop.run(0.03)
        for listener in behind:
            self.ledger.settle(listener)
        self.watch()

    def look_at_retained(self):
        """Looks until all is as it must be, or the time is over."""
        visitor = Visitor(self, f"visitor{self.cycle}")
        visitor.come()
        self.loop.until(lambda: visitor.ready, self.args.drain)
        asked = self.ledger.now()
        visitor.subscribe("r/#", 1)
        self.loop.until(lambda: not visitor.requests, self.args.drain)
        streams = self.streams[self.keeper]
        self.loop.until(lambda: all(self.ledger.retained_right(s, visitor.seen.get(s.topic), asked)
                                    for s in streams), self.args.drain)
        self.loop.run(0.05)  # what must not be there
        for s in streams:
            self.ledger.judge_retained(s, visitor.seen.get(s.topic), asked)
        visitor.go()

    # ---- the work -----------------------------------------------------------------------

    def work(self, seconds):
        """Everyone does what they do, until the time is over."""
        end = time.monotonic() + seconds
        if self.args.others:
            stream = self.ledger.stream(f"m/mosquitto{self.cycle}/{self.luck.choice('bd')}", 1)
            stream.qos = QOS[stream.topic[-1]]
            self.mosquitto_pub = others.MosquittoPub(self, f"mosquitto-pub{self.cycle}", stream)
        for client in self.absent:
            self.loop.after(self.luck.random() * seconds, client.go)
        while time.monotonic() < end:
            self.step()
            self.loop.run(0.01)
        self.watch()

    def step(self):
        """A hundredth of a second."""
        luck = self.luck
        for pub in self.publishers[:4]:
            for _ in range(luck.randrange(4)):
                if len(pub.waiting) < 20:
                    pub.publish(luck.choice(self.streams[pub]), luck.choice(SIZES))
        for pub in (self.toggled, self.keeper):
            if len(pub.waiting) < 5:
                retained = pub is self.keeper
                pub.publish(luck.choice(self.streams[pub]), 20, retain=retained,
                            clear=retained and luck.random() < 0.3)
        if luck.random() < 0.4 and self.toggler.ready and not self.toggler.requests:
            wanted = luck.choice([(f"u/{k}", k % 2 + 1) for k in range(6)])
            if wanted[0] in self.toggler.mine:
                self.toggler.unsubscribe(wanted[0])
            else:
                self.toggler.subscribe(*wanted)
        for client, chance in [(c, 0.05) for c in self.restless] + [
                (self.groups[1], 0.02), (self.groups[3], 0.02), (self.short, 0.02)]:
            if luck.random() < chance:
                self.flip(client)
        if self.fickle.online and luck.random() < 0.02:
            self.fickle.go(cut=luck.random() < 0.5)
        if self.args.others:
            self.step_others()

    def flip(self, client):
        if client.online:
            client.go(cut=self.luck.random() < 0.5)
        else:
            client.come()

    def step_others(self):
        if self.luck.random() < 0.5:
            self.mosquitto_pub.publish()
            self.paho_pub.budget += self.luck.randrange(3)
            self.paho_c.publish()
        if self.luck.random() < 0.005:
            self.paho_c.crash()

    def crash(self):
        """In the midst of it all."""
        self.kill()
        if self.others:
            if self.args.by != "cut":
                self.paho_c.crash_of_broker()
                self.mosquitto_sub.idle_since()
            if self.mosquitto_pub:
                self.mosquitto_pub.end()
                self.mosquitto_pub = None

    # ---- from the beginning to the end --------------------------------------------------

    def go(self, cycles, tell):
        """Runs it all; raises Failed if the broker cannot be worked with."""
        for self.cycle in range(1, cycles + 1):
            try:
                self.resume()
                if self.cycle == 1:
                    self.cast_others()
                self.check()
                self.work(self.luck.uniform(*self.args.work))
            except PowerGone:
                pass  # earlier than was planned
            self.crash()
            tell(self)
        self.cycle += 1
        try:
            self.resume()
            self.check(everyone=True)
        except PowerGone:  # it does not come twice
            self.crash()
            self.resume()
            self.check(everyone=True)
        self.end_in_order()

    def end_in_order(self, starting=False):
        self.port, self.ended = None, time.monotonic()
        status = self.broker.terminate()
        if starting and status == -signal.SIGTERM:  # nothing to put in order yet
            return
        if status and not self.broker.disk.failed():
            raise Failed(f"ended with {status} after TERM: {self.broker.said()}")

    def end(self):
        for other in [*self.others, *([self.mosquitto_pub] if self.others else [])]:
            if other:
                other.end()
        self.loop.look = lambda: None
        for client in self.all:
            client.go(cut=True)
        if self.broker.process and self.broker.alive():
            self.broker.kill()
        self.broker.disk.end()
        self.loop.close()
