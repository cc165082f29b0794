# SPDX-License-Identifier: BSD-3-Clause
"""Shared subscriptions: every message goes to one member of the group."""

from collections import Counter

from lib import mosquitto
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client


def members(t, n, qos, version=V5, group="group", **more):
    subs = [Client(t, f"{group}{i}", version, **more).open() for i in range(n)]
    for sub in subs:
        sub.subscribe(f"$share/{group}/" + t.topic("work/#"), qos)
    return subs


def heard(subs):
    return sorted(int(m.payload) for sub in subs for m in list(sub.heard))


def publish(t, pub, count, first=0, qos=1):
    pub.wait_published([pub.publish(t.topic(f"work/{i % 7}"), str(i), qos, wait=False)
                        for i in range(first, first + count)])


def wait_total(subs, n):
    """Waits until the group has heard n messages together."""
    eventually(f"{n} messages in the group", lambda: sum(len(s.heard) for s in subs) >= n)


@claim(qos=(0, 1, 2), heavy=True)
def every_message_reaches_one_member_and_every_member_some(t, qos):
    subs = members(t, 4, qos)
    publish(t, Client(t, "pub").open(), 400, qos=qos)
    wait_total(subs, 400)
    same("messages", heard(subs), list(range(400)))
    holds(f"spread {[len(s.heard) for s in subs]}", min(len(s.heard) for s in subs) >= 20)


@claim(heavy=True)
def groups_and_plain_subscribers_each_get_everything(t):
    one, two = members(t, 2, 1, group="one"), members(t, 3, 1, group="two")
    plain = Client(t, "plain", V311).open()
    plain.subscribe(t.topic("work/#"), 1)
    publish(t, Client(t, "pub").open(), 210)
    for subs in (one, two, [plain]):
        wait_total(subs, 210)
        same("messages", heard(subs), list(range(210)))


@claim(qos=(1, 2), heavy=True)
def group_survives_the_death_of_a_member(t, qos):
    """One member goes without a word while messages flow: afterwards all messages are with the
    others; those that were under way to the dead one may come a second time, none is missing."""
    subs = members(t, 3, qos)
    pub = Client(t, "pub").open()
    publish(t, pub, 150)
    wait_total(subs, 150)
    subs[0].cut()
    publish(t, pub, 150, 150)
    wait_total(subs, 300)
    same("messages", sorted(Counter(heard(subs))), list(range(300)))
    holds("the others heard the second half", len(heard(subs[1:])) >= 150)


@claim()
def member_that_unsubscribes_gets_no_more(t):
    subs = members(t, 2, 1)
    subs[0].unsubscribe("$share/group/" + t.topic("work/#"))
    publish(t, Client(t, "pub").open(), 50)
    subs[1].exactly(50)
    same("heard by the one that left", len(subs[0].heard), 0)


@claim()
def version_311_clients_can_be_members(t):
    subs = members(t, 2, 1, V311)
    publish(t, Client(t, "pub", V311).open(), 50)
    wait_total(subs, 50)
    same("messages", heard(subs), list(range(50)))


@claim()
def retained_messages_are_not_sent_to_shared_subscriptions(t):
    pub = Client(t, "pub").open()
    pub.publish(t.topic("work/1"), b"1", 1, retain=True)
    subs = members(t, 2, 1)
    for sub in subs:
        sub.exactly(0)


@claim()
def mosquitto_members_share(t):
    filters = "$share/m/" + t.topic("work/#")
    subs = [mosquitto.Subscriber(t, filters, qos=1, version="mqttv5") for _ in range(2)]
    publish(t, Client(t, "pub").open(), 60)
    wait_total(subs, 60)
    same("messages", sorted(int(p) for s in subs for p in s.payloads()), list(range(60)))
