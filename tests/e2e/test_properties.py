# SPDX-License-Identifier: BSD-3-Clause
"""What MQTT 5.0 adds to a message or a subscription."""

import time

from lib import mosquitto
from lib.broker import serve
from lib.claims import between, claim, holds, same
from lib.client import V5, V311, Client
from lib.wire import RawClient, connect, publish, string, subscribe, u16

USERS = [("color", "red"), ("color", "blue"), ("a", ""), ("\u00fc", "\u20ac")]
KEPT = {"ContentType": "application/json", "ResponseTopic": "answers/here",
        "CorrelationData": bytes(range(256)), "PayloadFormatIndicator": 1, "UserProperty": USERS}


@claim(qos=(0, 1, 2))
def properties_go_through_unchanged_and_in_order(t, qos):
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("p"), qos)
    Client(t, "pub").open().publish(t.topic("p"), b"{}", qos, **KEPT)
    m = sub.exactly(1)[0]
    same("properties", {name: m.property(name) for name in KEPT}, KEPT)


@claim()
def properties_go_through_between_mosquitto_clients(t):
    sub = mosquitto.Subscriber(t, t.topic("p"), qos=1, version="mqttv5")
    mosquitto.publish(t, t.topic("p"), qos=1, version="mqttv5", args=[
        "-m", "x", "-D", "publish", "content-type", "text/x", "-D", "publish", "response-topic",
        "r/1", "-D", "publish", "user-property", "k", "v"])
    got = sub.wait_heard(1)[0]["properties"]
    same("properties", got, {"content-type": "text/x", "response-topic": "r/1",
                             "user-properties": {"k": "v"}})


@claim()
def version_311_subscriber_gets_the_message_without_its_properties(t):
    sub = Client(t, "sub", V311).open()
    sub.subscribe(t.topic("p"), 1)
    Client(t, "pub").open().publish(t.topic("p"), b"x", 1, **KEPT)
    same("payload", sub.exactly(1)[0].payload, b"x")


@claim(long=True)
def expiry_is_less_by_the_time_that_the_message_waited(t):
    first = Client(t, "sub", clean=False, expiry=60).open()
    first.subscribe(t.topic("e"), 1)
    first.close()
    pub = Client(t, "pub").open()
    pub.publish(t.topic("e"), b"long", 1, MessageExpiryInterval=100)
    pub.publish(t.topic("e"), b"short", 1, MessageExpiryInterval=1)
    pub.publish(t.topic("e"), b"none", 1)
    time.sleep(3)
    heard = Client(t, "sub", clean=False).open().exactly(2)
    same("payloads", [m.payload for m in heard], [b"long", b"none"])
    between("expiry that is left", heard[0].property("MessageExpiryInterval"), 80, 98)
    same("expiry of the one without", heard[1].property("MessageExpiryInterval"), None)


@claim(long=True)
def retained_message_expires(t):
    pub = Client(t, "pub").open()
    pub.publish(t.topic("e/1"), b"short", 1, retain=True, MessageExpiryInterval=1)
    pub.publish(t.topic("e/2"), b"long", 1, retain=True, MessageExpiryInterval=100)
    time.sleep(3)
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("e/+"), 1)
    m = sub.exactly(1)[0]
    same("payload", m.payload, b"long")
    between("expiry that is left", m.property("MessageExpiryInterval"), 80, 98)


@claim()
def subscription_identifiers_tell_which_filters_matched(t):
    sub, pub = Client(t, "sub").open(), Client(t, "pub").open()
    sub.subscribe(t.topic("id/+"), 1, subscription_id=1)
    sub.subscribe(t.topic("id/#"), 1, subscription_id=268435455)
    sub.subscribe(t.topic("id/one/+"), 1)
    pub.publish(t.topic("id/one"), b"x", 1)
    heard = sub.exactly(1)
    ids = sorted(i for m in heard for i in m.property("SubscriptionIdentifier"))
    same("identifiers", ids, [1, 268435455])
    sub.subscribe(t.topic("id/+"), 1, subscription_id=7)
    sub.unsubscribe(t.topic("id/#"))
    pub.publish(t.topic("id/one"), b"y", 1)
    same("replaced", sub.exactly(2)[1].property("SubscriptionIdentifier"), [7])


@claim()
def retained_message_carries_the_identifier_of_the_subscription(t):
    Client(t, "pub").open().publish(t.topic("r"), b"x", 1, retain=True)
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("+"), 1, subscription_id=5)
    same("identifier", sub.exactly(1)[0].property("SubscriptionIdentifier"), [5])


@claim()
def no_local_keeps_a_clients_own_messages_from_it(t):
    both, other = Client(t, "both").open(), Client(t, "other").open()
    both.subscribe(t.topic("nl"), 1, noLocal=True)
    both.publish(t.topic("nl"), b"mine", 1)
    other.publish(t.topic("nl"), b"other's", 1)
    same("payloads", [m.payload for m in both.exactly(1)], [b"other's"])


