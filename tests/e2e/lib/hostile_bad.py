# SPDX-License-Identifier: BSD-3-Clause
"""Packets that are wrong, each with the clause that says so and the answer it demands.

Clauses without a version before them are of MQTT 5.0; 3.1.1 has most of them under other
numbers. Where 5.0 leaves the choice between malformed (0x81) and protocol error (0x82), or
has a reason of its own for it, both are taken.
"""

from lib.hostile_good import ALL, EXPIRY, FIVE, USER, Case, Close, Goes, NotGranted, Refuses
from lib.wire import (AUTH, CONNACK, CONNECT, DISCONNECT, FLAGS, NAMES, PINGREQ, PINGRESP, PUBACK,
                      PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE,
                      connect, packet, props, publish, string, subscribe, u16, unsubscribe, varint)

BAD = []
NEW = (4, 5)
MALFORMED, PROTOCOL = 0x81, 0x82
WRONG = Refuses(MALFORMED, PROTOCOL)
BAD_TOPIC = Refuses(MALFORMED, PROTOCOL, 0x90)


def bad(name, versions, make, wanted=WRONG, before=()):
    """Adds a case per version; `make` is a function of (version, topic), or the bytes."""
    for v in versions:
        bytes_of = make if callable(make) else (lambda _v, _t, data=make: data)
        BAD.append(Case(name, v, before, bytes_of, wanted))


def bad_connect(name, versions, make, wanted=WRONG):
    bad("CONNECT " + name, versions, make, wanted, before=None)


# ---- fixed header -------------------------------------------------------------------------

bad("type 0 [2.1.2]", ALL, packet(0, 0, b""), Refuses(MALFORMED, PROTOCOL))
bad("type 15 in 3.x [MQTT311-2.2.1]", (3, 4), packet(AUTH, 0, b""))
for kind in (CONNACK, SUBACK, UNSUBACK, PINGRESP):
    body = {CONNACK: b"\0\0", SUBACK: b"\0\1\0", UNSUBACK: b"\0\1", PINGRESP: b""}[kind]
    bad(f"{NAMES[kind]} from a client [2.1.2]", ALL, packet(kind, 0, body))
for kind in (PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT):
    for flags in range(16):
        if flags == FLAGS.get(kind, 0):
            continue
        body = {SUBSCRIBE: lambda v: subscribe(v, 1, [("a", 0)])[2:],
                UNSUBSCRIBE: lambda v: unsubscribe(v, 1, ["a"])[2:],
                PINGREQ: lambda v: b"", DISCONNECT: lambda v: b""}.get(kind, lambda v: u16(1))
        bad(f"{NAMES[kind]} with flags {flags} [MQTT-2.1.3-1]", NEW,
            lambda v, _, k=kind, f=flags, b=body: packet(k, f, b(v)), Refuses(MALFORMED))
bad("length of five bytes [1.5.5]", ALL, b"\xc0\x80\x80\x80\x80\x01", Refuses(MALFORMED))
bad("length in more bytes than it needs [MQTT-1.5.5-1]", FIVE, b"\xc0\x80\x00",
    Refuses(MALFORMED))
bad("PINGREQ with a body [3.12.2]", NEW, packet(PINGREQ, 0, b"\0"))
bad("DISCONNECT with a body in 3.1.1 [MQTT311-3.14]", (4,), packet(DISCONNECT, 0, b"\0"), Close())
bad("packet longer than the broker takes [3.2.2.3.6]", ALL, b"\x30\xff\xff\xff\x7f",
    Refuses(0x95))

# ---- text ---------------------------------------------------------------------------------

NOT_UTF8 = { # [MQTT-1.5.4-1] [MQTT-1.5.4-2]
    "NUL": b"a\0b", "a lone continuation byte": b"a\x80", "half a character": b"a\xe2\x82",
    "an overlong slash": b"\xc0\xaf", "an overlong NUL": b"\xc0\x80",
    "a surrogate": b"\xed\xa0\x80", "more than U+10FFFF": b"\xf4\x90\x80\x80", "0xff": b"\xff",
}
for what, text in NOT_UTF8.items():
    where = f"with {what} in "
    bad(f"PUBLISH {where}its topic", ALL, lambda v, _, x=text: publish(v, x), BAD_TOPIC)
    bad(f"SUBSCRIBE {where}its filter", ALL, lambda v, _, x=text: subscribe(v, 1, [(x, 0)]))
    bad(f"UNSUBSCRIBE {where}its filter", ALL, lambda v, _, x=text: unsubscribe(v, 1, [x]))
    bad(f"PUBLISH {where}a user property", FIVE, lambda v, topic, x=text:
        publish(v, topic, raw=b"\x26" + string("k") + string(x)), Refuses(MALFORMED))
    bad(f"PUBLISH {where}its content type", FIVE, lambda v, topic, x=text:
        publish(v, topic, raw=b"\x03" + string(x)), Refuses(MALFORMED))
    bad_connect(f"{where}the client id", ALL, lambda v, _, x=text: connect(v, x),
                Refuses(MALFORMED, 0x85))
    bad_connect(f"{where}the will's topic", ALL, lambda v, topic, x=text:
                connect(v, topic, will=(x, "", 0)), BAD_TOPIC)

