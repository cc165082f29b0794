# SPDX-License-Identifier: BSD-3-Clause
"""With data.dir, what was acknowledged survives: an end in good order, and one by kill -9."""

import os
import pwd
import subprocess
import time
from collections import Counter
from types import SimpleNamespace

from lib.broker import Broker, free_port
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.wire import RawClient, publish
from test_admin import Admin

FOREVER = 0xffffffff
QUOTA_EXCEEDED = 0x97
ENDS = ("kill", "term")


class Kept:
    """A broker whose data outlives it: as `broker` of a client it is whichever runs now.

    `config` is the text of a file, with listeners of its own; PORT in it is the broker's port.
    """

    host = "127.0.0.1"

    def __init__(self, t, *settings, cores=2, config=None):
        self.t, self.settings, self.cores = t, settings, cores
        self.port = free_port()
        self.dir = os.path.join(t.folder, f"data-{self.port}")
        self.where = ["-p", str(self.port)]
        if config:
            path = os.path.join(t.folder, f"restart-{self.port}.yaml")
            with open(path, "w", encoding="ascii") as out:
                out.write(config.replace("PORT", str(self.port)))
            self.where = ["-c", path]

    def argv(self):
        argv = [self.t.pinion, "serve", *self.where]
        small = "data.segment=2MiB" # quicker to read
        for setting in (f"cores={self.cores}", f"data.dir={self.dir}", small, *self.settings):
            argv += ["--set", setting]
        return argv

    def start(self):
        log = os.path.join(self.t.folder, f"restart-{self.port}.log")
        self.now = self.t.keep(Broker(self.argv(), self.port, log))
        return self

    def restart(self, how, cores=None):
        """Ends it and starts it again on the same data."""
        if how == "kill":
            self.now.process.kill()
            self.now.wait(10)
        else:
            same("status", self.now.terminate(15)[0], 0)
        self.cores = cores or self.cores
        self.start()

    def try_start(self):
        """What it says when it does not start: (status, text)."""
        done = subprocess.run(self.argv(), capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, done.stdout + done.stderr


def stays(t, kept, name, version=V5):
    """A client whose session stays."""
    return Client(t, name, version, clean=False, expiry=FOREVER, broker=kept)


@claim(cores=(0,), how=ENDS, version=(V311, V5), qos=(1, 2))
def waiting_messages_arrive_after_a_restart_in_order(t, how, version, qos):
    kept = Kept(t).start()
    sub = stays(t, kept, "s", version).open()
    sub.subscribe(t.topic("off/#"), qos)
    sub.close()
    pub = Client(t, "pub", broker=kept).open()
    texts = [f"{i}".encode() for i in range(100)]
    pub.wait_published([pub.publish(t.topic("off/1"), x, qos, wait=False) for x in texts])
    kept.restart(how)
    again = stays(t, kept, "s", version).open()
    same("session present", again.session_present, True)
    heard = again.exactly(100)
    same("payloads", [m.payload for m in heard], texts)
    same("qos", {m.qos for m in heard}, {qos})
    pub = Client(t, "pub2", broker=kept).open()
    pub.publish(t.topic("off/1"), b"live", qos)
    same("live", again.exactly(101)[-1].payload, b"live")
    again.close()
    kept.restart(how)
    last = stays(t, kept, "s", version).open()
    time.sleep(0.3)
    if how == "term" or qos == 2:
        same("nothing comes twice", last.heard, [])
    else: # its acknowledgement may not have been on disk
        holds("what comes again says so", all(m.dup for m in last.heard))


@claim(cores=(0,), how=ENDS, cores_of_broker=(1, 4))
def subscriptions_of_many_clients_survive(t, how, cores_of_broker):
    kept = Kept(t, cores=cores_of_broker).start()
    for i in range(16):
        c = stays(t, kept, f"c{i}").open()
        c.subscribe(t.topic(f"one/{i}"), 1)
        c.subscribe(t.topic("all/+"), 1, subscription_id=i + 1)
        c.close()
    kept.restart(how)
    pub = Client(t, "pub", broker=kept).open()
    pub.publish(t.topic("all/1"), b"all", 1)
    for i in range(16):
        pub.publish(t.topic(f"one/{i}"), b"one", 1)
    for i in range(16):
        heard = stays(t, kept, f"c{i}").open().exactly(2, quiet_s=0)
        same("payloads", sorted(m.payload for m in heard), [b"all", b"one"])
        same("subscription id", [m.property("SubscriptionIdentifier") for m in heard
                                 if m.payload == b"all"], [[i + 1]])


@claim(cores=(0,), how=ENDS)
def retained_messages_survive_and_cleared_ones_stay_away(t, how):
    kept = Kept(t).start()
    pub = Client(t, "pub", broker=kept).open()
    for i in range(20):
        pub.publish(t.topic(f"r/{i}"), f"{i}".encode(), 1, retain=True, ContentType="text/plain")
    for i in range(0, 20, 2):
        pub.publish(t.topic(f"r/{i}"), b"", 1, retain=True)
    pub.publish(t.topic("r/1"), b"newer", 1, retain=True)
    kept.restart(how)
    sub = Client(t, "sub", broker=kept).open()
    sub.subscribe(t.topic("r/#"), 1)
    heard = {m.topic: m for m in sub.exactly(10)}
    same("topics", set(heard), {t.topic(f"r/{i}") for i in range(1, 20, 2)})
    same("newest", heard[t.topic("r/1")].payload, b"newer")
    same("property", heard[t.topic("r/3")].property("ContentType"), "text/plain")
    holds("all are retained", all(m.retain for m in heard.values()))


@claim(cores=(0,), how=ENDS)
def ended_sessions_and_subscriptions_stay_away(t, how):
    kept = Kept(t).start()
    gone = stays(t, kept, "gone").open()
    gone.subscribe(t.topic("a"), 1)
    gone.close()
    Client(t, "gone", broker=kept, clean=True).open().close()
    left = stays(t, kept, "left").open()
    left.subscribe(t.topic("a"), 1)
    left.subscribe(t.topic("b"), 1)
    left.unsubscribe(t.topic("a"))
    left.close()
    kept.restart(how)
    pub = Client(t, "pub", broker=kept).open()
    pub.publish(t.topic("a"), b"a", 1)
    pub.publish(t.topic("b"), b"b", 1)
    same("ended", stays(t, kept, "gone").open().session_present, False)
    left = stays(t, kept, "left").open()
    same("session present", left.session_present, True)
    same("messages", [m.payload for m in left.exactly(1)], [b"b"])


@claim(cores=(0,), how=ENDS)
def topics_and_listeners_of_memory_are_forgotten(t, how):
    other = SimpleNamespace(host="127.0.0.1", port=free_port())
    kept = Kept(t, config="data:\n  rules:\n    - {topic: '+/cold/#', durability: memory}\n"
                          "listeners:\n  - {address: '127.0.0.1:PORT'}\n"
                          f"  - {{address: '127.0.0.1:{other.port}', durability: memory}}\n")
    kept.start()
    for where, word in ((kept, "kept"), (other, "lost")):
        c = stays(t, where, word).open()
        c.subscribe(t.topic("#"), 0)
        for i in ("cold/", "warm/"):
            c.publish(t.topic(f"{i}{word}"), b"x", 1, retain=True)
        c.close()
    kept.restart(how)
    same("session", stays(t, kept, "kept").open().session_present, True)
    same("session of memory", stays(t, kept, "lost").open().session_present, False)
    sub = Client(t, "sub", broker=kept).open()
    sub.subscribe(t.topic("#"), 1)
    same("retained", [m.topic for m in sub.exactly(1)], [t.topic("warm/kept")])


@claim(cores=(0,), how=ENDS, change=((1, 4), (4, 1), (3, 2)))
def everything_moves_to_another_number_of_cores(t, how, change):
    kept = Kept(t, cores=change[0]).start()
    for i in range(12):
        c = stays(t, kept, f"c{i}").open()
        c.subscribe(t.topic(f"one/{i}"), 2)
        c.subscribe(t.topic("all"), 1)
        c.close()
    pub = Client(t, "pub", broker=kept).open()
    for i in range(12):
        pub.publish(t.topic(f"one/{i}"), b"waits", 2)
        pub.publish(t.topic(f"r/{i}"), b"stays", 1, retain=True)
    for cores in (change[1], change[0]): # and back again
        kept.restart(how, cores)
        holds("the log tells", "INFO log_rewritten from_cores=" in kept.now.text())
    pub = Client(t, "pub2", broker=kept).open()
    pub.publish(t.topic("all"), b"live", 1)
    for i in range(12):
        c = stays(t, kept, f"c{i}").open()
        same("session present", c.session_present, True)
        heard = c.exactly(2, quiet_s=0) # one of QoS 2 is heard when it is released
        same("messages", sorted(m.payload for m in heard), [b"live", b"waits"])
    sub = Client(t, "sub", broker=kept).open()
    sub.subscribe(t.topic("r/#"), 1)
    sub.exactly(12)


@claim(cores=(0,))
def full_log_refuses_what_would_be_kept_and_recovers(t):
    kept = Kept(t, "data.segment=64KiB", "data.bytes=256KiB", "mqtt.packet=4096",
                "mqtt.topic_bytes=1024", cores=1).start()
    sub = stays(t, kept, "s").open()
    sub.subscribe(t.topic("#"), 1)
    sub.close()
    pub = t.keep(RawClient(kept.port, 5))
    pub.connect("pub")

    def reasons(n):
        """Of n publishes, how many were answered with each reason."""
        packets = [pub.ask(publish(5, t.topic("a"), b"x" * 1000, 1, i + 1)) for i in range(n)]
        return Counter(p.body[2] if len(p.body) > 2 else 0 for p in packets)

    got = reasons(400)
    holds(f"some are taken and others refused with 0x97: {got}",
          got[0] > 100 and got[QUOTA_EXCEEDED] > 100 and set(got) == {0, QUOTA_EXCEEDED})
    holds("the log names the directory", "WARN core=0 log_full refused=" in kept.now.text() and
          f"dir={kept.dir}" in kept.now.text())
    sub = stays(t, kept, "s").open() # what frees space is taken
    sub.exactly(got[0])
    sub.close()
    eventually("there is room again", lambda: reasons(1)[0] == 1)
    kept.restart("kill")
    last = stays(t, kept, "s").open()
    last.wait_heard(1)
    holds("only the last is new", all(m.dup for m in last.heard[:-1]))


@claim(cores=(0,))
def banner_and_log_tell_what_came_back(t):
    kept = Kept(t, "data.engine=threads").start()
    sub = stays(t, kept, "s").open()
    sub.subscribe(t.topic("a"), 1)
    sub.close()
    pub = Client(t, "pub", broker=kept).open()
    pub.publish(t.topic("a"), b"a", 1)
    pub.publish(t.topic("r"), b"a", 1, retain=True)
    kept.restart("kill")
    text = eventually("the banner", lambda: kept.now.text() if "try " in kept.now.text() else "")
    holds("directory and engine", f"{kept.dir}, commit, by helper threads" in text)
    holds("what came back", "1 sessions, 1 waiting and 1 retained messages in " in text)
    holds("the log", "INFO recovered dir=" in text and " sessions=1 subscriptions=1 messages=1 "
          "retained=1 " in text)


@claim(cores=(0,))
def damage_is_told_and_nothing_starts(t):
    kept = Kept(t).start()
    pub = Client(t, "pub", broker=kept).open()
    for i in range(50):
        pub.publish(t.topic(f"r/{i}"), b"x" * 100, 1, retain=True)
    same("status", kept.now.terminate(15)[0], 0)
    name = os.path.join(kept.dir, "core-0.1", "00000001.log")
    with open(name, "r+b") as f:
        f.seek(100)
        byte = f.read(1)
        f.seek(100)
        f.write(bytes([byte[0] ^ 1]))
    status, text = kept.try_start()
    same("status", status, 3)
    for told in (kept.dir, "core 0, 00000001.log", "pinion log check", "data.salvage: true"):
        holds(f"{told!r} in {text!r}", told in text)
    kept.settings = ("data.salvage=true",)
    kept.start()
    holds("damage in the log", "ERROR core=0 log_damaged file=00000001.log" in kept.now.text())
    sub = Client(t, "sub", broker=kept).open()
    sub.subscribe(t.topic("r/#"), 1)
    sub.wait_heard(45) # of both cores' topics, one or none is lost


@claim(cores=(0,))
def directory_in_use_is_refused(t):
    kept = Kept(t).start()
    other = Kept(t)
    other.dir = kept.dir
    status, text = other.try_start()
    same("status", status, 3)
    holds(text, f"{kept.dir} is in use by another Pinion" in text)


@claim(cores=(0,))
def metrics_tell_what_the_log_does(t):
    admin = Admin(t, f"data.dir={os.path.join(t.folder, t.name('data'))}")
    before = admin.metrics()
    pub = Client(t, "pub", broker=admin.broker).open()
    for i in range(20):
        pub.publish(t.topic(f"{i}"), b"x", 1, retain=True)
    after = admin.metrics()
    for name, least in (("pinion_log_records_total", 20), ("pinion_log_commits_total", 1),
                        ("pinion_log_written_bytes_total", 1000),
                        ("pinion_log_commit_seconds_count", 1),
                        ("pinion_log_commit_seconds_bucket", 1)):
        holds(f"{name} rises", after[name] >= before[name] + least)
    holds("commits take time", after["pinion_log_commit_seconds_sum"] > 0)
    same("failed", after["pinion_log_failed"], 0)
    same("waiting", after["pinion_log_waiting"], 0)


@claim(cores=(0,))
def data_of_a_broker_that_was_root_is_its_users(t):
    if os.geteuid() != 0:
        return # only root can
    who = pwd.getpwnam("daemon")
    place = os.path.join(t.folder, t.name("daemons"))
    os.mkdir(place)
    os.chown(place, who.pw_uid, -1)
    os.chmod(t.folder, 0o711)
    kept = Kept(t, "user=daemon")
    kept.dir = os.path.join(place, "data")
    kept.start()
    pub = Client(t, "pub", broker=kept).open()
    pub.publish(t.topic("r"), b"x", 1, retain=True)
    for folder, _, files in os.walk(kept.dir):
        for name in ["", *files]:
            of = os.stat(os.path.join(folder, name))
            same(f"owner of {folder}/{name}", (of.st_uid, of.st_gid), (who.pw_uid, who.pw_gid))
            same(f"others' rights on {folder}/{name}", of.st_mode & 0o077, 0)
    kept.restart("kill")
    sub = Client(t, "sub", broker=kept).open()
    sub.subscribe(t.topic("r"))
    sub.wait_heard(1)
