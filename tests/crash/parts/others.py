# SPDX-License-Identifier: BSD-3-Clause
"""Clients that others wrote, so that not only what we take for MQTT is tested.

Each runs in a thread or a process of its own and notes in the ledger what it is told, when it is
told: Paho for Python and C as publishers that keep their messages over a crash (C in files, over
its own crash, too), Paho for Python and mosquitto_sub as durable subscribers, and mosquitto_pub.
"""

import contextlib
import os
import subprocess
import threading
import time

from paho.mqtt import client as paho

from lib.broker import spawn
from lib.claims import Failed
from parts.client import number_of, payload_of

AGAIN_S = 0.02
WINDOW = 8
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Paho(threading.Thread):
    """Paho for Python 3.1.1 with a session that stays: publishes to streams, or subscribes."""

    def __init__(self, world, name, streams=(), wanted=()):
        super().__init__(daemon=True)
        self.world, self.ledger, self.name_, self.streams = world, world.ledger, name, streams
        self.wanted, self.listener = wanted, self.ledger.listener(name)
        self.paho = paho.Client(name, clean_session=False, protocol=paho.MQTTv311)
        self.paho.on_connect, self.paho.on_message = self.on_connect, self.on_message
        self.paho.on_publish, self.paho.on_subscribe = self.on_publish, self.on_subscribe
        self.under_way, self.windows = {}, {}
        self.budget, self.over, self.connected = 0, False, False
        self.known = {False}
        self.start()

    def run(self):
        while not self.over:
            try:
                self.known.add(True)
                for stream, seq in self.under_way.values():
                    self.ledger.resend(stream, seq)
                self.mend()
                self.paho.connect("127.0.0.1", self.world.broker.port, 60)
            except OSError:
                time.sleep(AGAIN_S)
                continue
            while not self.over and self.paho.loop(0.02) == paho.MQTT_ERR_SUCCESS:
                self.publish()
            self.connected = False

    def mend(self):
        """Paho 1.6.1 forgets by a second attempt to connect that it has sent a PUBREL, and sends
        the PUBLISH again, of which the broker need not know any more."""
        for m in self.paho._out_messages.values():  # pylint: disable=protected-access
            if m.state == paho.mqtt_ms_resend_pubrel:
                m.state = paho.mqtt_ms_wait_for_pubcomp

    def publish(self):
        while self.connected and self.budget > 0 and len(self.under_way) < WINDOW:
            self.budget -= 1
            stream = self.streams[self.budget % len(self.streams)]
            seq = self.ledger.send(stream)
            mid = self.paho.publish(stream.topic, payload_of(seq, 60), stream.qos).mid
            self.under_way[mid] = (stream, seq)

    def on_connect(self, _client, _data, flags, rc):
        if rc:
            self.ledger.blame("protocol", f"{self.name_}: refused with {rc}")
            return
        present = bool(flags["session present"])
        self.ledger.judge_present(self.name_, present, self.known)
        if not present and self.known == {True}:
            self.ledger.settle(self.listener)
            self.ledger.forget(self.listener)
            self.windows.clear()
        self.known = {True}
        self.listener.lives += 1
        self.connected = True
        for wanted, qos in self.wanted:
            if wanted not in [w.filter for w in self.windows.values()]:
                window = self.ledger.subscribe(self.listener, wanted, qos)
                self.windows[self.paho.subscribe(wanted, qos)[1]] = window

    def on_subscribe(self, _client, _data, mid, _granted):
        self.ledger.grant(self.windows[mid])

    def on_message(self, _client, _data, message):
        self.ledger.hear(self.listener, message.topic, number_of(message.payload[:20]), message.qos)

    def on_publish(self, _client, _data, mid):
        stream, seq = self.under_way.pop(mid, (None, None))
        if stream:
            self.ledger.ack(stream, seq)

    @property
    def idle(self):
        return not self.under_way and self.connected and all(
            w.granted for w in self.windows.values())

    def end(self):
        self.over = True
        self.join(5)


class Process:
    """A client program whose lines are read by a thread."""

    def __init__(self, world, argv, stdin=subprocess.DEVNULL):
        self.world, self.ledger = world, world.ledger
        self.process = spawn(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, bufsize=1)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.hear(line.rstrip("\n"))

    def say(self, text):
        try:
            self.process.stdin.write(text)
        except (OSError, ValueError):
            pass  # it has ended: what it has not acknowledged is open

    def end(self):
        self.process.kill()
        self.process.wait(5)
        self.reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()


