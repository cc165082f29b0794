# SPDX-License-Identifier: BSD-3-Clause
"""Messages arrive: all of them, once, in order, unchanged."""

from lib import mosquitto
from lib.broker import serve
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V31, V311, Client

THOUSAND = [f"number {i}" for i in range(1000)]
PACKET_MAX = 1 << 20  # mqtt.packet unless set otherwise
TOO_LARGE = 0x95


@claim()
def first_message_arrives(t):
    sub = mosquitto.Subscriber(t, t.topic("greenhouse/+/temperature"))
    mosquitto.publish(t, t.topic("greenhouse/3/temperature"), args=["-m", "21.5"])
    m = sub.wait_heard(1)[0]
    same("topic", m["topic"], t.topic("greenhouse/3/temperature"))
    same("payload", m["payload"], "21.5")


@claim(qos=(0, 1, 2), version=("mqttv311", "mqttv5"), heavy=True)
def thousand_messages_from_mosquitto_to_paho_in_order_none_lost_none_twice(t, qos, version):
    topic = t.topic("count")
    sub = Client(t, "sub").open()
    same("granted", sub.subscribe(topic, qos), qos)
    mosquitto.publish(t, topic, THOUSAND, qos, version)
    heard = sub.exactly(1000)
    same("payloads", [m.payload.decode() for m in heard], THOUSAND)
    same("qos", {m.qos for m in heard}, {qos})


@claim(qos=(0, 1, 2), version=(V311, V5), heavy=True)
def thousand_messages_from_paho_to_mosquitto_in_order_none_lost_none_twice(t, qos, version):
    topic = t.topic("count")
    sub = mosquitto.Subscriber(t, topic, qos=qos, version="mqttv5")
    pub = Client(t, "pub", version).open()
    mids = [pub.publish(topic, text, qos, wait=False) for text in THOUSAND]
    pub.wait_published(mids)
    sub.wait_heard(1000)
    pub.publish(topic, "end", qos)
    sub.wait_heard(1001)
    same("payloads", sub.payloads(), THOUSAND + ["end"])
    same("qos", {m["qos"] for m in sub.heard}, {qos})


@claim(published=(0, 1, 2), granted=(0, 1, 2))
def message_arrives_with_the_lower_of_both_qos(t, published, granted):
    sub = Client(t, "sub", V311).open()
    same("granted", sub.subscribe(t.topic("q"), granted), granted)
    Client(t, "pub", V5).open().publish(t.topic("q"), b"x", published)
    same("qos", sub.wait_heard(1)[0].qos, min(published, granted))


@claim(publisher=(V31, V311, V5), subscriber=(V31, V311, V5))
def every_version_hears_every_other(t, publisher, subscriber):
    sub = Client(t, "s", subscriber).open()
    sub.subscribe(t.topic("v/#"), 2)
    Client(t, "p", publisher).open().publish(t.topic("v/1"), b"hello", 2)
    m = sub.exactly(1)[0]
    same("message", (m.topic, m.payload, m.qos), (t.topic("v/1"), b"hello", 2))


@claim()
def mosquitto_clients_of_version_31_are_served(t):
    sub = mosquitto.Subscriber(t, t.topic("old/#"), qos=2, version="mqttv31")
    mosquitto.publish(t, t.topic("old/1"), ["one", "two"], 2, "mqttv31")
    sub.wait_heard(2)
    same("payloads", sub.payloads(), ["one", "two"])


@claim(qos=(0, 1, 2))
def payload_of_every_byte_and_none_arrives_unchanged(t, qos):
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("bytes"), qos)
    pub = Client(t, "pub").open()
    payloads = [bytes(range(256)), b"", b"\0", bytes(65536)]
    for payload in payloads:
        pub.publish(t.topic("bytes"), payload, qos)
    same("payloads", [m.payload for m in sub.exactly(len(payloads))], payloads)


@claim(qos=(0, 1, 2), heavy=True)
def payload_of_one_megabyte_arrives_unchanged(t, qos):
    topic = t.topic("large")
    overhead = 1 + 3 + 2 + len(topic) + (2 if qos else 0) + 1 # head, topic, packet id, properties
    payload = bytes(i * 7 % 251 for i in range(PACKET_MAX - overhead))
    sub = Client(t, "sub").open()
    sub.subscribe(topic, qos)
    Client(t, "pub").open().publish(topic, payload, qos)
    holds("payload arrives unchanged", sub.exactly(1)[0].payload == payload)


