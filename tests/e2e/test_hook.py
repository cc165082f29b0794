# SPDX-License-Identifier: BSD-3-Clause
"""The web service that is asked who may come in: one of the tests' own."""

import http.server
import json
import threading

from lib.broker import serve
from lib.claims import claim, eventually, same
from lib.client import Client

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
