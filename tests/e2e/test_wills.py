# SPDX-License-Identifier: BSD-3-Clause
"""Wills: published when a client is lost, and only then."""

import time

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCodes

from lib.broker import serve
from lib.claims import between, claim, same
from lib.client import V5, V31, V311, Client, properties
from lib.wire import RawClient

WITH_WILL = 4 # reason code of DISCONNECT


class Mourner(Client):
    """Subscribes to this claim's wills."""

    def __init__(self, t, **more):
        super().__init__(t, "mourner", **more)
        self.open()
        self.subscribe(t.topic("will"), 2)


def will(t, qos=1, retain=False, **values):
    more = (properties("WILLMESSAGE", **values),) if values else ()
    return (t.topic("will"), b"gone", qos, retain, *more)


@claim(version=(V31, V311, V5), qos=(0, 1, 2))
def will_is_published_when_the_connection_breaks(t, version, qos):
    mourner = Mourner(t)
    Client(t, "dying", version, will=will(t, qos)).open().cut()
    m = mourner.exactly(1)[0]
    same("will", (m.payload, m.qos, m.retain), (b"gone", qos, False))


@claim(version=(V31, V311, V5))
def will_is_not_published_after_disconnect(t, version):
    mourner = Mourner(t)
    Client(t, "leaving", version, will=will(t)).open().close()
    mourner.exactly(0, 0.5)


@claim()
def disconnect_can_ask_for_the_will(t):
    mourner = Mourner(t)
    reason = ReasonCodes(PacketTypes.DISCONNECT, identifier=WITH_WILL)
    Client(t, "leaving", will=will(t)).open().close(reason)
    same("will", mourner.exactly(1)[0].payload, b"gone")


@claim()
def retained_will_is_retained(t):
    mourner = Mourner(t)
    Client(t, "dying", V311, will=will(t, 1, True)).open().cut()
    mourner.exactly(1)
    late = Client(t, "late").open()
    late.subscribe(t.topic("will"))
    m = late.exactly(1)[0]
    same("will", (m.payload, m.retain), (b"gone", True))
    mourner.publish(t.topic("will"), b"", 1, retain=True)


@claim()
def will_keeps_its_properties(t):
    mourner = Mourner(t)
    Client(t, "dying", will=will(t, ContentType="text/plain", UserProperty=[("k", "v")],
                                 ResponseTopic="answer", CorrelationData=b"\0\1",
                                 PayloadFormatIndicator=1)).open().cut()
    m = mourner.exactly(1)[0]
    got = [m.property(p) for p in ("ContentType", "UserProperty", "ResponseTopic",
                                   "CorrelationData", "PayloadFormatIndicator")]
    same("properties", got, ["text/plain", [("k", "v")], "answer", b"\0\1", 1])


@claim(long=True)
def will_waits_for_its_delay_and_is_never_early(t):
    mourner = Mourner(t)
    dying = Client(t, "dying", expiry=60, will=will(t, WillDelayInterval=2)).open()
    dying.cut()
    lost = time.monotonic()
    between("seconds", mourner.wait_heard(1)[0].at - lost, 1.9, 7)
    mourner.exactly(1)


@claim(long=True)
def will_is_not_published_if_the_client_returns_within_the_delay(t):
    mourner = Mourner(t)
    Client(t, "back", expiry=60, will=will(t, WillDelayInterval=2)).open().cut()
    back = Client(t, "back", clean=False, expiry=60).open()
    same("session present", back.session_present, True)
    mourner.exactly(0, 4)


@claim(long=True)
def will_does_not_outwait_the_session(t):
    """The delay is longer than the session lives: the will goes when the session ends."""
    mourner = Mourner(t)
    Client(t, "dying", expiry=1, will=will(t, WillDelayInterval=60)).open().cut()
    lost = time.monotonic()
    between("seconds", mourner.wait_heard(1)[0].at - lost, 0.9, 6)


@claim()
def clean_start_ends_the_old_session_and_its_delayed_will_goes(t):
    mourner = Mourner(t)
    Client(t, "again", expiry=60, will=will(t, WillDelayInterval=60)).open().cut()
    Client(t, "again", clean=True).open()
    same("will", mourner.exactly(1)[0].payload, b"gone")


@claim(version=(V311, V5), long=True)
def silent_client_is_closed_after_one_and_a_half_keep_alives_and_its_will_goes(t, version):
    mourner = Mourner(t)
    dying = t.keep(RawClient(t.broker.port, version))
    dying.connect(t.name("silent"), keep_alive=2, will=(t.topic("will"), b"gone", 1))
    began = time.monotonic()
    left = dying.until_closed(10)
    between("seconds until closed", time.monotonic() - began, 2.9, 7)
    same("will", mourner.wait_heard(1)[0].payload, b"gone")
    same("last packets", [(p.type, p.body[:1]) for p in left],
         [(14, b"\x8d")] if version == V5 else [])


@claim(long=True)
def client_that_pings_stays(t):
    mourner = Mourner(t)
    alive = t.keep(RawClient(t.broker.port, V311))
    alive.connect(t.name("alive"), keep_alive=1, will=(t.topic("will"), b"gone", 1))
    for _ in range(6):
        time.sleep(0.6)
        same("answer", alive.ask(b"\xc0\x00").type, 13)
    mourner.exactly(0, 0)


@claim(cores=(0,), cores_of_broker=(1, 4))
def granted_keep_alive_can_be_limited(t, cores_of_broker):
    broker = serve(t, "mqtt.keep_alive_max=30s", cores=cores_of_broker)
    asked = Client(t, "asked", keep_alive=120, broker=broker).open()
    same("keep alive told", asked.connack[2].ServerKeepAlive, 30)
    less = Client(t, "less", keep_alive=20, broker=broker).open()
    same("nothing told", hasattr(less.connack[2], "ServerKeepAlive"), False)
