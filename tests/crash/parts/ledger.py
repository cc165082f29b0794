# SPDX-License-Identifier: BSD-3-Clause
"""The ledger: what clients sent, what they were promised, what they got; and whether it fits.

It knows nothing of brokers, sockets or crashes. Events have numbers from one counter, and a
promise holds from the number at which a client *had* the acknowledgement. What a client has sent
and not had acknowledged may have happened or not; the rules below leave both open.

A topic has one publisher and one QoS, and its messages are numbered from 0: a Stream. What one
session got of one stream is a Heard. The rules:

lost       acknowledged, sent after an acknowledged subscription that still stands, not delivered
twice      at QoS 2: delivered more often than its publisher sent it (once, if at QoS 2 as well)
disorder   the first copies are not in order, or a repeat leaves something out
uncalled   delivered, though all of the message's life was outside of any subscription
retained   neither the last acknowledged value, nor a later one that was sent
session    `session present` is not what it must be
"""

import functools
import itertools
import threading

KINDS = ("lost", "twice", "disorder", "uncalled", "retained", "session", "refused", "protocol")
EXAMPLES = 6  # of each kind, in words
WINDOWS = 50  # of a filter, that are remembered


@functools.lru_cache(100_000)
def matches(wanted, topic):
    """Does the filter match the topic? Without the rules for '$'."""
    if wanted.startswith("$share/"):
        wanted = wanted.split("/", 2)[2]
    filters, levels = wanted.split("/"), topic.split("/")
    for i, f in enumerate(filters):
        if f == "#":
            return True
        if i >= len(levels) or f not in ("+", levels[i]):
            return False
    return len(filters) == len(levels)


class Stream:
    """A topic's messages. Lists by number: the event of the first sending, of the acknowledgement
    that made the broker answerable, and of the last packet of the exchange; how often it was sent."""

    def __init__(self, topic, qos):
        self.topic, self.qos = topic, qos
        self.sent, self.acked, self.done = [], [], []
        self.times = bytearray()
        self.closed = False  # nobody will send what is not acknowledged
        self.clears = set()  # of a retained topic: the numbers that delete

    def __len__(self):
        return len(self.sent)


class Window:
    """A subscription from SUBSCRIBE to UNSUBACK, as event numbers; None: not yet."""

    def __init__(self, wanted, qos, asked):
        self.filter, self.qos, self.asked = wanted, qos, asked
        self.granted = self.ended = self.gone = None


class Heard:
    """What one session (or one group) got of one stream."""

    def __init__(self):
        self.copies = bytearray()  # by number
        self.at = {}               # the last number, by member
        self.checked = 0           # below it nothing is missing any more

    def add(self, seq):
        if seq >= len(self.copies):
            self.copies.extend(bytes(seq + 1 - len(self.copies)))
        self.copies[seq] = min(255, self.copies[seq] + 1)
        return self.copies[seq]

    def has(self, seq):
        return seq < len(self.copies) and self.copies[seq] > 0


class Listener:
    """A session that is listened to, or a group of sessions that share."""

    def __init__(self, name, shared=False):
        self.name, self.shared = name, shared
        self.filters, self.heard = {}, {}
        self.lives = 1  # connections so far

    @property
    def windows(self):
        return [w for windows in self.filters.values() for w in windows]

    def add(self, window):
        windows = self.filters.setdefault(window.filter, [])
        windows.append(window)
        del windows[:-WINDOWS]

    def windows_of(self, topic):
        return [w for f, windows in self.filters.items() if matches(f, topic) for w in windows]


