# SPDX-License-Identifier: BSD-3-Clause
"""A client that does what MQTT demands of one that keeps its state, and notes all of it.

It survives the crash of the broker: messages under way are sent again in their order (PUBLISH with
DUP, or PUBREL), packet ids that it has received at QoS 2 are remembered. Requests that were not
answered are made again. It notes each event in the ledger, acknowledgements when it has them.
"""

import collections

from lib import wire
from parts.loop import Connection

FOREVER = 0xffffffff
AGAIN_S = 0.01  # between attempts to connect


class Sent:
    """A message under way: `stage` is PUBLISH or PUBREL, whichever is to be repeated."""

    def __init__(self, stream, seq, payload, retain):
        self.stream, self.seq, self.payload, self.retain = stream, seq, payload, retain
        self.stage = wire.PUBLISH


def payload_of(seq, size):
    """The number, in words, and something behind it."""
    head = f"{seq} ".encode()
    return head + b"x" * max(0, size - len(head))


def number_of(payload):
    """The number of a message; -1 if it has none."""
    head = bytes(payload).split(b" ", 1)[0]
    return int(head) if head.isdigit() else -1


class Client:
    """A client with a session.

    expiry   of the session in seconds; None for one that ends with the connection
    window   how many messages may be under way
    listener what it hears is noted there; another than its own for members of a group
    lag      seconds until it answers a PUBLISH
    """

    def __init__(self, world, name, version=5, expiry=FOREVER, window=20, listener=None, lag=0):
        self.world, self.loop, self.ledger = world, world.loop, world.ledger
        self.name, self.version, self.expiry, self.window = name, version, expiry, window
        self.lag = lag
        self.listener = listener or self.ledger.listener(name)
        self.outgoing, self.incoming = collections.OrderedDict(), {}
        self.waiting = collections.deque()
        self.requests = {}      # packet id: (kind, window)
        self.wanted = []        # requests to be made: (kind, filter, qos)
        self.mine = {}          # subscriptions that were granted: filter, qos
        self.last_id = 0
        self.connection, self.unread, self.ready = None, b"", False
        self.online = False     # does it want to be?
        self.exists = {False}   # may the broker have a session of it?
        self.visits = 0         # CONNACKs
        self.left = None        # when the connection ended

    def __str__(self):
        return self.name

    # ---- coming and going ---------------------------------------------------------------

    def come(self):
        self.online = True
        self.attempt()

    def attempt(self):
        if self.online and not self.connection:
            if self.world.port:
                self.unread = b""
                self.connection = Connection(self.loop, self.world.port, self)
            else:
                self.loop.after(AGAIN_S, self.attempt)

    def go(self, cut=False):
        """Leaves, with DISCONNECT or without a word."""
        self.online = False
        if self.connection:
            if self.ready and not cut:
                self.connection.send(wire.packet(wire.DISCONNECT, 0, b""))
            self.connection.close()
            self.part()

    def cut(self):
        """The network breaks."""
        if self.connection:
            self.connection.close()
            self.lost()

    def part(self):
        if self.ready:
            self.left = self.world.ended or self.loop.now()
        self.connection, self.ready = None, False
        for kind, window in self.requests.values():
            self.wanted.append((kind, window.filter, window.qos))
        self.requests.clear()

    def opened(self):
        clean = self.expiry is None
        props = b"" if clean else b"\x11" + self.expiry.to_bytes(4, "big")
        props += b"\x21" + wire.u16(200)  # receive maximum
        self.connection.send(wire.connect(self.version, self.name, 0, clean,
                                          raw=props if self.version == 5 else b""))
        self.asked_while = set(self.exists)
        if not clean:
            self.exists.add(True)

    def lost(self):
        self.part()
        self.loop.after(AGAIN_S, self.attempt)

    def read(self, data):
        self.unread += data
        while self.connection and len(self.unread) > 1 and (whole := wire.split(self.unread)):
            packet, self.unread = whole
            self.take[packet.type](self, packet)

    def blame(self, kind, what):
        """Unless the disk is gone: then it may say so, until it is killed."""
        if not self.world.broker.disk.failed():
            self.ledger.blame(kind, f"{self.name}: {what}")

    # ---- packets ------------------------------------------------------------------------

    def on_connack(self, packet):
        if packet.body[1] != 0:
            self.blame("refused", f"CONNECT is answered with {packet.body[1]:#x}")
            self.connection.fail()
            return
        present = bool(packet.body[0] & 1)
        self.ledger.judge_present(str(self), present, self.possible())
        if not present:
            self.start_anew()
        self.exists = {True} if self.expiry is not None else {False}
        self.ready, self.visits = True, self.visits + 1
        self.listener.lives += 1
        self.world.greeted(self)
        for packet_id, sent in self.outgoing.items():
            self.repeat(packet_id, sent)
        wanted, self.wanted = self.wanted, []
        for kind, name, qos in wanted:
            self.ask(kind, name, qos)
        self.pump()

    def possible(self):
        """What `session present` may be."""
        return self.asked_while if self.expiry is not None else {False}

    def start_anew(self):
        """The broker knows nothing of us: messages under way are published as new ones are. If it
        should know us, what we were owed is lost, and we begin again."""
        self.incoming.clear()
        if False not in self.possible():
            self.ledger.settle(self.listener)
            self.wanted += [(wire.SUBSCRIBE, name, qos) for name, qos in self.mine.items()]
        self.mine.clear()
        if self.listener.name == self.name:
            self.ledger.forget(self.listener)
        for sent in self.outgoing.values():
            sent.stage = wire.PUBLISH

    def on_publish(self, packet):
        qos = packet.flags >> 1 & 3
        end = 2 + int.from_bytes(packet.body[:2], "big")
        topic, body = packet.body[2:end].decode(), packet.body[end:]
        packet_id = 0
        if qos:
            packet_id, body = int.from_bytes(body[:2], "big"), body[2:]
        if self.version == 5:
            body = body[1 + body[0]:]  # our properties are shorter than 128 bytes
        seq = number_of(body[:20])
        if qos < 2:
            self.hear(topic, seq, qos, packet)
        elif packet_id not in self.incoming:
            self.incoming[packet_id] = (topic, seq)
            self.hear(topic, seq, qos, packet)
        elif self.incoming[packet_id] != (topic, seq):
            self.blame("protocol", f"packet id {packet_id} is {topic} {seq}, but not released "
                                   f"since {self.incoming[packet_id]}")
        if qos:
            self.answer_later(wire.PUBACK if qos == 1 else wire.PUBREC, packet_id)

    def hear(self, topic, seq, qos, packet):
        del packet
        self.ledger.hear(self.listener, topic, seq, qos, self.name)

    def answer_later(self, kind, packet_id):
        """After the lag, if the connection is still the same."""
        if not self.lag:
            self.answer(kind, packet_id)
            return
        connection = self.connection
        self.loop.after(self.lag, lambda: connection is self.connection
                        and self.answer(kind, packet_id))

    def answer(self, kind, packet_id):
        self.connection.send(wire.packet(kind, wire.FLAGS.get(kind, 0), wire.u16(packet_id)))

    def on_pubrel(self, packet):
        packet_id = int.from_bytes(packet.body[:2], "big")
        self.incoming.pop(packet_id, None)
        self.answer(wire.PUBCOMP, packet_id)

    def on_ack(self, packet):
        """PUBACK, PUBREC, PUBCOMP."""
        packet_id = int.from_bytes(packet.body[:2], "big")
        reason = packet.body[2] if len(packet.body) > 2 else 0
        sent = self.outgoing.get(packet_id)
        expected = {(1, wire.PUBLISH): (wire.PUBACK,), (2, wire.PUBLISH): (wire.PUBREC,),
                    (2, wire.PUBREL): (wire.PUBCOMP, wire.PUBREC)}
        if not sent or packet.type not in expected[(sent.stream.qos, sent.stage)]:
            self.blame("protocol", f"{packet} for nothing of ours")
            return
        if reason >= 0x80 and not (packet.type == wire.PUBCOMP and reason == 0x92):
            self.blame("refused", f"{sent.stream.topic} {sent.seq}: {packet} ({reason:#x})")
            if not self.world.broker.disk.failed():
                del self.outgoing[packet_id]
        elif packet.type == wire.PUBREC:
            self.ledger.ack(sent.stream, sent.seq, done=False)
            sent.stage = wire.PUBREL
            self.answer(wire.PUBREL, packet_id)
        else:
            self.judge_turn(packet_id, sent, packet)
            self.ledger.ack(sent.stream, sent.seq)
            del self.outgoing[packet_id]
        self.pump()

    def judge_turn(self, packet_id, sent, packet):
        """PUBACKs come in the order of the PUBLISHes [MQTT-4.6.0-2]."""
        if packet.type == wire.PUBACK:
            first = next(i for i, s in self.outgoing.items() if s.stream.qos == 1)
            if first != packet_id:
                self.blame("protocol", f"PUBACK of {sent.stream.topic} {sent.seq} before one "
                                       "that was sent earlier")

    def on_suback(self, packet):
        kind, window = self.requests.pop(int.from_bytes(packet.body[:2], "big"), (None, None))
        if kind != wire.SUBSCRIBE or packet.body[-1] != window.qos:
            self.blame("protocol", f"{packet} for {kind}")
        else:
            self.ledger.grant(window)
            self.mine[window.filter] = window.qos

    def on_unsuback(self, packet):
        kind, window = self.requests.pop(int.from_bytes(packet.body[:2], "big"), (None, None))
        if kind != wire.UNSUBSCRIBE:
            self.blame("protocol", f"{packet} for {kind}")
        else:
            self.ledger.release(window)
            self.mine.pop(window.filter, None)

    def on_other(self, packet):
        if packet.type != wire.DISCONNECT:  # of which the end follows
            self.blame("protocol", f"{packet}")

    take = collections.defaultdict(lambda: Client.on_other, {
        wire.CONNACK: on_connack, wire.PUBLISH: on_publish, wire.PUBREL: on_pubrel,
        wire.PUBACK: on_ack, wire.PUBREC: on_ack, wire.PUBCOMP: on_ack,
        wire.SUBACK: on_suback, wire.UNSUBACK: on_unsuback})

    # ---- verbs --------------------------------------------------------------------------

    def next_id(self):
        while True:
            self.last_id = self.last_id % 65535 + 1
            if self.last_id not in self.outgoing and self.last_id not in self.requests:
                return self.last_id

    def ask(self, kind, name, qos=0):
        """SUBSCRIBE or UNSUBSCRIBE, now or when there is a connection."""
        if not self.ready:
            self.wanted.append((kind, name, qos))
            return
        packet_id = self.next_id()
        if kind == wire.SUBSCRIBE:
            window = self.ledger.subscribe(self.listener, name, qos)
            self.connection.send(wire.subscribe(self.version, packet_id, [(name, qos)]))
        else:
            window = self.listener.filters[name][-1]
            self.ledger.unsubscribe(window)
            self.connection.send(wire.unsubscribe(self.version, packet_id, [name]))
        self.requests[packet_id] = (kind, window)

    def subscribe(self, name, qos):
        self.ask(wire.SUBSCRIBE, name, qos)

    def unsubscribe(self, name):
        self.ask(wire.UNSUBSCRIBE, name)

    def publish(self, stream, size=16, retain=False, clear=False):
        """Publishes when there is room for it."""
        self.waiting.append((stream, size, retain, clear))
        self.pump()

    def pump(self):
        while self.ready and self.waiting and len(self.outgoing) < self.window:
            stream, size, retain, clear = self.waiting.popleft()
            seq = self.ledger.send(stream, clear)
            body = b"" if clear else payload_of(seq, size)
            packet_id = self.next_id()
            sent = self.outgoing[packet_id] = Sent(stream, seq, body, retain)
            self.put(packet_id, sent, dup=False)

    def put(self, packet_id, sent, dup):
        self.connection.send(wire.publish(self.version, sent.stream.topic, sent.payload,
                                          sent.stream.qos, packet_id, sent.retain, dup))

    def repeat(self, packet_id, sent):
        if sent.stage == wire.PUBREL:
            self.answer(wire.PUBREL, packet_id)
        else:
            self.ledger.resend(sent.stream, sent.seq)
            self.put(packet_id, sent, dup=True)

    @property
    def idle(self):
        """Nothing under way, nothing to be answered."""
        return not (self.outgoing or self.waiting or self.requests or self.wanted)
