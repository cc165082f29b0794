# SPDX-License-Identifier: BSD-3-Clause
"""Retained messages."""

import time

from lib import mosquitto
from lib.claims import claim, same
from lib.client import V5, V311, Client

SEND, SEND_IF_NEW, DO_NOT_SEND = 0, 1, 2  # 5.0's retain handling


def retained(t, wanted, n):
    """What a new subscriber gets from the retained set: {topic: payload} of n messages."""
    sub = Client(t, "").open()
    sub.subscribe(wanted, 2)
    heard = sub.exactly(n, 0.2)
    same("retain flags", {m.retain for m in heard} - {True}, set())
    return {m.topic: m.payload for m in heard}


@claim(qos=(0, 1, 2))
def retained_message_is_set_overwritten_and_cleared(t, qos):
    topic = t.topic("state")
    pub = Client(t, "pub").open()
    pub.publish(topic, b"one", qos, retain=True)
    if qos == 0: # nobody tells when it has been taken
        time.sleep(0.3)
    same("set", retained(t, topic, 1), {topic: b"one"})
    pub.publish(topic, b"two", qos, retain=True)
    pub.publish(topic, b"not retained", qos)
    pub.publish(t.topic("fence"), b"", 1)
    if qos == 0:
        time.sleep(0.3)
    same("overwritten", retained(t, topic, 1), {topic: b"two"})
    pub.publish(topic, b"", max(qos, 1), retain=True)
    same("cleared", retained(t, topic, 0), {})


@claim()
def retained_message_outlives_its_publisher_and_reaches_mosquitto(t):
    mosquitto.publish(t, t.topic("r"), qos=1, args=["-r", "-m", "kept"])
    sub = mosquitto.Subscriber(t, t.topic("+"), qos=1)
    m = sub.wait_heard(1)[0]
    same("message", (m["payload"], m["retain"], m["qos"]), ("kept", 1, 1))


@claim()
def live_message_carries_no_retain_flag(t):
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("live"), 1)
    Client(t, "pub").open().publish(t.topic("live"), b"x", 1, retain=True)
    same("retain flag", sub.exactly(1)[0].retain, False)


@claim()
def retain_as_published_keeps_the_flag(t):
    sub, pub = Client(t, "sub").open(), Client(t, "pub").open()
    sub.subscribe(t.topic("rap/+"), 1, retainAsPublished=True)
    pub.publish(t.topic("rap/1"), b"x", 1, retain=True)
    pub.publish(t.topic("rap/2"), b"x", 1, retain=False)
    same("flags", {m.topic[-1]: m.retain for m in sub.exactly(2)}, {"1": True, "2": False})


@claim(wanted=("many/#", "many/+", "#"))
def wildcard_finds_the_retained_messages_of_all_owners(t, wanted):
    pub = Client(t, "pub", V311).open()
    topics = {t.topic(f"many/{i}"): str(i).encode() for i in range(100)}
    pub.wait_published([pub.publish(topic, body, 1, True, wait=False)
                        for topic, body in topics.items()])
    same("retained", retained(t, t.topic(wanted), 100), topics)


@claim(handling=(SEND, SEND_IF_NEW, DO_NOT_SEND))
def retain_handling_decides_what_subscribing_again_brings(t, handling):
    topic = t.topic("handling")
    Client(t, "pub").open().publish(topic, b"kept", 1, retain=True)
    sub = Client(t, "sub").open()
    wanted = {SEND: (1, 2), SEND_IF_NEW: (1, 1), DO_NOT_SEND: (0, 0)}[handling]
    for n in wanted:
        sub.subscribe(topic, 1, retainHandling=handling)
        sub.exactly(n)


@claim()
def retained_messages_with_properties_keep_them(t):
    Client(t, "pub").open().publish(t.topic("p"), b"x", 1, retain=True, ContentType="text/plain",
                                    UserProperty=[("a", "1"), ("a", "2")])
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("p"))
    m = sub.wait_heard(1)[0]
    same("content type", m.property("ContentType"), "text/plain")
    same("user properties", m.property("UserProperty"), [("a", "1"), ("a", "2")])


@claim(heavy=True)
def subscriber_in_the_middle_of_publishing_misses_nothing_and_hears_nothing_twice(t):
    """Messages 0..n are retained one after the other on as many topics while clients subscribe:
    each must hear every one exactly once, be it as retained or as live message."""
    pub, count = Client(t, "pub").open(), 400
    subs = [Client(t, f"sub{i}", V5).open() for i in range(4)]
    mids = []
    for i in range(count):
        mids.append(pub.publish(t.topic(f"flow/{i}"), str(i), 1, retain=True, wait=False))
        if i % 100 == 50:
            subs[i // 100].subscribe(t.topic("flow/#"), 1)
    pub.wait_published(mids)
    for sub in subs:
        heard = sorted(int(m.payload) for m in sub.exactly(count))
        same("messages", heard, list(range(count)))