@claim()
def packet_that_is_one_byte_too_large_is_refused_with_0x95(t):
    topic = t.topic("large")
    overhead = 1 + 3 + 2 + len(topic) + 1
    pub = Client(t, "pub").open()
    same("maximum told", pub.connack[2].MaximumPacketSize, PACKET_MAX)
    pub.publish(topic, bytes(PACKET_MAX - overhead + 1), wait=False)
    same("reason", pub.wait_lost(), TOO_LARGE)


@claim()
def packet_too_large_ends_a_v311_connection(t):
    pub = Client(t, "pub", V311).open()
    pub.publish(t.topic("large"), bytes(PACKET_MAX + 1), wait=False)
    pub.wait_lost()


@claim()
def message_larger_than_the_receiver_takes_is_left_out_and_the_next_arrives(t):
    sub = Client(t, "sub", connect={"MaximumPacketSize": 200}).open()
    sub.subscribe(t.topic("size"), 1)
    pub = Client(t, "pub").open()
    pub.publish(t.topic("size"), bytes(300), 1)
    pub.publish(t.topic("size"), b"small", 1)
    same("payloads", [m.payload for m in sub.exactly(1)], [b"small"])


@claim(cores=(0,), cores_of_broker=(1, 4))
def packet_limit_can_be_set(t, cores_of_broker):
    broker = serve(t, "mqtt.packet=2 KiB", cores=cores_of_broker)
    pub = Client(t, "pub", broker=broker).open()
    same("maximum told", pub.connack[2].MaximumPacketSize, 2048)
    pub.publish(t.topic("large"), bytes(1900), 1)
    pub.publish(t.topic("large"), bytes(2048), wait=False)
    same("reason", pub.wait_lost(), TOO_LARGE)


@claim()
def publisher_hears_its_own_message(t):
    both = Client(t, "both", V311).open()
    both.subscribe(t.topic("self"), 2)
    both.publish(t.topic("self"), b"me", 2)
    same("payload", both.exactly(1)[0].payload, b"me")


@claim(qos=(1, 2), heavy=True)
def reader_that_pauses_misses_nothing(t, qos):
    """More than the window waits for a client whose socket is not read for a while."""
    topic = t.topic("pause")
    sub = Client(t, "sub").open()
    sub.subscribe(topic, qos)
    sub.paho.loop_stop()
    pub = Client(t, "pub").open()
    mids = [pub.publish(topic, f"{i}", qos, wait=False) for i in range(3000)]
    pub.wait_published(mids)
    sub.paho.loop_start()
    sub.wait_heard(3000)
    same("payloads", [m.payload for m in sub.exactly(3000)],
         [str(i).encode() for i in range(3000)])


@claim()
def topics_of_many_owners_keep_their_order(t):
    """Each topic has an order of its own, whichever core owns it."""
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("many/#"), 1)
    pub = Client(t, "pub").open()
    mids = [pub.publish(t.topic(f"many/{i % 20}"), str(i), 1, wait=False) for i in range(600)]
    pub.wait_published(mids)
    sub.wait_heard(600)
    for n in range(20):
        mine = [int(m.payload) for m in sub.heard if m.topic == t.topic(f"many/{n}")]
        same(f"order of topic {n}", mine, list(range(n, 600, 20)))


@claim()
def unsubscribed_client_hears_no_more(t):
    sub, pub = Client(t, "sub").open(), Client(t, "pub").open()
    sub.subscribe(t.topic("news"), 1)
    sub.subscribe(t.topic("end"), 1)
    pub.publish(t.topic("news"), b"1", 1)
    sub.wait_heard(1)
    sub.unsubscribe(t.topic("news"))
    pub.publish(t.topic("news"), b"2", 1)
    pub.publish(t.topic("end"), b"end", 1)
    same("payloads", [m.payload for m in sub.exactly(2)], [b"1", b"end"])


@claim()
def client_without_a_name_is_given_one(t):
    one, two = Client(t, "").open(), Client(t, "").open()
    names = [c.connack[2].AssignedClientIdentifier for c in (one, two)]
    holds(f"two names: {names}", all(names) and names[0] != names[1])
    eventually("both stay", lambda: one.lost is None and two.lost is None, 1)
