# SPDX-License-Identifier: BSD-3-Clause
"""The JSON API, with Python's HTTP client; every answer is held against docs/openapi.json."""

import json
import subprocess
import threading
from urllib.parse import quote, urlencode

from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.schema import Document
from test_admin import TOKEN, Admin

DOCUMENT = Document()
JSON = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Api(Admin):
    """Asks by the patterns of the document, and checks what comes against it."""

    def call(self, pattern, method="GET", body=None, wanted=200, query=None, **names):
        path = pattern
        for name, value in names.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
        c = self.connect()
        c.request(method, path + (f"?{urlencode(query)}" if query else ""),
                  json.dumps(body) if body is not None else None, JSON)
        answer = c.getresponse()
        text = answer.read().decode()
        c.close()
        same(f"{method} {path}: {text}", answer.status, wanted)
        DOCUMENT.check_answer(pattern, method, answer.status,
                              answer.headers.get("Content-Type", ""), text)
        return json.loads(text) if text else None

    def all_of(self, name, limit=100, **query):
        """The entries of all pages."""
        got, cursor = [], None
        while True:
            page = self.call(f"/api/v1/{name}",
                             query={**query, "limit": limit, **({"cursor": cursor} if cursor else {})})
            holds("no more than the limit", len(page[name]) <= limit)
            got += page[name]
            cursor = page["next"]
            if cursor is None:
                return got


@claim(cores=(0,), own=(1, 4))
def client_is_shown_as_it_is(t, own):
    api = Api(t, cores=own)
    c = Client(t, "ä /\"?", V5, broker=api.broker, expiry=77, keep_alive=33,
               will=("w", b"x")).open()
    c.subscribe("a/#", 1, subscription_id=5)
    c.subscribe("$share/g/b")
    shown = api.call("/api/v1/clients/{id}", id=c.id)
    same("identifier", shown["id"], c.id)
    same("expiry", shown["session_expiry_seconds"], 77)
    same("keep alive", shown["keep_alive_seconds"], 33)
    same("protocol", (shown["protocol"], shown["transport"]), ("MQTT 5.0", "tcp"))
    holds("will", shown["has_will"] and shown["connected"])
    same("filters", sorted(f["filter"] for f in shown["filters"]), ["$share/g/b", "a/#"])
    same("subscription id", [f["id"] for f in shown["filters"] if "id" in f], [5])
    same("listed", [x["id"] for x in api.all_of("clients")], [c.id])
    same("subscriptions", len(api.all_of("subscriptions", client=c.id)), 2)
    c.cut()
    eventually("gone", lambda: not api.call("/api/v1/clients/{id}", id=c.id)["connected"])
    api.call("/api/v1/clients/{id}", id="nobody", wanted=404)


@claim(cores=(0,), version=(V311, V5))
def client_is_sent_away(t, version):
    api = Api(t)
    c = Client(t, "away", version, broker=api.broker, clean=False, expiry=100).open()
    api.call("/api/v1/clients/{id}", "DELETE", id=c.id, wanted=204)
    reason = c.wait_lost()
    if version == V5:
        same("reason", reason, 0x98)
    holds("its session stays", not api.call("/api/v1/clients/{id}", id=c.id)["connected"])
    api.call("/api/v1/clients/{id}", "DELETE", id=c.id, query={"session": "true"}, wanted=204)
    api.call("/api/v1/clients/{id}", "DELETE", id=c.id, wanted=404)


@claim(cores=(0,), own=(1, 4))
def pages_hold_all_that_stays_once_while_others_come_and_go(t, own):
    api = Api(t, cores=own)
    writer = Client(t, "w", V5, broker=api.broker).open()
    stay = {f"stay/{i}" for i in range(500)}
    for topic in sorted(stay):
        writer.publish(topic, b"x", retain=True)
    writer.publish("end", b"x", qos=1)
    over = threading.Event()

    def disturb():
        i = 0
        while not over.is_set():
            for topic in (f"go/{i + k}" for k in range(200)):
                writer.publish(topic, b"x" if i % 400 == 0 else b"", retain=True)
            writer.publish("end", b"x", qos=1)
            i += 200

    noise = threading.Thread(target=disturb)
    noise.start()
    try:
        for limit in (7, 100, 1000):
            got = [r["topic"] for r in api.all_of("retained", limit)]
            ours = [topic for topic in got if topic in stay]
            same("each once", sorted(ours), sorted(stay))
            same("none twice", len(set(got)), len(got))
        same("by filter", len(api.all_of("retained", filter="stay/+")), 500)
    finally:
        over.set()
        noise.join()


@claim(cores=(0,), own=(1, 4))
def message_is_published_retained_and_cleared(t, own):
    api = Api(t, cores=own)
    c = Client(t, "sub", V5, broker=api.broker).open()
    c.subscribe("a/#", 1)
    api.call("/api/v1/publish", "POST",
             {"topic": "a/b", "payload": "hä", "qos": 1, "retain": True,
              "properties": {"content_type": "text/plain", "user": [["n", "v"]]}}, 204)
    got = c.wait_heard(1)[0]
    same("payload", (got.payload, got.qos), ("hä".encode(), 1))
    same("properties", (got.property("ContentType"), got.property("UserProperty")),
         ("text/plain", [("n", "v")]))
    api.call("/api/v1/publish", "POST", {"topic": "a/c", "payload_base64": "/wAB",
                                         "retain": True}, 204)
    same("bytes", c.wait_heard(2)[1].payload, b"\xff\0\1")
    same("text", api.call("/api/v1/retained/{topic}", topic="a/b")["payload"], "hä")
    same("base64", api.call("/api/v1/retained/{topic}", topic="a/c")["payload_base64"], "/wAB")
    same("topics", {x["topic"]: (x["retained"], x["subscribed"]) for x in
                    api.all_of("topics", filter="a/#")}, {"a/b": (True, True), "a/c": (True, True)})
    api.call("/api/v1/retained/{topic}", "DELETE", topic="a/b", wanted=204)
    api.call("/api/v1/retained/{topic}", "DELETE", topic="a/b", wanted=404)
    same("cleared", api.call("/api/v1/retained", "DELETE", query={"filter": "a/#"})["cleared"],
         ["a/c"])
    same("subscribers hear of it", c.wait_heard(4)[3].payload, b"")