# ---- CONNECT ------------------------------------------------------------------------------


def connect_of(version, flags, rest, name=b"MQTT", level=None, raw=b""):
    """A CONNECT from its parts."""
    if version == 3 and name == b"MQTT":
        name = b"MQIsdp"
    body = string(name) + bytes([version if level is None else level, flags]) + u16(60)
    return packet(CONNECT, 0, body + props(version, raw) + rest)


ID = string("hostile-parts")
bad_connect("with another protocol's name [MQTT-3.1.2-1]", ALL,
            lambda v, _: connect_of(v, 2, ID, name=b"MQTX"), Refuses(1, 0x84, MALFORMED, PROTOCOL))
bad_connect("of a later version [MQTT-3.1.2-2]", (4,),
            lambda v, _: connect_of(v, 2, ID, level=6), Close())
bad_connect("of version 0 [MQTT-3.1.2-2]", (4,), lambda v, _: connect_of(v, 2, ID, level=0),
            Close())
bad_connect("with the reserved flag [MQTT-3.1.2-3]", NEW, lambda v, _: connect_of(v, 3, ID),
            Refuses(MALFORMED))
bad_connect("with flags in its first byte [MQTT-2.1.3-1]", NEW,
            lambda v, _: bytes([0x11]) + connect(v, "hostile-flags")[1:], Refuses(MALFORMED))
bad_connect("with a will's QoS but no will [MQTT-3.1.2-11]", NEW,
            lambda v, _: connect_of(v, 2 | 1 << 3, ID))
bad_connect("with a will's retain but no will [MQTT-3.1.2-13]", NEW,
            lambda v, _: connect_of(v, 2 | 1 << 5, ID))
bad_connect("with a will of QoS 3 [MQTT-3.1.2-12]", NEW, lambda v, _: connect_of(
    v, 2 | 4 | 3 << 3, ID + props(v) + string("w") + string("")))
bad_connect("with a password but no user in 3.1.1 [MQTT311-3.1.2-22]", (4,),
            lambda v, _: connect_of(v, 2 | 0x40, ID + string("secret")), Close())
bad_connect("with bytes at its end", NEW, lambda v, _: connect_of(v, 2, ID + b"x"))
bad_connect("without a name for a session to keep [MQTT311-3.1.3-8]", (4,),
            lambda v, _: connect(v, "", clean=False), Close())
bad_connect("with a wildcard in the will's topic [MQTT-4.7.1-1]", ALL,
            lambda v, topic: connect(v, topic, will=(topic + "/+", "", 0)), BAD_TOPIC)
bad_connect("with an empty will topic [MQTT-4.7.3-1]", ALL,
            lambda v, topic: connect(v, topic, will=("", "", 0)), BAD_TOPIC)

CONNECT_PROPERTIES = { # name: (bytes, reason)
    "session expiry twice [3.1.2.11.2]": (b"\x11\0\0\0\1" * 2, PROTOCOL),
    "receive maximum 0 [3.1.2.11.3]": (b"\x21\0\0", PROTOCOL),
    "maximum packet size 0 [3.1.2.11.4]": (b"\x27\0\0\0\0", PROTOCOL),
    "request problem information 2 [3.1.2.11.7]": (b"\x17\2", PROTOCOL),
    "request response information 2 [3.1.2.11.6]": (b"\x19\2", PROTOCOL),
    "authentication data but no method [3.1.2.11.10]": (b"\x16\0\1x", PROTOCOL),
    "content type, which is none of its properties [2.2.2.2]": (b"\x03\0\1x", MALFORMED),
    "a property that does not exist [2.2.2.2]": (b"\x7f\0", MALFORMED),
    "a property that is cut [1.5]": (b"\x11\0\0", MALFORMED),
}
for what, (raw, reason) in CONNECT_PROPERTIES.items():
    bad_connect("with " + what, FIVE, lambda v, topic, r=raw: connect(v, topic, raw=r),
                Refuses(reason))
