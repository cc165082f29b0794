# SPDX-License-Identifier: BSD-3-Clause
"""Filters and topics: what matches what."""

from lib.claims import claim, same
from lib.client import V5, V311, Client

TOPICS = ("a", "a/b", "a/b/c", "a//c", "a/", "/a", "b/a", "A/b", "a b/\u00e4")
FILTERS = { # section 4.7 of both specifications
    "#": set(TOPICS),
    "a": {"a"},
    "a/#": {"a", "a/b", "a/b/c", "a//c", "a/"},
    "a/b/#": {"a/b", "a/b/c"},
    "+": {"a"},
    "+/+": {"a/b", "a/", "/a", "b/a", "A/b", "a b/\u00e4"},
    "/+": {"/a"},
    "a/+": {"a/b", "a/"},
    "a/+/c": {"a/b/c", "a//c"},
    "+/b/#": {"a/b", "a/b/c", "A/b"},
    "+/a": {"/a", "b/a"},
    "a/+/#": {"a/b", "a/b/c", "a//c", "a/"},
    "a//#": {"a//c"} | {"a/"},
    "a b/+": {"a b/\u00e4"},
    "nothing": set(),
}


@claim(version=(V311, V5))
def filters_match_what_the_specification_says(t, version):
    pub = Client(t, "pub", version).open()
    subs = {}
    for i, wanted in enumerate(FILTERS):
        subs[wanted] = Client(t, f"sub{i}", version).open()
        subs[wanted].subscribe(t.topic(wanted), 1)
        subs[wanted].subscribe(t.name("end"), 1)
    for topic in TOPICS:
        pub.publish(t.topic(topic), topic, 1)
    pub.publish(t.name("end"), b"end", 1)
    for wanted, sub in subs.items():
        sub.exactly(len(FILTERS[wanted]) + 1, 0)
        got = {m.payload.decode() for m in sub.heard} - {"end"}
        same(f"topics that match {wanted}", got, FILTERS[wanted])


@claim()
def wildcard_at_the_front_matches_no_topic_that_starts_with_a_dollar(t):
    subs = {}
    for i, wanted in enumerate(("#", "+/x/#", f"$mine/x/{t.prefix}", "$mine/#")):
        subs[wanted] = Client(t, f"sub{i}").open()
        subs[wanted].subscribe(wanted, 1)
    pub = Client(t, "pub").open()
    pub.publish(f"$mine/x/{t.prefix}", b"dollar", 1)
    pub.publish(f"mine/x/{t.prefix}", b"end", 1)
    wanted = {"#": [b"end"], "+/x/#": [b"end"], "$mine/#": [b"dollar"],
              f"$mine/x/{t.prefix}": [b"dollar"]}
    for name, sub in subs.items():
        sub.wait("the last message", lambda s=sub, w=wanted[name]: payloads(t, s) == w)


def payloads(t, sub):
    """What a client heard of this claim's topics: others publish as well."""
    with sub.changed:
        return [m.payload for m in sub.heard if m.topic.endswith(t.prefix)]


@claim()
def overlapping_filters_bring_a_message_with_the_highest_qos(t):
    sub = Client(t, "sub").open()
    sub.subscribe(t.topic("over/#"), 0)
    sub.subscribe(t.topic("over/+"), 2)
    Client(t, "pub").open().publish(t.topic("over/1"), b"x", 2)
    sub.wait_heard(1)
    same("highest QoS", max(m.qos for m in sub.exactly(1)), 2)


@claim()
def subscribing_again_replaces_the_qos(t):
    sub, pub = Client(t, "sub").open(), Client(t, "pub").open()
    sub.subscribe(t.topic("again"), 2)
    sub.subscribe(t.topic("again"), 0)
    pub.publish(t.topic("again"), b"x", 2)
    same("qos", [m.qos for m in sub.exactly(1)], [0])


@claim()
def topics_are_told_apart_by_case_and_by_every_slash(t):
    sub = Client(t, "sub", V311).open()
    for wanted in ("Case", "slash", "/slash", "slash/"):
        sub.subscribe(t.topic(wanted), 1)
    pub = Client(t, "pub", V311).open()
    for topic in ("case", "CASE", "Case", "slash", "slash/", "/slash", "//slash", "slash//"):
        pub.publish(t.topic(topic), topic, 1)
    same("payloads", sorted(m.payload for m in sub.exactly(4)),
         [b"/slash", b"Case", b"slash", b"slash/"])