@claim(cores=(0,))
def broker_describes_itself(t):
    api = Api(t, cores=4)
    same("cores", [c["up"] for c in api.call("/api/v1/cores")["cores"]], [True] * 4)
    same("listeners", {x["protocol"] for x in api.call("/api/v1/listeners")["listeners"]},
         {"mqtt", "http"})
    same("version", api.call("/api/v1/version")["cores"], 4)


@claim(cores=(0,))
def wrong_questions_are_answered_as_described(t):
    api = Api(t)
    for field, query in (("limit", {"limit": "x"}), ("cursor", {"cursor": "1"}),
                         ("connected", {"connected": "1"})):
        same("field", api.call("/api/v1/clients", query=query, wanted=400)["field"], field)
    api.call("/api/v1/publish", "POST", {"topic": "a/+"}, 400)
    api.call("/api/v1/publish", "POST", {"topic": "$SYS/x"}, 400)
    api.call("/api/v1/publish", "POST", wanted=400)
    api.call("/api/v1/retained", "DELETE", wanted=400)
    status, headers, text = api.ask("/api/v1/clients", token="wrong-token-0123456789")
    DOCUMENT.check_answer("/api/v1/clients", "GET", status, headers["Content-Type"], text)


@claim(cores=(0,))
def packets_of_one_client_are_logged_for_a_time(t):
    api = Api(t)
    c, other = (Client(t, name, V5, broker=api.broker).open() for name in ("traced", "other"))
    c.publish("before", b"x", qos=1)
    api.call("/api/v1/clients/{id}/trace", "POST", {"seconds": 60}, 204, id=c.id)
    holds("on", api.call("/api/v1/clients/{id}", id=c.id)["trace_seconds"] > 0)
    c.subscribe("a/#", 1)
    c.publish("a/\x1f", b"xyz", qos=1)
    other.publish("b", b"x", qos=1)
    c.wait_heard(1)
    ctl(t, api, "trace", c.id, "0")
    c.publish("after", b"x", qos=1)
    lines = [x for x in api.broker.text().splitlines() if " trace_" in x]
    holds(f"only this one's: {lines}", all(f"client={c.id} " in x for x in lines))
    for way, what in (("trace_in", "packet=SUBSCRIBE"), ("trace_in", "payload_bytes=3"),
                      ("trace_out", "packet=PUBACK"), ("trace_out", "payload_bytes=3")):
        holds(f"{way} {what}: {lines}", any(way in x and what in x for x in lines))
    holds("in time", not any("before" in x or "after" in x for x in lines))
    api.call("/api/v1/clients/{id}/trace", "POST", {"seconds": 3601}, 400, id=c.id)
    api.call("/api/v1/clients/{id}/trace", "POST", {"seconds": 1}, 404, id="nobody")


# ---- pinion ctl ---------------------------------------------------------------------------------


def ctl(t, api, *args, status=0):
    done = subprocess.run([t.pinion, "ctl", "--url", f"http://127.0.0.1:{api.port}",
                           "--token-file", api.file, *args], capture_output=True, text=True,
                          timeout=30, check=False)
    same(f"{args}: {done.stderr}", done.returncode, status)
    return done.stdout if status == 0 else done.stderr


@claim(cores=(0,))
def ctl_shows_and_does_what_the_api_can(t):
    api = Api(t)
    c = Client(t, "x\x1b[31m", V311, broker=api.broker).open()
    c.subscribe("a/#")
    listed = ctl(t, api, "clients")
    holds(f"escaped for the terminal: {listed}", "x\\x1b[31m" in listed and "\x1b" not in listed)
    same("as JSON", json.loads(ctl(t, api, "clients", "--json"))["id"], c.id)
    holds("its filters", "a/#" in ctl(t, api, "client", c.id))
    ctl(t, api, "publish", "a/b", "hello", "-r")
    same("heard", c.wait_heard(1)[0].payload, b"hello")
    same("payload", ctl(t, api, "payload", "a/b"), "hello")
    holds("topics", "a/b" in ctl(t, api, "topics"))
    holds("retained", "a/b" in ctl(t, api, "retained", "a/+"))
    holds("cleared", "a/b" in ctl(t, api, "delete-retained", "a/+"))
    holds("subscriptions", "a/#" in ctl(t, api, "subscriptions"))
    holds("healthy", "OK" in ctl(t, api, "health"))
    holds("metrics", "pinion_build_info" in ctl(t, api, "metrics"))
    for action in ("cores", "listeners", "version"):
        holds(action, ctl(t, api, action))
    ctl(t, api, "disconnect", c.id)
    c.wait_lost()


@claim(cores=(0,))
def ctl_says_what_is_wrong(t):
    api = Api(t)
    holds("no such client", "no such session" in ctl(t, api, "client", "nobody", status=1))
    holds("no such action", "disconnect" in ctl(t, api, "disconect", "x", status=2))
    holds("no operand", "FILTER" in ctl(t, api, "delete-retained", status=2))
    api.write("another-token-0123456789")
    holds("the token", "--token-file" in ctl(t, api, "clients", status=1))
    api.broker.end()
    holds("nobody there", "admin.address" in ctl(t, api, "clients", status=1))
