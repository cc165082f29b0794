# SPDX-License-Identifier: BSD-3-Clause
"""The web service that is asked who may come in: one of the tests' own."""

import http.server
import json
import threading
import time

from lib.broker import serve
from lib.claims import claim, eventually, same
from lib.client import Client
from lib.wire import PUBACK, PUBREC, SUBACK, RawClient, packet, publish, string, subscribe, u16

DENIED, UNAVAILABLE = 0x86, 0x88


class Service:
    """Answers with what `decide` makes of a question, and remembers all questions."""

    def __init__(self, decide):
        service = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.asked.append(question)
                status, answer = decide(question)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/auth"

    def end(self):
        self.server.shutdown()
        self.server.server_close()


def by_password(rules=None):
    def decide(question):
        good = question.get("password") == "yes"
        answer = {"result": "allow" if good else "deny"}
        if good and rules:
            answer["rules"] = rules
        return 200, answer
    return decide



@claim(cores=(1, 2))
def the_service_decides_who_comes_in(t):
    service = t.keep(Service(by_password()))
    broker = serve(t, f"hook.url={service.url}", cores=2)
    Client(t, "good", broker=broker, login=("ann", "yes")).open()
    same("a wrong password", Client(t, "bad", broker=broker, login=("ann", "no")).try_open(),
         DENIED)
    first = service.asked[0]
    same("what it was asked", (first["action"], first["user"], first["address"]),
         ("login", "ann", "127.0.0.1"))


@claim(cores=(1,))
def an_answer_is_used_again_for_a_while(t):
    service = t.keep(Service(by_password()))
    broker = serve(t, f"hook.url={service.url}")
    for _ in range(5):
        Client(t, "same", broker=broker, login=("ann", "yes")).open().close()
    same("questions", len(service.asked), 1)


@claim(cores=(1, 2))
def rules_in_the_answer_are_all_that_the_client_may(t):
    rules = {"pub": [t.topic("up")], "sub": [t.topic("down")]}
    service = t.keep(Service(by_password(rules)))
    broker = serve(t, f"hook.url={service.url}", cores=2)
    client = Client(t, "bound", broker=broker, login=("ann", "yes")).open()
    same("may not read", client.subscribe(t.topic("up"), 1), 0x87)
    same("may read", client.subscribe(t.topic("down"), 1), 1)


@claim(cores=(1,), answer=((500, {}), (200, {"result": "perhaps"}), (302, {"result": "allow"})))
def a_service_that_fails_lets_nobody_in(t, answer):
    service = t.keep(Service(lambda _: answer))
    broker = serve(t, f"hook.url={service.url}")
    same("the client hears", Client(t, "c", broker=broker, login=("ann", "yes")).try_open(),
         UNAVAILABLE)
    eventually("the log says why", lambda: "bad_answer" in broker.text())


@claim(cores=(1,))
def a_service_that_is_not_there_gives_the_configured_answer(t):
    for answer, wanted in (("deny", UNAVAILABLE), ("allow", 0)):
        broker = serve(t, "hook.url=http://127.0.0.1:1/", f"hook.on_failure={answer}")
        client = Client(t, answer, broker=broker, login=("ann", "yes"))
        same(answer, client.try_open(), wanted)


# ---- topic by topic ---------------------------------------------------------------------------

def by_topic(good):
    def decide(question):
        topic = question.get("topic")
        return 200, {"result": "allow" if topic is None or topic in good else "deny"}
    return decide


@claim(cores=(1, 2))
def the_service_is_asked_before_a_client_publishes_or_subscribes(t):
    good = {t.topic("a"), t.topic("b/#")}
    service = t.keep(Service(by_topic(good)))
    broker = serve(t, f"hook.url={service.url}", "hook.access=true", cores=2)
    client = Client(t, "c", broker=broker, login=("ann", "x")).open()
    same("one filter", client.subscribe(t.topic("b/#"), 1), 1)
    same("another", client.subscribe(t.topic("c"), 1), 0x87)
    same("a shared one", client.subscribe("$share/g/" + t.topic("a"), 1), 1)
    same("a wider one", client.subscribe(t.topic("#"), 1), 0x87)
    raw = RawClient(broker.port, 5)
    raw.send(packet(1, 0, string("MQTT") + bytes([5, 0xC2]) + u16(0) + b"\0" + string(t.name("r"))
                    + string("bob") + string("x")))
    same("CONNACK", raw.receive().body[1], 0)
    raw.send(publish(5, t.topic("a"), b"1", 1, 1) + publish(5, t.topic("c"), b"2", 1, 2)
             + publish(5, t.topic("a"), b"3", 1, 3) + publish(5, t.topic("a"), b"4", 0)
             + publish(5, t.topic("c"), b"5", 2, 4))
    answers = [raw.receive() for _ in range(4)]
    same("answers", [(p.type, p.body[1], p.body[2] if len(p.body) > 2 else 0) for p in answers],
         [(PUBACK, 1, 0), (PUBACK, 2, 0x87), (PUBACK, 3, 0), (PUBREC, 4, 0x87)])
    same("delivered", [m.payload for m in client.exactly(3)], [b"1", b"3", b"4"])
    topics = [q["topic"] for q in service.asked if q["action"] == "publish"]
    same("each asked once", sorted(topics), sorted([t.topic("a"), t.topic("c")]))


@claim(cores=(1,))
def a_will_is_sent_only_if_the_service_allows_its_topic(t):
    good = {t.topic("ok"), t.topic("#")}
    service = t.keep(Service(by_topic(good)))
    broker = serve(t, f"hook.url={service.url}", "hook.access=true")
    sub = Client(t, "sub", broker=broker, login=("ann", "x")).open()
    same("subscribed", sub.subscribe(t.topic("#"), 1), 1)
    clients = []
    for name in ("ok", "no"):
        clients.append(Client(t, name, broker=broker, login=(name, "x"),
                              will=(t.topic(name), b"will", 1)).open())
        eventually(f"{name} asked", lambda: any(q.get("topic") == t.topic(name)
                                                for q in service.asked))
        time.sleep(0.2)
    for client in clients:
        client.cut()
    same("heard", [m.topic for m in sub.exactly(1)], [t.topic("ok")])


@claim(cores=(1,))
def a_service_that_fails_at_a_subscription_is_asked_once_and_denies(t):
    asked = []

    def decide(question):
        asked.append(question)
        return (200, {"result": "allow"}) if question["action"] == "login" else (500, {})
    service = t.keep(Service(decide))
    broker = serve(t, f"hook.url={service.url}", "hook.access=true")
    raw = RawClient(broker.port, 5)
    raw.send(packet(1, 0, string("MQTT") + bytes([5, 0xC2]) + u16(0) + b"\0" + string(t.name("r"))
                    + string("bob") + string("x")))
    same("CONNACK", raw.receive().body[1], 0)
    answer = raw.ask(subscribe(5, 9, [(t.topic(str(i)), 1) for i in range(20)]))
    same("SUBACK", (answer.type, set(answer.body[3:])), (SUBACK, {0x87}))
    same("asked about topics", len([q for q in asked if q["action"] == "subscribe"]), 1)
