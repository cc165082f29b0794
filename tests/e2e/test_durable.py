# SPDX-License-Identifier: BSD-3-Clause
"""What is on disk when the broker is killed, and what the operator sees when the disk, or what is
on it, is not right.

The plain restart is in test_restart.py; load, killed again and again, is for tests/crash.
"""

import os
import re
import shutil
import time
from pathlib import Path

from lib.broker import Broker, Process, free_port, start_pinion
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.mosquitto import run
from lib.wire import PUBACK, RawClient, packet, publish, publish_id, u16

QUOTA_EXCEEDED = 0x97
FOREVER = 0xffffffff
EXPIRY = b"\x11" + FOREVER.to_bytes(4, "big")


class Data:
    """A data directory and the brokers that use it, one after the other."""

    def __init__(self, t, *settings, cores=1, text=None):
        self.t, self.settings, self.cores = t, settings, cores
        self.path = Path(t.folder) / t.name("data")
        self.conf, self.broker = None, None
        if text is not None:
            self.conf = Path(t.folder) / t.name("pinion.yaml")
            self.conf.write_text(text, encoding="utf-8")

    def start(self, *more, cores=None):
        """A broker on the data."""
        self.cores = cores or self.cores
        settings = [f"data.dir={self.path}", *self.settings, *more]
        if self.conf:
            settings += [f"cores={self.cores}"]
            port = int(re.search(r":(\d+)", self.conf.read_text(encoding="utf-8"))[1])
            argv = [self.t.pinion, "serve", "-c", str(self.conf)]
            for setting in settings:
                argv += ["--set", setting]
            self.broker = self.t.keep(Broker(argv, port, f"{self.conf}.log"))
        else:
            self.broker = self.t.keep(start_pinion(
                self.t.pinion, self.t.folder, free_port(), self.cores, settings))
        return self.broker

    def crash(self):
        self.broker.process.kill()
        self.broker.process.wait(10)

    def again(self, *more, cores=None):
        """Dies, and is there again."""
        self.crash()
        return self.start(*more, cores=cores)

    def refused(self, *more):
        """What the broker says when it does not start; fails if it does."""
        argv = [self.t.pinion, "serve", "-p", str(free_port())]
        for setting in (f"cores={self.cores}", f"data.dir={self.path}", *self.settings, *more):
            argv += ["--set", setting]
        log = os.path.join(self.t.folder, self.t.name("refused.log"))
        process = self.t.keep(Process(argv, log))
        status = process.wait(20)
        said = process.text()
        same(f"exit status ({said})", status, 3)
        holds(f"it says so in a few lines: {said}", 0 < len(said.splitlines()) <= 5)
        return said

    def logs(self):
        """The segments, with the oldest of each core first."""
        return sorted(self.path.glob("core-*/*.log"))

    def find(self, text):
        """The segment that holds these bytes, and where; fails if none does."""
        for path in self.logs():
            at = path.read_bytes().find(text)
            if at >= 0:
                return path, at
        holds(f"{text} is on disk", False)
        return None


def offline(t, broker, wanted, qos=1, name="sub"):
    """A session that waits, without its client."""
    sub = Client(t, name, V5, clean=False, expiry=FOREVER, broker=broker).open()
    sub.subscribe(wanted, qos)
    sub.close()


def back(t, broker, name="sub"):
    return Client(t, name, V5, clean=False, expiry=FOREVER, broker=broker).open()


def tell(t, broker, topic, texts, qos=1, retain=False, **more):
    """Publishes and has every acknowledgement."""
    pub = Client(t, "pub", broker=broker).open()
    pub.wait_published([pub.publish(topic, x, qos, retain, wait=False, **more) for x in texts])
    pub.close()


def numbered(n, size=16):
    return [f"number {i:05} ".encode().ljust(size, b"x") for i in range(n)]


