# SPDX-License-Identifier: BSD-3-Clause
"""Bytes that no client should send: each is answered as the specifications say, and the broker
goes on serving others.

lib/hostile_bad.py is a table of bad packets. lib/hostile_good.py has a good one of every type,
and this file makes bad ones of them at every byte: cut with a length that tells the truth (the
packet is malformed), cut by the end of the connection, sent byte by byte (which is no mistake at
all), and with every byte changed.
"""

from lib import wire
from lib.claims import Failed, claim, holds, same
from lib.hostile_bad import BAD
from lib.hostile_good import GOOD, Goes, NotGranted, Refuses
from lib.wire import RawClient

CHANGES = (lambda b: 0, lambda b: 0xff, lambda b: b ^ 0x80, lambda b: b ^ 1)
LET_LIVE_S = 5


class Probe:
    """A clean client that must be served all the time."""

    def __init__(self, t):
        self.t, self.count = t, 0
        self.client = t.keep(RawClient(t.broker.port, 4))
        self.client.connect(t.name("probe"))
        self.topic = t.topic("probe")
        self.client.ask(wire.subscribe(4, 1, [(self.topic, 0)]))

    def look(self, after):
        """Fails unless the old client and a new one are served."""
        self.count += 1
        text = f"{self.count}".encode()
        try:
            new = RawClient(self.t.broker.port, 5)
            new.connect(self.t.name("probe2"))
            new.send(wire.publish(5, self.topic, text))
            p = self.client.receive(LET_LIVE_S)
            new.end()
        except (Failed, OSError) as e:
            raise Failed(f"after {after} the broker serves nobody: {e}") from e
        same(f"probe after {after}", p.body[2 + len(self.topic):], text)


def attempt(t, case, data):
    """Sends what comes before, then data. Returns the client."""
    raw = RawClient(t.broker.port, case.version)
    if case.before is not None:
        raw.connect(t.name("bad"))
        for p in case.before:
            raw.ask(p)
    raw.send(data)
    return raw


def judge(raw, case):
    """Fails unless what comes back is what the case wants."""
    if isinstance(case.wanted, Goes):
        for kind, begin in case.wanted.answers:
            p = raw.receive()
            holds(f"{case.name}: {p} is {wire.NAMES[kind]} {begin.hex(' ')}",
                  p.type == kind and p.body.startswith(begin))
        same(f"{case.name}: answer to PINGREQ", raw.ask(b"\xc0\x00").type, wire.PINGRESP)
    elif isinstance(case.wanted, NotGranted):
        p = raw.next(LET_LIVE_S)
        if p is None or p.type not in (wire.SUBACK, wire.UNSUBACK):
            raw.until_closed()
        elif case.version == 5:
            same(f"{case.name}: {p}", p.body[-1], 0x8f)
        elif p.type == wire.SUBACK: # UNSUBACK of 3.x says nothing
            same(f"{case.name}: {p}", p.body[-1], 0x80)
    else:
        judge_end(raw, case)


def judge_end(raw, case):
    """Fails unless the connection ends, with the words that the case wants.

    5.0 explains itself with DISCONNECT. CONNACK may always be sent and may always be left out
    [MQTT-3.1.4-1], as long as it says no."""
    packets = raw.until_closed()
    codes = case.wanted.codes if isinstance(case.wanted, Refuses) and case.version == 5 else None
    if case.before is None:
        refusals = [p.body[1] for p in packets if p.type == wire.CONNACK]
        holds(f"{case.name}: {packets}, wanted a CONNACK that refuses, or none",
              len(refusals) == len(packets) and all(refusals)
              and (codes is None or set(refusals) <= set(codes)))
        return
    said = [(p.type, p.body[0] if p.body else 0) for p in packets]
    wanted = [[(wire.DISCONNECT, c)] for c in codes] if codes else [[]]
    holds(f"{case.name}: {packets}, wanted one of {wanted}", said in wanted)


def each(t, cases, act):
    """Runs act(case) for all; collects what fails, so that one line tells all of it."""
    probe, wrong = Probe(t), []
    for case in cases:
        try:
            act(case)
        except (Failed, OSError) as e:
            wrong.append(str(e))
        probe.look(case.name)
    if wrong:
        raise Failed(f"{len(wrong)} of {len(cases)}: " + "; ".join(wrong[:20]))


@claim(version=(3, 4, 5))
def what_the_specification_forbids_is_answered_as_it_says(t, version):
    def act(case):
        raw = attempt(t, case, case.data(t))
        judge(raw, case)
        raw.end()

    each(t, [c for c in BAD if c.version == version], act)


