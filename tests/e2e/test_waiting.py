# SPDX-License-Identifier: BSD-3-Clause
"""What happens meanwhile, when a login or a question about a topic takes its time."""

import os
import signal
import threading
import time

from lib.broker import serve
from lib.claims import claim, eventually, holds, same
from lib.client import Client
from lib.wire import AUTH, CONNACK, SUBACK, RawClient, connect, packet, string, subscribe, u16
from test_access import CONTINUE, Scram, auth, data_of, password_file, proof, scram_connect
from test_hook import Service, by_topic

NOT_ALLOWED = 0x87


def hook_connect(port, client_id, user, will=None):
    """A client of the web service's, by hand and at once; its session stays for a while."""
    raw = RawClient(port, 5)
    body = (string("MQTT") + bytes([5, 0xC4 if will else 0xC0]) + u16(0) + b"\x05\x11\0\0\0\x3c"
            + string(client_id))
    if will:
        body += b"\0" + string(will) + string("x")
    raw.send(packet(1, 0, body + string(user) + string("x")))
    return raw


# ---- the end of an exchange -------------------------------------------------------------------

@claim(cores=(0,))
def an_exchange_is_over_when_its_proof_has_come(t):
    path = password_file(t, [], [("ann", "secret")])
    broker = serve(t, f"access.passwords={path}", "limits.user_connections=100", cores=4)
    for i in range(16): # some of them live on another core than the one that counts ann's places
        client, scram, answer = scram_connect(t, broker.port, "ann", "secret", f"c{i}")
        same("CONNACK", (answer.type, answer.body[1]), (CONNACK, 0))
        scram.check(data_of(answer.body))


@claim(cores=(0,))
def auth_behind_the_proof_is_too_early(t):
    path = password_file(t, [], [("ann", "secret")])
    broker = serve(t, f"access.passwords={path}", "limits.user_connections=100", cores=4)
    for i in range(16):
        client, scram = RawClient(broker.port, 5), Scram("ann", "secret")
        answer = client.ask(connect(5, f"c{i}", raw=proof(scram.first())))
        last = auth(CONTINUE, scram.final(data_of(answer.body)))
        client.send(last + last)
        same("CONNACK", client.receive().type, CONNACK)
        client.until_closed()
    holds("the broker lives", broker.alive())


# ---- the configuration changes ----------------------------------------------------------------

@claim(cores=(1, 2))
def who_is_no_user_any_more_when_the_login_ends_does_not_come_in(t):
    path = password_file(t, [], [("ann", "secret"), ("bob", "other")])
    broker = serve(t, f"access.passwords={path}", cores=2)
    client, scram = RawClient(broker.port, 5), Scram("ann", "secret")
    answer = client.ask(connect(5, "s", raw=proof(scram.first())))
    same("CONNECT's answer", (answer.type, answer.body[0]), (AUTH, CONTINUE))
    with open(path, encoding="ascii") as f:
        rest = [line for line in f if not line.startswith("ann:")]
    with open(path, "w", encoding="ascii") as f:
        f.writelines(rest)
    os.kill(broker.pid, signal.SIGHUP)
    eventually("reloaded", lambda: "reloaded" in broker.text())
    time.sleep(0.2) # each core has taken it
    answer = client.ask(auth(CONTINUE, scram.final(data_of(answer.body))))
    same("CONNACK", answer.type, CONNACK)
    holds("refused", answer.body[1] != 0)


# ---- questions about topics -------------------------------------------------------------------

@claim(cores=(1,))
def a_subscription_to_more_filters_than_answers_are_kept_is_answered(t):
    service = t.keep(Service(by_topic({t.topic("7")})))
    broker = serve(t, f"hook.url={service.url}", "hook.access=true", "hook.cache_entries=8")
    raw = hook_connect(broker.port, t.name("c"), "ann")
    same("CONNACK", raw.receive().body[1], 0)
    answer = raw.ask(subscribe(5, 9, [(t.topic(str(i)), 1) for i in range(20)]))
    same("SUBACK", answer.type, SUBACK)
    same("codes", list(answer.body[3:]), [1 if i == 7 else NOT_ALLOWED for i in range(20)])
    same("questions", len([q for q in service.asked if q["action"] == "subscribe"]), 20)


@claim(cores=(1,))
def filters_beyond_what_one_subscribe_may_have_are_not_asked_about(t):
    service = t.keep(Service(by_topic(set())))
    broker = serve(t, f"hook.url={service.url}", "hook.access=true", "mqtt.filters=4")
    raw = hook_connect(broker.port, t.name("c"), "ann")
    same("CONNACK", raw.receive().body[1], 0)
    raw.ask(subscribe(5, 9, [(t.topic(str(i)), 1) for i in range(40)]))
    same("questions", len([q for q in service.asked if q["action"] == "subscribe"]), 4)


@claim(cores=(1,))
def leave_for_one_will_is_none_for_the_next(t):
    slow = threading.Event()

    def decide(question):
        topic = question.get("topic")
        if topic == t.topic("ok"):
            time.sleep(0.3)
        elif topic == t.topic("no"):
            slow.wait(10)
        return 200, {"result": "deny" if topic == t.topic("no") else "allow"}
    service = t.keep(Service(decide))
    broker = serve(t, f"hook.url={service.url}", "hook.access=true", "hook.cache=1h")
    sub = Client(t, "sub", broker=broker, login=("ann", "x")).open()
    same("subscribed", sub.subscribe(t.topic("#"), 1), 1)
    name = t.name("w")
    for i in range(4): # twice within one second, most likely
        first = hook_connect(broker.port, name, "eve", t.topic("ok"))
        same("CONNACK", first.receive().body[1], 0)
        second = hook_connect(broker.port, name, "eve", t.topic("no"))
        same("CONNACK", second.receive().body[1], 0)
        time.sleep(0.5) # the first question has its answer, the second has none
        second.end()
    slow.set()
    sub.publish(t.topic("end"), b"", 1)
    eventually("all is heard", lambda: t.topic("end") in [m.topic for m in sub.heard])
    same("wills that were denied", [m.topic for m in sub.heard].count(t.topic("no")), 0)