def retained(t, broker, wanted):
    """What is retained, by topic."""
    sub = Client(t, "look", broker=broker).open()
    sub.subscribe(wanted, 1)
    time.sleep(0.3)
    sub.close()
    return {m.topic: m.payload for m in sub.heard if m.retain}


# ---- what survives --------------------------------------------------------------------------------

@claim(cores=(0,), then=(1, 2, 4))
def another_number_of_cores_finds_all_of_it(t, then):
    data = Data(t, cores=3)
    broker = data.start()
    for i in range(8):
        offline(t, broker, f"a/{i}/#", 2, f"sub{i}")
    for i in range(8):
        tell(t, broker, f"a/{i}/x", numbered(20), 2)
        tell(t, broker, f"r/{i}", [b"kept"], 1, True)
    broker = data.again(cores=then)
    for i in range(8):
        sub = back(t, broker, f"sub{i}")
        same("session present", sub.session_present, True)
        same("messages", [m.payload for m in sub.exactly(20)], numbered(20))
        tell(t, broker, f"a/{i}/x", [b"new"], 1)
        same("new", sub.exactly(21)[-1].payload, b"new")
    same("retained", retained(t, broker, "r/#"), {f"r/{i}": b"kept" for i in range(8)})


@claim(cores=(0,), crash=(True, False))
def what_was_taken_back_stays_away(t, crash):
    """Unsubscribed, cleared, received, ended: none of it comes back."""
    data = Data(t, "data.interval=20ms", cores=2)
    broker = data.start()
    tell(t, broker, "r/1", [b"first"], 1, True)
    tell(t, broker, "r/2", [b"first"], 1, True)
    tell(t, broker, "r/2", [b""], 1, True)
    sub = Client(t, "sub", V5, clean=False, expiry=FOREVER, broker=broker).open()
    sub.subscribe("a", 1)
    sub.subscribe("b", 1)
    sub.unsubscribe("b")
    tell(t, broker, "a", [b"received"], 1)
    sub.exactly(1)
    sub.close()
    offline(t, broker, "#", 1, "ended")
    Client(t, "ended", V5, clean=True, broker=broker).open().close()
    time.sleep(0.2)  # what nobody waits for is written, too
    if not crash:
        same("exit status", broker.terminate()[0], 0)
        broker = data.start()
    else:
        broker = data.again()
    same("retained", retained(t, broker, "r/#"), {"r/1": b"first"})
    sub = back(t, broker)
    tell(t, broker, "b", [b"no"], 1)
    tell(t, broker, "a", [b"yes"], 1)
    same("messages", [m.payload for m in sub.exactly(1)], [b"yes"])
    same("ended", back(t, broker, "ended").session_present, False)


@claim(cores=(0,))
def what_a_subscription_says_survives(t):
    data = Data(t, cores=2)
    broker = data.start()
    sub = Client(t, "sub", V5, clean=False, expiry=FOREVER, broker=broker).open()
    sub.subscribe("a", 2, subscription_id=77, noLocal=True, retainAsPublished=True)
    sub.close()
    sub = back(t, data.again())
    sub.publish("a", b"own", 1)
    tell(t, data.broker, "a", [b"other"], 1, True)
    heard = sub.exactly(1)[0]
    same("message", (heard.payload, heard.retain), (b"other", True))
    same("subscription id", heard.property("SubscriptionIdentifier"), [77])


@claim(cores=(0,))
def time_goes_on_while_it_is_dead(t):
    data = Data(t)
    broker = data.start()
    offline(t, broker, "a")
    short = Client(t, "short", V5, clean=False, expiry=1, broker=broker).open()
    short.close()
    tell(t, broker, "a", [b"short"], MessageExpiryInterval=1)
    tell(t, broker, "a", [b"long"], MessageExpiryInterval=1000)
    data.crash()
    time.sleep(2.5)
    broker = data.start()
    heard = back(t, broker).exactly(1)[0]
    same("message", heard.payload, b"long")
    holds("its time is less now", heard.property("MessageExpiryInterval") in range(900, 1000))
    time.sleep(1.5) # if it was not on disk that he had left, it is from the start on
    same("the session has expired", Client(t, "short", V5, clean=False, broker=broker).open()
         .session_present, False)


