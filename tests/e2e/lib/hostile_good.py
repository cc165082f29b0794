# SPDX-License-Identifier: BSD-3-Clause
"""What a case is, and a good packet of every type that a client may send."""

from lib.wire import (DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL,
                      CONNACK, SUBACK, UNSUBACK, connect, packet, props, publish, subscribe, u16,
                      string, unsubscribe)


class Goes:
    """The connection goes on, after these answers: (type, beginning of the body)."""

    def __init__(self, *answers):
        self.answers = answers


class Refuses:
    """The connection ends; in 5.0 with one of these reason codes."""

    def __init__(self, *codes):
        self.codes = codes


class NotGranted:
    """A SUBACK or UNSUBACK that says no, or the end of the connection."""


class Close:
    """The connection ends without a word."""


class Case:
    """One exchange. `make` gives the bytes, from (version, topic)."""

    def __init__(self, name, version, before, make, wanted, good_cut=None):
        self.name, self.version, self.before = f"{name} (level {version})", version, before
        self.make, self.wanted, self.good_cut = make, wanted, good_cut

    def data(self, t):
        """The bytes, with names of this claim's own."""
        return self.make(self.version, t.topic("hostile"))

    def cut_to(self, n, wanted):
        """The same with a body of only n bytes, and what must come of that."""
        cut = Case("", self.version, self.before, self.make, wanted)
        cut.name = f"{self.name} cut to {n} bytes"
        return cut

    def is_good_cut(self, body, n):
        """Whether the first n bytes of the body are a good packet again."""
        return self.good_cut is not None and self.good_cut(self.version, body, n)


GOOD = []
ALL, FIVE = (3, 4, 5), (5,)
USER = b"\x26" + string("key") + string("value")
EXPIRY = b"\x02" + (60).to_bytes(4, "big")


# ---- good packets -------------------------------------------------------------------------

def good(name, versions, make, wanted, before=(), good_cut=None):
    for v in versions:
        GOOD.append(Case(name, v, before(v) if callable(before) else before, make,
                         wanted(v) if callable(wanted) else wanted, good_cut))


def _publish_cut(version, body, n):
    """What is left of the payload is a payload; before it stand topic, packet id, properties."""
    head = 2 + int.from_bytes(body[:2], "big") + 2
    if version == 5:
        head += 1 + body[head]
    return n >= head


def _ack_cut(version, _body, n):
    """5.0: the packet id alone, or with a reason code [3.4.2.1]."""
    return version == 5 and n in (2, 3)


def _list_cut(ends):
    """Lists of filters may end after any but the none-th of them."""
    return lambda version, body, n: n in ends(version)


def _two_filters(extra):
    def ends(version):
        head = 2 + (1 + len(USER) if version == 5 else 0)
        return {head + 2 + 3 + extra}
    return ends


good("CONNECT", ALL, lambda v, topic: connect(v, topic, will=(topic, "gone", 1),
                                             raw=b"\x11" + u16(0) + u16(9) + USER),
     Goes((CONNACK, b"\x00\x00")), before=None)
good("PUBLISH at QoS 0", ALL, lambda v, topic: publish(v, topic, b"", raw=EXPIRY + USER), Goes())
good("PUBLISH at QoS 1", ALL, lambda v, topic: publish(v, topic, b"payload", 1, 10, raw=USER),
     Goes((PUBACK, u16(10))), good_cut=_publish_cut)
good("PUBLISH at QoS 2", ALL, lambda v, topic: publish(v, topic, b"payload", 2, 11, raw=USER),
     Goes((PUBREC, u16(11))), good_cut=_publish_cut)
good("PUBREL", ALL, lambda v, _: packet(PUBREL, 2, u16(12) + (b"\0" + props(v, USER)
                                                              if v == 5 else b"")),
     Goes((PUBCOMP, u16(12))), before=lambda v: (publish(v, "hostile", b"", 2, 12),),
     good_cut=_ack_cut)
good("SUBSCRIBE", ALL, lambda v, _: subscribe(v, 13, [("a/b", 1), ("c/+", 2)], raw=USER),
     lambda v: Goes((SUBACK, u16(13) + props(v) + b"\1\2")), good_cut=_list_cut(_two_filters(1)))
good("UNSUBSCRIBE", ALL, lambda v, _: unsubscribe(v, 14, ["a/b", "c/+"], raw=USER),
     Goes((UNSUBACK, u16(14))), good_cut=_list_cut(_two_filters(0)))
good("PINGREQ", ALL, lambda v, _: packet(PINGREQ, 0, b""), Goes((PINGRESP, b"")))
good("DISCONNECT", FIVE, lambda v, _: packet(DISCONNECT, 0, b"\0" + props(v, USER)), Close(),
     good_cut=lambda v, body, n: n in (0, 1))
# No message is under way to the client: acknowledgements it owes nobody are good packets, too.
good("PUBACK", FIVE, lambda v, _: packet(PUBACK, 0, u16(15) + b"\0" + props(v, USER)), Goes(),
     good_cut=_ack_cut)