class Ledger:
    """Everything that was noted, and what was wrong. All verbs may be called by any thread."""

    def __init__(self):
        self.counter, self.lock = itertools.count(1), threading.RLock()
        self.streams, self.listeners = {}, {}
        self.wrong = dict.fromkeys(KINDS, 0)
        self.examples = {kind: [] for kind in KINDS}
        self.acknowledged = self.delivered = 0
        self.repeats = [0, 0, 0]  # by the QoS of the delivery: allowed second copies

    def now(self):
        return next(self.counter)

    def blame(self, kind, what):
        with self.lock:
            self.wrong[kind] += 1
            if len(self.examples[kind]) < EXAMPLES:
                self.examples[kind].append(what)

    @property
    def clean(self):
        return not any(self.wrong.values())

    # ---- publishers ---------------------------------------------------------------------

    def stream(self, topic, qos):
        with self.lock:
            return self.streams.setdefault(topic, Stream(topic, qos))

    def send(self, stream, clear=False):
        """A new message is about to be sent; its number."""
        with self.lock:
            seq = len(stream.sent)
            stream.sent.append(self.now())
            stream.acked.append(None)
            stream.done.append(None)
            stream.times.append(1)
            if clear:
                stream.clears.add(seq)
            return seq

    def resend(self, stream, seq):
        with self.lock:
            stream.times[seq] = min(255, stream.times[seq] + 1)

    def ack(self, stream, seq, done=True):
        """The broker answers for it from now on; `done`: it will be sent no more."""
        with self.lock:
            if stream.acked[seq] is None:
                stream.acked[seq] = self.now()
                self.acknowledged += 1
            if done:
                stream.done[seq] = self.now()

    def abandon(self, stream):
        """Its publisher is gone for good: what was not acknowledged stays open."""
        stream.closed = True

    # ---- subscribers --------------------------------------------------------------------

    def listener(self, name, shared=False):
        with self.lock:
            return self.listeners.setdefault(name, Listener(name, shared))

    def subscribe(self, listener, wanted, qos):
        """SUBSCRIBE is about to be sent; the window, to be granted with the SUBACK."""
        with self.lock:
            for w in listener.filters.get(wanted, ()):
                if w.ended is None:
                    return w  # asked again, as the answer was lost
            w = Window(wanted, qos, self.now())
            listener.add(w)
            return w

    def grant(self, window):
        window.granted = window.granted or self.now()

    def unsubscribe(self, window):
        window.ended = window.ended or self.now()

    def release(self, window):
        window.gone = window.gone or self.now()

    def forget(self, listener):
        """The session has ended: its subscriptions and what it had waiting are gone."""
        with self.lock:
            for w in listener.windows:
                w.ended = w.ended or self.now()
                w.gone = w.gone or self.now()

    def hear(self, listener, topic, seq, qos, member=""):
        """A message was delivered, for the first time as far as the client can tell."""
        with self.lock:
            stream = self.streams.get(topic)
            if stream is None or seq >= len(stream):
                self.blame("uncalled", f"{listener.name}: {topic} {seq} was never published")
                return
            self.delivered += 1
            heard = listener.heard.setdefault(topic, Heard())
            copies = heard.add(seq)
            self.judge_copies(listener, stream, seq, qos, copies)
            self.judge_order(listener, stream, seq, heard, member)
            heard.at[member] = seq
            self.judge_call(listener, stream, seq)

    def judge_copies(self, listener, stream, seq, qos, copies):
        if copies == 1:
            return
        allowed = 1 if stream.qos == 2 else stream.times[seq]
        if qos < 2:
            allowed += listener.lives
        if copies > allowed:
            self.blame("twice", f"{listener.name}: {stream.topic} {seq} at QoS {qos}, copy {copies}, "
                                f"sent {stream.times[seq]} times at QoS {stream.qos}")
        else:
            self.repeats[qos] += 1

    def judge_order(self, listener, stream, seq, heard, member):
        """Each message is the next one, or begins a repeat: nothing that is owed is left out.
        A group has no order: what a member has not answered may go to another."""
        last = heard.at.get(member, -1)
        if listener.shared:
            return
        if seq <= last and heard.copies[seq] == 1:
            self.blame("disorder", f"{listener.name}: {stream.topic} {seq} for the first time, "
                                   f"after {last}")
        for skipped in range(last + 1, seq):
            if self.owed(listener, stream, skipped):
                what = "repeats without" if heard.has(skipped) else "before"
                self.blame("disorder",
                           f"{listener.name}: {stream.topic} {seq} after {last}, {what} {skipped}")
                return

    def judge_call(self, listener, stream, seq):
        born, died = stream.sent[seq], stream.done[seq]
        for w in listener.windows_of(stream.topic):
            if (w.gone is None or born < w.gone) and (died is None or died > w.asked):
                return
        self.blame("uncalled", f"{listener.name}: {stream.topic} {seq} without a subscription")

    def owed(self, listener, stream, seq):
        """Must the listener get it?"""
        acked, born = stream.acked[seq], stream.sent[seq]
        return acked is not None and any(
            w.granted is not None and w.granted < born and w.ended is None
            for w in listener.windows_of(stream.topic))

    # ---- the judgement ------------------------------------------------------------------

    def missing(self, listener):
        """What the listener is owed and has not got: [(stream, number)]."""
        with self.lock:
            out = []
            for stream in self.streams.values():
                heard = listener.heard.get(stream.topic)
                if heard and heard.checked == len(stream):
                    continue
                if listener.windows_of(stream.topic):
                    out += self._missing_of(listener, stream)
            return out

    def _missing_of(self, listener, stream):
        heard = listener.heard.setdefault(stream.topic, Heard())
        out, settled = [], True
        for seq in range(heard.checked, len(stream)):
            if stream.done[seq] is None and not stream.closed:
                settled = False
            elif not heard.has(seq) and self.owed(listener, stream, seq):
                out.append((stream, seq))
                settled = False
            if settled:
                heard.checked = seq + 1
        return out

    def settle(self, listener):
        """Enough waited: what is missing now is lost. Each message is lost once."""
        for stream, seq in self.missing(listener):
            with self.lock:
                self.blame("lost", f"{listener.name}: {stream.topic} {seq} (QoS {stream.qos})")
                listener.heard[stream.topic].add(seq)

    def retained_right(self, stream, seq, asked):
        """May a new subscription see `seq` (None: nothing)? `asked` is the event before it."""
        with self.lock:
            low = self.last_done(stream, asked)
            if seq is None:
                return low == -1 or any(c >= low for c in stream.clears)
            return low <= seq < len(stream) and seq not in stream.clears

    def last_done(self, stream, before):
        """The last message that was acknowledged before that event; -1: none."""
        return next((i for i in reversed(range(len(stream)))
                     if stream.done[i] is not None and stream.done[i] < before), -1)

    def judge_retained(self, stream, seq, asked):
        if not self.retained_right(stream, seq, asked):
            low = self.last_done(stream, asked)
            self.blame("retained", f"{stream.topic} has {'nothing' if seq is None else seq}, the last "
                                   f"acknowledged is {low}{' (a clear)' * (low in stream.clears)}, "
                                   f"the last sent {len(stream) - 1}")

    def judge_present(self, name, got, may):
        """`session present`; `may` are the values that are right."""
        if got not in may:
            self.blame("session", f"{name}: session present is {int(got)}")