@claim(cores=(0,))
def who_is_back_in_time_has_his_time_again(t):
    """Away for most of the session's expiry, back, and then the broker dies: it counts anew."""
    data = Data(t)
    broker = data.start()

    def client():
        return Client(t, "s", V5, clean=False, expiry=5, broker=broker)

    client().open().close()
    time.sleep(3.5)
    same("session present", client().open().session_present, True)
    data.crash()
    time.sleep(1.5)
    broker = data.start()
    same("session present", client().open().session_present, True)


@claim(cores=(0,))
def will_of_a_client_that_does_not_come_back_is_sent(t):
    data = Data(t, cores=2)
    broker = data.start()
    offline(t, broker, "will/#")
    Client(t, "mortal", V5, clean=False, expiry=FOREVER, broker=broker,
           will=("will/1", b"gone", 1)).open()
    same("will", back(t, data.again()).wait_heard(1)[0].payload, b"gone")


@claim(cores=(0,))
def message_taken_at_2_and_not_released_is_not_taken_twice(t):
    """The publisher has PUBREC, or has nothing, when the broker dies, and sends again."""
    data = Data(t, cores=2)
    broker = data.start()
    offline(t, broker, "a", 2)
    pub = t.keep(RawClient(broker.port, V5))
    pub.connect("pub", clean=False, raw=EXPIRY)
    first = publish(V5, "a", b"one", 2, 1)
    same("PUBREC", pub.ask(first).type, 5)
    pub.send(publish(V5, "a", b"two", 2, 2))
    broker = data.again()
    pub = t.keep(RawClient(broker.port, V5))
    same("session present", pub.connect("pub", clean=False, raw=EXPIRY).body[0], 1)
    for n, text in ((1, b"one"), (2, b"two")):
        same("PUBREC", pub.ask(publish(V5, "a", text, 2, n, dup=True)).type, 5)
    for n in (1, 2):
        same("PUBCOMP", pub.ask(packet(6, 2, u16(n))).type, 7)
    same("messages", [m.payload for m in back(t, broker).exactly(2)], [b"one", b"two"])


# ---- cheaper choices ------------------------------------------------------------------------------

@claim(cores=(0,), durability=("memory", "interval", "commit"))
def durability_keeps_what_its_name_says(t, durability):
    data = Data(t, f"data.durability={durability}", "data.interval=50ms", cores=2)
    broker = data.start()
    offline(t, broker, "a")
    tell(t, broker, "a", numbered(20))
    tell(t, broker, "r", [b"kept"], 1, True)
    if durability == "interval":
        time.sleep(1)
    broker = data.again()
    kept = durability != "memory"
    sub = back(t, broker)
    same("session present", sub.session_present, kept)
    same("messages", [m.payload for m in sub.exactly(20 * kept)], numbered(20 * kept))
    same("retained", retained(t, broker, "r"), {"r": b"kept"} if kept else {})


@claim(cores=(0,))
def rules_of_topics_come_before_the_listener(t):
    port, cheap = free_port(), free_port()
    data = Data(t, text=f"""listeners:
  - address: 127.0.0.1:{port}
  - {{address: '127.0.0.1:{cheap}', durability: memory}}
data:
  rules:
    - {{topic: 'telemetry/#', durability: memory}}
    - {{topic: 'orders/#', durability: commit}}
""")
    broker = data.start()
    offline(t, broker, "#")
    pub = t.keep(RawClient(cheap, V5))
    pub.connect("pub")
    for n, topic in enumerate(("orders/1", "other/1", "telemetry/1")):
        same("PUBACK", pub.ask(publish(V5, topic, b"x", 1, n + 1, retain=True)).type, PUBACK)
    tell(t, broker, "telemetry/2", [b"x"], 1, True)
    tell(t, broker, "other/2", [b"x"], 1, True)
    broker = data.again()
    same("messages", [m.topic for m in back(t, broker).exactly(2)], ["orders/1", "other/2"])
    same("retained", sorted(retained(t, broker, "#")), ["orders/1", "other/2"])