@claim(version=(3, 4, 5))
def packet_sent_byte_by_byte_is_as_good_as_one_sent_at_once(t, version):
    def act(case):
        data = case.data(t)
        raw = attempt(t, case, data[:1])
        for i in range(1, len(data)):
            raw.send(data[i:i + 1])
        judge(raw, case)
        raw.end()

    each(t, [c for c in GOOD if c.version == version], act)


@claim(version=(3, 4, 5))
def body_that_ends_at_any_byte_is_malformed(t, version):
    """The length says honestly that the body is shorter. Some cuts make another good packet."""
    def act(case):
        whole, _ = wire.split(case.data(t))
        for n in range(len(whole.body)):
            if case.is_good_cut(whole.body, n):
                continue
            raw = attempt(t, case, wire.packet(whole.type, whole.flags, whole.body[:n]))
            judge_end(raw, case.cut_to(n, Refuses(0x81, 0x82)))
            raw.end()

    each(t, [c for c in GOOD if c.version == version], act)


@claim(version=(3, 4, 5))
def connection_may_end_at_any_byte(t, version):
    def act(case):
        data = case.data(t)
        for n in range(len(data)):
            attempt(t, case, data[:n]).end()

    each(t, [c for c in GOOD if c.version == version], act)


@claim(version=(3, 4, 5))
def packet_with_any_byte_changed_is_answered_with_whole_packets_or_a_close(t, version):
    """Whether a changed packet is still good is not judged: that what comes back is, and that
    nobody else is disturbed."""
    def act(case):
        data = case.data(t)
        for i in range(len(data)):
            for change in CHANGES:
                changed = data[:i] + bytes([change(data[i])]) + data[i + 1:]
                raw = attempt(t, case, changed + b"\xc0\x00")
                raw.sock.shutdown(1) # no more: an incomplete packet ends here
                raw.until_closed()
                raw.end()

    each(t, [c for c in GOOD if c.version == version], act)


@claim(version=(3, 4, 5))
def any_packet_before_connect_ends_the_connection_without_an_answer(t, version):
    def act(case):
        raw = RawClient(t.broker.port, version)
        raw.send(case.data(t))
        same(f"{case.name} first", raw.until_closed(), [])
        raw.end()

    each(t, [c for c in GOOD if c.version == version and c.before is not None], act)


@claim(version=(3, 4, 5))
def second_connect_ends_the_connection(t, version):
    raw = t.keep(RawClient(t.broker.port, version))
    raw.connect(t.name("twice"))
    raw.send(wire.connect(version, t.name("twice")))
    got = [(p.type, p.body[0]) for p in raw.until_closed()]
    same("packets", got, [(wire.DISCONNECT, 0x82)] if version == 5 else [])


@claim(long=True)
def connection_that_says_nothing_is_closed(t):
    """After mqtt.connect_timeout, ten seconds unless set."""
    raw = t.keep(RawClient(t.broker.port, 4))
    raw.send(wire.connect(4, t.name("slow"))[:5])
    same("packets", raw.until_closed(20), [])


@claim()
def announced_length_takes_no_memory_before_the_bytes_come(t):
    """200 connections each announce the longest packet that the fixed header can say, or one
    just within the limit: the first are closed, the others cost next to nothing."""
    def resident():
        with open(f"/proc/{t.broker.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * 4096

    before, waiting = resident(), []
    for i in range(200):
        raw = t.keep(RawClient(t.broker.port, 5))
        raw.connect(t.name(f"long{i}"))
        raw.send(b"\x30" + wire.varint((1 << 20) - 5) + b"\x00\x01x")
        waiting.append(raw)
    for _ in range(20):
        raw = t.keep(RawClient(t.broker.port, 5))
        raw.connect(t.name("longest"))
        raw.send(b"\x30\xff\xff\xff\x7f")
        same("reason", [(p.type, p.body[0]) for p in raw.until_closed()], [(14, 0x95)])
    grown = resident() - before
    holds(f"memory has grown by {grown >> 20} MiB", grown < 100 << 20)


@claim(heavy=True)
def client_that_never_reads_stops_nobody(t):
    """It subscribes to a flood and reads nothing; others are served meanwhile."""
    deaf = t.keep(RawClient(t.broker.port, 4))
    deaf.connect(t.name("deaf"))
    deaf.ask(wire.subscribe(4, 1, [(t.topic("flood"), 0)]))
    loud = t.keep(RawClient(t.broker.port, 4))
    loud.connect(t.name("loud"))
    probe = Probe(t)
    for _ in range(40):
        loud.send(wire.publish(4, t.topic("flood"), bytes(500000)))
        probe.look("a flood")
    same("the loud one", loud.ask(b"\xc0\x00").type, wire.PINGRESP)