bad_connect("with more properties than it has bytes", FIVE, lambda v, _: packet(
    CONNECT, 0, string("MQTT") + b"\5\2" + u16(60) + b"\x20\x11\0\0\0\1"), Refuses(MALFORMED))

# ---- PUBLISH ------------------------------------------------------------------------------

bad("PUBLISH at QoS 3 [MQTT-3.3.1-4]", ALL,
    lambda v, topic: packet(PUBLISH, 6, string(topic) + u16(1) + props(v)), Refuses(MALFORMED))
bad("PUBLISH at QoS 0 with DUP [MQTT-3.3.1-2]", NEW, lambda v, topic: publish(v, topic, dup=True))
for qos in (1, 2):
    bad(f"PUBLISH at QoS {qos} with packet id 0 [MQTT-2.2.1-3]", ALL,
        lambda v, topic, q=qos: publish(v, topic, b"", q, 0))
for what in ("a/+", "#", "a/#", "+", "a+b", "a#"):
    bad(f"PUBLISH to {what} [MQTT-3.3.2-2]", ALL, lambda v, _, x=what: publish(v, x), BAD_TOPIC)
bad("PUBLISH to nothing [MQTT-4.7.3-1]", ALL, lambda v, _: publish(v, ""), BAD_TOPIC)
bad("PUBLISH with a topic longer than the packet", ALL,
    lambda v, _: packet(PUBLISH, 0, b"\xff\xffabc"), Refuses(MALFORMED))

PUBLISH_PROPERTIES = {
    "topic alias 0 [MQTT-3.3.2-8]": (b"\x23\0\0", 0x94),
    "a topic alias above the maximum [MQTT-3.3.2-9]": (b"\x23\xff\xff", 0x94),
    "topic alias twice [3.3.2.3.4]": (b"\x23\0\1\x23\0\2", PROTOCOL),
    "message expiry twice [3.3.2.3.3]": (EXPIRY * 2, PROTOCOL),
    "payload format twice [3.3.2.3.2]": (b"\1\1\1\1", PROTOCOL),
    "a wildcard in the response topic [MQTT-3.3.2-14]": (b"\x08" + string("a/#"), PROTOCOL),
    "a subscription identifier [MQTT-3.3.4-6]": (b"\x0b\1", PROTOCOL),
    "session expiry, which is none of its properties [2.2.2.2]": (b"\x11\0\0\0\1", MALFORMED),
    "a property that does not exist [2.2.2.2]": (b"\x00\0", MALFORMED),
    "a property identifier of two bytes [2.2.2.2]": (b"\x81\0\0", MALFORMED),
    "half a user property": (b"\x26" + string("k"), MALFORMED),
    "a user property longer than its block": (b"\x26\0\1k\0\xffv", MALFORMED),
}
for what, (raw, reason) in PUBLISH_PROPERTIES.items():
    takes = {PROTOCOL: (PROTOCOL, MALFORMED, 0x90)}.get(reason, (reason,))
    bad("PUBLISH with " + what, FIVE, lambda v, topic, r=raw: publish(v, topic, raw=r),
        Refuses(*takes))
bad("PUBLISH with an alias that nobody defined [3.3.2.3.4]", FIVE,
    lambda v, _: publish(v, "", raw=b"\x23\0\x09"), Refuses(PROTOCOL))
bad("PUBLISH with a property length in too many bytes [MQTT-1.5.5-1]", FIVE,
    lambda v, topic: packet(PUBLISH, 0, string(topic) + b"\x80\x00"), Refuses(MALFORMED))
bad("PUBLISH with a property length beyond the packet", FIVE,
    lambda v, topic: packet(PUBLISH, 0, string(topic) + varint(100) + USER), Refuses(MALFORMED))

# ---- acknowledgements ---------------------------------------------------------------------

for kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
    flags = FLAGS.get(kind, 0)
    for length in (0, 1):
        bad(f"{NAMES[kind]} of {length} bytes", ALL,
            packet(kind, flags, bytes(length)), Refuses(MALFORMED))
    bad(f"{NAMES[kind]} with packet id 0 [2.2.1]", NEW, packet(kind, flags, u16(0)))
    bad(f"{NAMES[kind]} of 3 bytes in 3.1.1", (4,), packet(kind, flags, u16(1) + b"\0"))
    bad(f"{NAMES[kind]} with an unknown reason [3.4.2.1]", FIVE,
        packet(kind, flags, u16(1) + b"\x7f"))
    bad(f"{NAMES[kind]} with a foreign property [2.2.2.2]", FIVE,
        packet(kind, flags, u16(1) + b"\0" + props(5, EXPIRY)), Refuses(MALFORMED))