@claim()
def request_finds_its_response(t):
    server, client = Client(t, "server").open(), Client(t, "client").open()
    server.subscribe(t.topic("double"), 1)
    client.subscribe(t.topic("answers/client"), 1)
    for n in range(20):
        client.publish(t.topic("double"), f"{n}", 1, CorrelationData=f"c{n}".encode(),
                       ResponseTopic=t.topic("answers/client"))
    for request in server.wait_heard(20):
        server.publish(request.property("ResponseTopic"), str(2 * int(request.payload)), 1,
                       CorrelationData=request.property("CorrelationData"))
    answers = {m.property("CorrelationData"): int(m.payload) for m in client.exactly(20)}
    same("answers", answers, {f"c{n}".encode(): 2 * n for n in range(20)})


@claim()
def publisher_may_use_topic_aliases(t):
    sub, pub = Client(t, "sub").open(), Client(t, "pub").open()
    holds("the broker takes aliases", pub.connack[2].TopicAliasMaximum > 1)
    sub.subscribe(t.topic("alias/#"), 1)
    known = {}
    for topic, alias in (("1", 1), ("", 1), ("2", 2), ("", 2), ("", 1), ("3", 1), ("", 1)):
        known[alias] = topic or known[alias] # the payload says which topic is meant
        pub.publish(t.topic(f"alias/{topic}") if topic else "", known[alias], 1, TopicAlias=alias)
    heard = sub.exactly(7) # topics have owners of their own: no order among them
    same("topics", sorted(m.topic[-1] for m in heard), list("1112233"))
    same("topics that were meant", [m.payload.decode() for m in heard],
         [m.topic[-1] for m in heard])
    holds("the publisher's aliases are not the subscriber's",
          all(m.property("TopicAlias") is None for m in sub.heard))


@claim()
def mosquitto_may_use_topic_aliases(t):
    sub = mosquitto.Subscriber(t, t.topic("alias"), qos=1)
    mosquitto.publish(t, t.topic("alias"), ["one", "two", "three"], 1, "mqttv5",
                      ["-D", "publish", "topic-alias", "5"])
    sub.wait_heard(3)
    same("payloads", sub.payloads(), ["one", "two", "three"])


@claim()
def subscriber_that_takes_topic_aliases_can_resolve_each(t):
    """An alias never exceeds what the client allows, and always has a topic by then."""
    sub = Client(t, "sub", connect={"TopicAliasMaximum": 3}).open()
    sub.subscribe(t.topic("alias/#"), 1)
    pub = Client(t, "pub").open()
    for i in range(40):
        pub.publish(t.topic(f"alias/{i % 5}"), f"{i % 5}", 1)
    known, used = {}, 0
    for m in sub.exactly(40):
        alias, topic = m.property("TopicAlias"), m.topic
        if alias is not None:
            between("alias", alias, 1, 3)
            used += 1
            if topic:
                known[alias] = topic
            topic = topic or known.get(alias)
        same("topic", topic, t.topic(f"alias/{m.payload.decode()}"))
    holds("aliases were used", used > 0)


@claim()
def receive_maximum_of_the_subscriber_is_kept(t):
    """With a window of 2 and no acknowledgement there are two messages, and no third."""
    raw = t.keep(RawClient(t.broker.port, V5))
    raw.connect(t.name("sub"), raw=b"\x21" + u16(2))
    raw.ask(subscribe(V5, 1, [(t.topic("w"), 1)]))
    pub = Client(t, "pub").open()
    for i in range(5):
        pub.publish(t.topic("w"), f"{i}", 1)
    first, second = raw.receive(), raw.receive()
    same("types", (first.type, second.type), (3, 3))
    same("a third", raw.next(0.5), None)
    raw.send(b"\x40\x02" + first.body[2 + len(t.topic("w")):][:2])
    same("after PUBACK", raw.receive().type, 3)


@claim(cores=(0,), cores_of_broker=(1, 4))
def receive_maximum_of_the_broker_is_told_and_enforced(t, cores_of_broker):
    broker = serve(t, "limits.receive=5", cores=cores_of_broker)
    raw = t.keep(RawClient(broker.port, V5))
    connack = raw.connect(t.name("pub"))
    holds(f"told: {connack}", b"\x21\x00\x05" in connack.body)
    raw.send(b"".join(publish(V5, t.topic("x"), b"", 2, i) for i in range(1, 7)))
    last = raw.until_closed()[-1]
    same("last packet", (last.type, last.body[0]), (14, 0x93))


@claim()
def response_information_is_not_given_where_there_is_none(t):
    asked = Client(t, "asked", connect={"RequestResponseInformation": 1}).open()
    same("told", hasattr(asked.connack[2], "ResponseInformation"), False)


@claim()
def puback_tells_that_nobody_subscribed_or_nothing_at_all(t):
    raw = t.keep(RawClient(t.broker.port, V5))
    raw.connect(t.name("pub"))
    answer = raw.ask(publish(V5, t.topic("nobody"), b"x", 1, 9))
    holds(f"PUBACK: {answer}", answer.type == 4 and answer.body[:2] == u16(9)
          and answer.body[2:3] in (b"", b"\x00", b"\x10"))


@claim()
def unknown_authentication_method_is_refused(t):
    raw = t.keep(RawClient(t.broker.port, V5))
    raw.send(connect(V5, t.name("auth"), raw=b"\x15" + string("NO-SUCH-METHOD")))
    packets = raw.until_closed()
    same("CONNACK", [(p.type, p.body[1]) for p in packets], [(2, 0x8c)])