class MosquittoSub(Process):
    """mosquitto_sub with a session that stays; it connects again by itself, after a second."""

    def __init__(self, world, name, wanted, qos):
        self.listener, self.connected = world.ledger.listener(name), False
        self.window = world.ledger.subscribe(self.listener, wanted, qos)
        super().__init__(world, ["stdbuf", "-oL", "mosquitto_sub", "-p", str(world.broker.port),
                                 "-i", name, "-c", "-q", str(qos), "-t", wanted, "-d",
                                 "-F", "%q %t %p"])

    def hear(self, line):
        words = line.split(" ", 3)
        if words[0].isdigit():
            self.ledger.hear(self.listener, words[1], number_of(words[2].encode()), int(words[0]))
        elif "received CONNACK" in line:
            self.listener.lives += 1
            self.connected = True
        elif line.startswith("Subscribed ("):
            self.ledger.grant(self.window)

    def idle_since(self):
        """The broker was killed: it will have to connect again."""
        self.connected = False

    @property
    def idle(self):
        return self.connected and self.window.granted is not None


class MosquittoPub(Process):
    """mosquitto_pub with lines from us; what is under way at a crash stays open for ever."""

    def __init__(self, world, name, stream):
        self.stream = stream
        super().__init__(world, ["stdbuf", "-oL", "mosquitto_pub", "-p", str(world.broker.port),
                                 "-i", name, "-q", str(stream.qos), "-t", stream.topic, "-d", "-l"],
                         subprocess.PIPE)

    def publish(self):
        seq = self.ledger.send(self.stream)
        self.say(payload_of(seq, 30).decode() + "\n")

    def hear(self, line):
        last = "PUBACK" if self.stream.qos == 1 else "PUBCOMP"
        for word in (last, "PUBREC"):
            if f"received {word} (Mid: " in line:
                mid = int(line.split("(Mid: ")[1].split(")")[0].split(",")[0])
                self.ledger.ack(self.stream, mid - 1, word == last)

    def end(self):
        super().end()
        self.ledger.abandon(self.stream)


class PahoC:
    """Paho for C, with its messages in files: it may be killed as well."""

    def __init__(self, world, folder, name, streams):
        self.world, self.ledger, self.streams = world, world.ledger, streams
        self.files, self.name = os.path.join(folder, "paho-c"), name
        self.program = os.path.join(folder, "paho_publisher")
        self.by_token, self.early, self.process = {}, {}, None
        self.under_way, self.turn, self.lock = 0, 0, threading.RLock()
        self.untold = 0  # of those under way: given to the program, which has not said a token
        os.makedirs(self.files, exist_ok=True)
        source = os.path.join(HERE, "paho_publisher.c")
        done = subprocess.run(["cc", "-O1", "-Wall", "-o", self.program, source, "-lpaho-mqtt3c"],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Failed(f"paho_publisher.c: {done.stderr[:400]}")

    def begin(self):
        self.process = PahoProcess(self, [self.program, f"tcp://127.0.0.1:{self.world.broker.port}",
                                          self.name, self.files])

    def publish(self):
        with self.lock:
            if self.under_way >= WINDOW:
                return
            self.under_way += 1
            self.untold += 1
            self.turn += 1
        stream = self.streams[self.turn % len(self.streams)]
        seq = self.ledger.send(stream)
        self.process.say(f"{stream.topic} {stream.qos} {seq}\n")

    def token(self, token, topic, seq):
        """It has taken a message and will deliver it."""
        with self.lock:
            self.untold -= 1
            self.by_token[token] = (self.ledger.streams[topic], seq)
            if self.early.pop(token, False):
                self.close(token)

    def delivered(self, token):
        with self.lock:
            if token in self.by_token:
                self.close(token)
            else:
                self.early[token] = True

    def close(self, token):
        self.under_way -= 1
        self.ledger.ack(*self.by_token.pop(token))

    def crash_of_broker(self):
        """Whatever is under way will be sent again."""
        with self.lock:
            for stream, seq in self.by_token.values():
                self.ledger.resend(stream, seq)

    def crash(self):
        """Is killed, and starts again with its files; but not with messages that it may or may not
        have taken yet."""
        if self.untold == 0:
            self.end()
            self.crash_of_broker()
            self.begin()

    def pending(self, tokens):
        """What it has in its files at its start: all else was delivered."""
        with self.lock:
            for token in set(self.by_token) - tokens:
                self.close(token)

    @property
    def idle(self):
        return self.under_way == 0

    def end(self):
        if self.process:
            self.process.end()
            self.process = None


class PahoProcess(Process):
    def __init__(self, owner, argv):
        self.owner = owner
        super().__init__(owner.world, argv, subprocess.PIPE)

    def hear(self, line):
        words = line.split()
        if words[:1] == ["token"]:
            self.owner.token(int(words[1]), words[2], int(words[3]))
        elif words[:1] == ["pending"]:
            self.owner.pending({int(word) for word in words[1:]})
        elif words[:1] == ["done"]:
            self.owner.delivered(int(words[1]))
        else:
            self.ledger.blame("protocol", f"Paho for C: {line}")