bad("PUBREL of nothing, 5.0 [3.7.2.1]", FIVE, packet(PUBREL, 2, u16(77)),
    Goes((PUBCOMP, u16(77) + b"\x92")))
bad("PUBREL of nothing, 3.x [4.3.3]", (3, 4), packet(PUBREL, 2, u16(77)),
    Goes((PUBCOMP, u16(77))))
bad("PUBREC of nothing [3.6.2.1]", FIVE, packet(PUBREC, 0, u16(77)),
    Goes((PUBREL, u16(77) + b"\x92")))

# ---- SUBSCRIBE, UNSUBSCRIBE ---------------------------------------------------------------

bad("SUBSCRIBE to nothing [MQTT-3.8.3-2]", ALL, lambda v, _: subscribe(v, 1, []))
bad("SUBSCRIBE with packet id 0 [MQTT-2.2.1-3]", ALL, lambda v, _: subscribe(v, 0, [("a", 0)]))
bad("SUBSCRIBE to an empty filter [MQTT-4.7.3-1]", ALL, lambda v, _: subscribe(v, 1, [("", 0)]),
    NotGranted())
bad("SUBSCRIBE without options", ALL, lambda v, _: packet(
    SUBSCRIBE, 2, u16(1) + props(v) + string("a")), Refuses(MALFORMED))
for options in (3, 4, 0x40, 0x80):
    bad(f"SUBSCRIBE at QoS {options} in 3.1.1 [MQTT311-3.8.3-4]", (4,),
        lambda v, _, o=options: subscribe(v, 1, [("a", o)]), Close())
for options, what in ((0x03, "QoS 3 [3.8.3.1]"), (0x30, "retain handling 3 [3.8.3.1]"),
                      (0x40, "a reserved bit [MQTT-3.8.3-5]"),
                      (0x80, "the other reserved bit [MQTT-3.8.3-5]")):
    bad(f"SUBSCRIBE with {what}", FIVE, lambda v, _, o=options: subscribe(v, 1, [("a", o)]))
bad("SUBSCRIBE to a share with no local [MQTT-3.8.3-4]", FIVE,
    lambda v, _: subscribe(v, 1, [("$share/g/a", 4)]), Refuses(PROTOCOL))
bad("SUBSCRIBE with identifier 0 [3.8.2.1.2]", FIVE,
    lambda v, _: subscribe(v, 1, [("a", 0)], b"\x0b\0"), Refuses(PROTOCOL))
bad("SUBSCRIBE with two identifiers [3.8.2.1.2]", FIVE,
    lambda v, _: subscribe(v, 1, [("a", 0)], b"\x0b\1\x0b\2"), Refuses(PROTOCOL))
for what in ("a/#/b", "a#", "#a", "a+", "+a/b", "$share/g", "$share//a", "$share/g+/a",
             "$share/g/", "$share/#/a"):
    if what.startswith("$share"): # to 3.x this is a filter like others [4.8.2]
        versions = FIVE
    else:
        versions = NEW
    bad(f"SUBSCRIBE to {what}, which is no filter [MQTT-4.7.1]", versions,
        lambda v, _, x=what: subscribe(v, 21, [(x, 0)]),
        NotGranted())
bad("UNSUBSCRIBE from nothing [MQTT-3.10.3-2]", ALL, lambda v, _: unsubscribe(v, 1, []))
bad("UNSUBSCRIBE with packet id 0 [MQTT-2.2.1-3]", ALL, lambda v, _: unsubscribe(v, 0, ["a"]))
bad("UNSUBSCRIBE from an empty filter [MQTT-4.7.3-1]", ALL, lambda v, _: unsubscribe(v, 1, [""]),
    NotGranted())

# ---- DISCONNECT, AUTH ---------------------------------------------------------------------

bad("DISCONNECT with an unknown reason [3.14.2.1]", FIVE, packet(DISCONNECT, 0, b"\x7f"))
bad("DISCONNECT that prolongs a session of no length [3.14.2.2.2]", FIVE,
    packet(DISCONNECT, 0, b"\0" + props(5, b"\x11\0\0\0\x09")), Refuses(PROTOCOL))
bad("DISCONNECT with a foreign property [2.2.2.2]", FIVE,
    packet(DISCONNECT, 0, b"\0" + props(5, EXPIRY)), Refuses(MALFORMED))
bad("AUTH without a method in CONNECT [4.12]", FIVE, packet(AUTH, 0, b""))
bad("AUTH with flags [MQTT-3.15.1-1]", FIVE, packet(AUTH, 1, b""), Refuses(MALFORMED))