# ---- the directory --------------------------------------------------------------------------------

@claim(cores=(0,), what=("another_version", "damaged", "nobody"))
def layout_that_is_not_ours_is_refused(t, what):
    data = Data(t)
    data.start().terminate()
    layout = data.path / "layout"
    text = layout.read_text(encoding="ascii")
    layout.write_text({"another_version": text.replace("format 1", "format 99"),
                       "damaged": text.replace("cores 1", "cores 2"),
                       "nobody": "something else\n"}[what], encoding="ascii")
    said = data.refused()
    holds(f"names the file: {said}", "layout" in said)
    holds(f"says what it is: {said}", {"another_version": "format 99", "damaged": "sum",
                                       "nobody": "not Pinion's"}[what] in said)
    same("it is left alone", "core-0.1" in os.listdir(data.path), True)


@claim(cores=(0,), what=("a_file", "nowhere"))
def directory_that_cannot_be_is_refused(t, what):
    data = Data(t)
    if what == "a_file":
        data.path.write_text("x")
    else:
        data.path = Path("/proc/pinion/data")
    said = data.refused()
    holds(f"names it: {said}", str(data.path) in said or "data.dir" in said)


# ---- full -----------------------------------------------------------------------------------------

def fill(pub, size):
    """Publishes at QoS 1, ten at a time, until one is refused; which were taken."""
    taken = []
    for first in range(0, 100_000, 10):
        for n in range(first, first + 10):
            body = f"{n} ".encode().ljust(size, b"x")
            pub.send(publish(V5, "a", body, 1, n % 10 + 1))
        for n in range(first, first + 10):
            answer = pub.receive()
            same("answer", (answer.type, answer.body[:2]), (PUBACK, u16(n % 10 + 1)))
            if answer.body[2:3] == bytes([QUOTA_EXCEEDED]):
                return taken
            taken.append(n)
    return holds("it is full some time", False)


@claim(cores=(0,), heavy=True, what=("data.bytes", "disk"))
def full_disk_refuses_and_is_over_when_something_has_gone(t, what):
    """Who publishes is told; who consumes goes on; then it takes messages again, without a start."""
    if what == "disk" and run(["unshare", "-rm", "true"]).returncode:
        return  # no file system of our own without the right to mount one
    data = Data(t, "data.segment=1 MiB", "mqtt.packet=64 KiB")
    if what == "data.bytes":
        broker = data.start("data.bytes=12 MiB")
    else:
        data.path.mkdir()
        port = free_port()
        mount = f"mount -t tmpfs -o size=12m none {data.path} && exec \"$@\""
        broker = t.keep(Broker(
            ["unshare", "-rm", "sh", "-c", mount, "-", t.pinion, "serve", "-p", str(port),
             "--set", "cores=1", "--set", f"data.dir={data.path}/x", "--set",
             "data.segment=1 MiB", "--set", "mqtt.packet=64 KiB"], port, f"{data.path}.log"))
    offline(t, broker, "a")
    pub = t.keep(RawClient(broker.port, V5))
    pub.connect("pub")
    taken = fill(pub, 4000)
    holds(f"it took some: {len(taken)}", len(taken) * 4000 > 3 << 20)
    holds("it lives", broker.alive())
    sub = t.keep(RawClient(broker.port, V311))
    sub.connect(t.name("sub"), clean=False)
    got = []
    while (p := sub.next(1)) is not None:
        body = p.body[5:]
        got.append(int(body.split(b" ")[0]))
        sub.send(packet(PUBACK, 0, u16(publish_id(p))))
    same("all that was acknowledged", [n for n in got if n in set(taken)], taken)

    def takes():
        return pub.ask(publish(V5, "a", b"9 new", 1, 1)).body[2:3] != bytes([QUOTA_EXCEEDED])

    eventually("it takes messages again", takes)


