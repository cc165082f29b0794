# SPDX-License-Identifier: BSD-3-Clause
"""Sessions outlive their connections, for as long as they should."""

import time

from lib import mosquitto
from lib.broker import serve
from lib.claims import claim, same
from lib.client import V5, V31, V311, Client
from lib.wire import RawClient, packet, publish, publish_id, subscribe

FOREVER = 0xffffffff
TAKEN_OVER = 0x8e


def persistent(t, version, name="s"):
    """A client whose session stays."""
    return Client(t, name, version, clean=False, expiry=FOREVER)


@claim(version=(V31, V311, V5), qos=(1, 2))
def offline_messages_arrive_after_reconnect_in_order(t, version, qos):
    first = persistent(t, version).open()
    same("session present", first.session_present, False)
    first.subscribe(t.topic("off/#"), qos)
    first.close()
    pub = Client(t, "pub").open()
    texts = [f"{i}".encode() for i in range(100)]
    pub.wait_published([pub.publish(t.topic("off/1"), x, qos, wait=False) for x in texts])
    second = persistent(t, version).open()
    if version != V31: # 3.1 has no such flag
        same("session present", second.session_present, True)
    same("payloads", [m.payload for m in second.exactly(100)], texts)
    second.publish(t.topic("off/1"), b"live", qos)
    same("live", second.exactly(101)[-1].payload, b"live")
    end_session(t, version)


def end_session(t, version, name="s"):
    Client(t, name, version, clean=True).open().close()


@claim()
def mosquitto_finds_its_session_again(t):
    args = ["-c", "-i", t.name("m")]
    sub = mosquitto.Subscriber(t, t.topic("m"), qos=1, args=args)
    sub.end()
    mosquitto.publish(t, t.topic("m"), ["one", "two"], 1)
    again = mosquitto.Subscriber(t, t.topic("m"), qos=1, args=args)
    again.wait_heard(2)
    same("payloads", again.payloads(), ["one", "two"])


@claim(version=(V31, V311, V5))
def clean_client_starts_from_nothing(t, version):
    old = persistent(t, version).open()
    old.subscribe(t.topic("clean"), 1)
    old.close()
    pub = Client(t, "pub").open()
    pub.publish(t.topic("clean"), b"lost", 1)
    fresh = Client(t, "s", version, clean=True).open()
    same("session present", fresh.session_present, False)
    pub.publish(t.topic("clean"), b"unheard", 1)
    fresh.exactly(0)


@claim(version=(V311, V5))
def session_of_a_clean_client_ends_with_its_connection(t, version):
    Client(t, "s", version, clean=True).open().close()
    later = Client(t, "s", version, clean=False).open()
    same("session present", later.session_present, False)
    later.close()
    end_session(t, version)


@claim(long=True)
def session_expires_when_it_should(t):
    Client(t, "s", clean=False, expiry=2).open().close()
    kept = Client(t, "s", clean=False, expiry=2).open()
    same("session present at once", kept.session_present, True)
    kept.close()
    time.sleep(4)
    late = Client(t, "s", clean=False).open()
    same("session present after its time", late.session_present, False)


@claim(long=True)
def disconnect_changes_the_expiry(t):
    Client(t, "s", clean=False, expiry=1).open().close(SessionExpiryInterval=60)
    time.sleep(3)
    kept = Client(t, "s", clean=False, expiry=60).open()
    same("session present", kept.session_present, True)
    kept.close(SessionExpiryInterval=0)
    gone = Client(t, "s", clean=False).open()
    same("session present", gone.session_present, False)


@claim(first=(V31, V311, V5), second=(V311, V5))
def second_client_with_the_same_name_takes_over(t, first, second):
    old = persistent(t, first).open()
    old.subscribe(t.topic("over"), 1)
    new = persistent(t, second).open()
    reason = old.wait_lost()
    if first == V5:
        same("reason", reason, TAKEN_OVER)
    same("session present", new.session_present, True)
    Client(t, "pub").open().publish(t.topic("over"), b"for the new one", 1)
    same("payload", new.exactly(1)[0].payload, b"for the new one")
    same("old one heard", len(old.heard), 0)
    new.close()
    end_session(t, V5)


@claim(heavy=True)
def of_many_clients_with_one_name_one_stays(t):
    clients = [Client(t, "one", V5, clean=False, expiry=60) for _ in range(20)]
    for c in clients:
        c.open()
    for c in clients[:-1]:
        same("reason", c.wait_lost(), TAKEN_OVER)
    clients[-1].subscribe(t.topic("alive"), 1)
    clients[-1].publish(t.topic("alive"), b"here", 1)
    clients[-1].exactly(1)


@claim(qos=(1, 2))
def unacknowledged_message_is_sent_again_after_reconnect(t, qos):
    raw = t.keep(RawClient(t.broker.port, V311))
    raw.connect(t.name("lazy"), clean=False)
    raw.ask(subscribe(V311, 1, [(t.topic("again"), qos)]))
    Client(t, "pub").open().publish(t.topic("again"), b"x", qos)
    first = raw.receive()
    same("first: PUBLISH without DUP", (first.type, first.flags & 8), (3, 0))
    raw.end()
    back = t.keep(RawClient(t.broker.port, V311))
    same("session present", back.connect(t.name("lazy"), clean=False).body, b"\x01\x00")
    second = back.receive()
    same("again: PUBLISH with DUP", (second.type, second.flags & 8), (3, 8))
    same("packet id", publish_id(second), publish_id(first))
    back.end()
    end_session(t, V311, "lazy")


@claim()
def qos_2_message_sent_twice_by_a_publisher_arrives_once(t):
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("once"), 2)
    raw = t.keep(RawClient(t.broker.port, V311))
    raw.connect(t.name("pub"), clean=False)
    same("PUBREC", raw.ask(publish(V311, t.topic("once"), b"x", 2, 7)).type, 5)
    raw.end()
    back = t.keep(RawClient(t.broker.port, V311))
    same("session present", back.connect(t.name("pub"), clean=False).body, b"\x01\x00")
    same("PUBREC", back.ask(publish(V311, t.topic("once"), b"x", 2, 7, dup=True)).type, 5)
    same("PUBCOMP", back.ask(packet(6, 2, b"\0\7")).type, 7)
    sub.exactly(1)
    back.end()
    end_session(t, V311, "pub")


@claim(cores=(0,), cores_of_broker=(1, 4))
def full_queue_keeps_as_many_as_it_may_and_their_order(t, cores_of_broker):
    broker = serve(t, "limits.queue_messages=10", cores=cores_of_broker)
    sub = Client(t, "sub", V311, clean=False, broker=broker).open()
    sub.subscribe(t.topic("full"), 1)
    sub.close()
    pub = Client(t, "pub", broker=broker).open()
    for i in range(50):
        pub.publish(t.topic("full"), f"{i}", 1)
    again = Client(t, "sub", V311, clean=False, broker=broker).open()
    heard = [int(m.payload) for m in again.exactly(10)]
    same("order", heard, sorted(heard))