# ---- damage ---------------------------------------------------------------------------------------

COUNT, VICTIM = 400, 150
SMALL = ("data.segment=128 KiB", "mqtt.packet=8 KiB", "mqtt.topic_bytes=1000")


def damaged(t, how, *settings):
    """Data that wait for a session, of which one message is damaged; the file where it was."""
    data = Data(t, *settings)
    broker = data.start()
    offline(t, broker, "a")
    for first in range(0, COUNT, 40):
        tell(t, broker, "a", numbered(COUNT, 1000)[first:first + 40])
    data.crash()
    path, at = data.find(numbered(COUNT)[VICTIM].rstrip(b"x"))
    if how == "flipped":
        with open(path, "r+b") as out:
            out.seek(at)
            out.write(b"N")
    elif how == "truncated":
        os.truncate(path, at)
    else:
        path.unlink()
    return data, path


def judge_rest(t, broker, most):
    """All but some, `most` at most, are there, in order."""
    sub = back(t, broker)
    same("session present", sub.session_present, True)
    wanted = numbered(COUNT, 1000)
    if most < COUNT:
        eventually("the last one", lambda: sub.heard and sub.heard[-1].payload == wanted[-1])
    heard = [m.payload for m in sub.heard]
    same("in order, nothing twice", heard, sorted(set(heard)))
    holds(f"{COUNT - len(heard)} lost", 1 <= COUNT - len(heard) <= most)
    holds("all of the others are there", set(heard) <= set(wanted))


# How a file is damaged, by its settings, and how many messages may be lost with it.
DAMAGES = {"flipped": ((), 1), "truncated": ((), COUNT), "truncated old": (SMALL, 130),
           "missing old": (SMALL, 130)}


@claim(cores=(0,), what=DAMAGES)
def damage_is_refused_by_file_and_place_and_salvage_loses_only_that(t, what):
    how, (settings, most) = what.split()[0], DAMAGES[what]
    data, path = damaged(t, how, *settings)
    before = {p.name: p.read_bytes() for p in data.logs()}
    said = data.refused()
    holds(f"names the file: {said}", path.name in said)
    holds(f"says what to do: {said}", "data.salvage" in said)
    if how == "flipped":
        holds(f"says where: {said}", re.search(r"offset \d+", said))
    same("nothing was changed", {p.name: p.read_bytes() for p in data.logs()}, before)
    same("pinion log check", run([t.pinion, "log", "check", str(data.path)]).returncode, 1)
    judge_rest(t, data.start("data.salvage=true"), most)


@claim(cores=(0,))
def damage_that_a_start_does_not_read_is_told_when_it_is_read(t):
    """In a file that a snapshot has made old: all but that message arrives."""
    data, path = damaged(t, "flipped", *SMALL)
    same("pinion log check", run([t.pinion, "log", "check", str(data.path)]).returncode, 1)
    holds("it is old", path != data.logs()[-1])
    broker = data.start()
    judge_rest(t, broker, 1)
    eventually("the log says so", lambda: "ERROR core=0 message_unreadable" in broker.text())
    holds("it lives", broker.alive())


@claim(cores=(0,))
def what_a_crash_leaves_is_sound(t):
    data = Data(t, cores=2)
    broker = data.start()
    offline(t, broker, "a")
    tell(t, broker, "a", numbered(100))
    data.crash()
    checked = run([t.pinion, "log", "check", str(data.path)])
    same(f"pinion log check: {checked.stdout}{checked.stderr}", checked.returncode, 0)
    copy = data.path.with_name(t.name("copy"))
    shutil.copytree(data.path, copy)
    data.path = copy
    same("messages of a copy", len(back(t, data.start()).exactly(100)), 100)
