# SPDX-License-Identifier: BSD-3-Clause
"""The admin interface, with Python's HTTP client and with sockets that speak by hand."""

import http.client
import os
import re
import signal
import socket
import ssl
import stat
import time

from lib.broker import Broker, free_port, serve
from lib.claims import Failed, between, claim, eventually, holds, same
from lib.client import V5, Client
from test_transports import Authority

TOKEN = "e2e-0123456789abcdef0123456789abcdef"


class Admin:
    """A broker with an admin interface, and requests to it."""

    def __init__(self, t, *settings, cores=2, token=TOKEN):
        self.port = free_port()
        self.file = os.path.join(t.folder, t.name("token"))
        if token:
            self.write(token)
        self.broker = serve(t, f"admin.address=127.0.0.1:{self.port}",
                            f"admin.token_file={self.file}", *settings, cores=cores)

    def write(self, *tokens):
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as out:
            out.write("".join(token + "\n" for token in tokens))

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def ask(self, path, method="GET", token=TOKEN, connection=None, **more):
        """(status, headers, text)"""
        c = connection or self.connect()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        c.request(method, path, headers=headers, **more)
        answer = c.getresponse()
        text = answer.read().decode()
        if not connection:
            c.close()
        return answer.status, answer.headers, text

    def metrics(self):
        """name -> sum over all labels"""
        status, _, text = self.ask("/metrics")
        same("status of /metrics", status, 200)
        sums = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = re.fullmatch(r"([a-z_0-9]+)(?:\{[^}]*\})? (\S+)", line).groups()
                sums[name] = sums.get(name, 0) + float(value)
        return sums

    def raw(self, data, seconds=5):
        """What comes back until the broker closes, or says nothing for a while."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as s:
            s.sendall(data)
            got = b""
            while piece := s.recv(65536):
                got += piece
            return got


@claim(cores=(0,), own=(1, 4))
def metrics_follow_what_clients_do(t, own):
    admin = Admin(t, cores=own)
    before = admin.metrics()
    c = Client(t, "counted", V5, broker=admin.broker).open()
    c.subscribe("a/#")
    for _ in range(10):
        c.publish("a/b", b"x", qos=1)
    eventually("ten messages", lambda: admin.metrics()["pinion_messages_sent_total"] >=
               before["pinion_messages_sent_total"] + 10)
    after = admin.metrics()
    same("sessions", after["pinion_sessions"], 1)
    same("subscriptions", after["pinion_subscriptions"], 1)
    same("received", after["pinion_messages_received_total"], 10)
    holds("open files are known", after["pinion_open_files"] > 5)
    holds("memory is known", after["pinion_resident_memory_bytes"] > 1 << 20)


@claim(cores=(0,))
def a_token_is_made_for_its_owner_alone(t):
    admin = Admin(t, token=None)
    same("mode", stat.S_IMODE(os.stat(admin.file).st_mode), 0o600)
    eventually("the banner says where", lambda: admin.file in admin.broker.text())
    with open(admin.file, encoding="ascii") as f:
        token = f.read().strip()
    same("without it", admin.ask("/metrics", token=None)[0], 401)
    same("with it", admin.ask("/metrics", token=token)[0], 200)
    holds("the log does not tell it", token not in admin.broker.text())


@claim(cores=(0,))
def health_and_readiness_need_no_token(t):
    admin = Admin(t)
    same("/healthz", admin.ask("/healthz", token=None)[0], 200)
    same("/readyz", admin.ask("/readyz", token=None)[0], 200)


@claim(cores=(0,))
def readiness_ends_before_the_broker_does(t):
    admin = Admin(t, "shutdown.drain=3s")
    connected = Client(t, "stays", V5, broker=admin.broker).open()
    same("before", admin.ask("/readyz", token=None)[0], 200)
    admin.broker.process.send_signal(signal.SIGTERM)
    eventually("it is not ready", lambda: admin.ask("/readyz", token=None)[0] == 503, 2)
    same("but alive", admin.ask("/healthz", token=None)[0], 200)
    same("exit status", admin.broker.wait(15), 0)
    del connected


@claim(cores=(0,))
def tokens_are_read_again_on_hup(t):
    admin = Admin(t)
    fresh = "another-0123456789abcdef"
    admin.write(fresh)
    admin.broker.process.send_signal(signal.SIGHUP)
    eventually("the new token opens", lambda: admin.ask("/", token=fresh)[0] == 200)
    same("the old one", admin.ask("/")[0], 401)
    os.chmod(admin.file, 0o644)
    admin.broker.process.send_signal(signal.SIGHUP)
    eventually("the log says why", lambda: "chmod 600" in admin.broker.text())
    same("the new one still", admin.ask("/", token=fresh)[0], 200)


@claim(cores=(0,))
def wrong_tokens_wait_and_right_ones_do_not(t):
    admin = Admin(t, cores=1)
    for _ in range(3):
        same("wrong", admin.ask("/", token="x" * 32)[0], 401)
    began = time.monotonic()
    same("wrong once more", admin.ask("/", token="x" * 32)[0], 401)
    between("seconds", time.monotonic() - began, 0.9, 5)
    began = time.monotonic()
    same("right", admin.ask("/")[0], 200)
    between("seconds", time.monotonic() - began, 0, 0.9)
    holds("it is logged", "admin_denied" in admin.broker.text())


@claim(cores=(0,))
def a_connection_serves_many_requests(t):
    admin = Admin(t)
    c = admin.connect()
    for _ in range(50):
        same("status", admin.ask("/metrics", connection=c)[0], 200)
        same("status", admin.ask("/nothing", connection=c)[0], 404)
    c.close()


@claim(cores=(0,))
def pipelined_requests_are_answered_in_order(t):
    admin = Admin(t)
    head = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    text = "".join(f"GET {p} HTTP/1.1\r\n{head}\r\n" for p in ("/metrics", "/no", "/healthz") * 50)
    text += f"GET / HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
    got = re.findall(rb"^HTTP/1\.1 (\d{3})", admin.raw(text.encode()), re.MULTILINE)
    same("answers", got, [b"200", b"404", b"200"] * 50 + [b"200"])


@claim(cores=(0,), path=("/metrics", "/nothing"))
def who_takes_no_answers_is_not_read(t, path):
    admin = Admin(t, cores=1)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    before, taken = admin.broker.resident(), 0
    c = socket.create_connection(("127.0.0.1", admin.port), 3)
    try:
        while taken < 50_000_000:
            taken += c.send(request * 100)
    except TimeoutError:
        pass
    grown = admin.broker.resident() - before
    holds(f"it was not read for ever: {taken}", taken < 50_000_000)
    holds(f"the broker holds {grown >> 10} KiB", grown < 4 << 20)
    same("another is served", admin.ask("/metrics")[0], 200)
    c.close()


@claim(cores=(0,))
def smuggled_requests_are_not_served(t):
    admin = Admin(t)
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for fields in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                   b"Content-Length: 0\r\nContent-Length: 36\r\n",
                   b"Transfer-Encoding : chunked\r\n",
                   b"Transfer-Encoding: \x0bchunked\r\n"):
        got = admin.raw(b"POST / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n0\r\n\r\n" + hidden)
        same(f"answers to {fields}", re.findall(rb"HTTP/1\.1 (\d{3})", got), [b"400"])


@claim(cores=(0,))
def slow_clients_hold_up_nobody(t):
    admin = Admin(t, cores=1)
    slow = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(200)]
    for s in slow:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHos")
    began = time.monotonic()
    same("status", admin.ask("/metrics")[0], 200)
    between("seconds", time.monotonic() - began, 0, 2)
    for s in slow:
        s.settimeout(15)
        holds("it is told", s.recv(100).startswith(b"HTTP/1.1 408 "))
        s.close()
    eventually("they are gone", lambda: admin.metrics()["pinion_connections"] <= 2)


@claim(cores=(0,))
def it_goes_over_tls(t):
    authority = Authority(t)
    certificate, key = authority.issue("server", "localhost")
    port, admin_port, token_file = free_port(), free_port(), authority.file("token")
    config = authority.file("pinion.yaml")
    with open(config, "w", encoding="ascii") as out:
        out.write(f"""cores: 2
listeners:
  - address: 127.0.0.1:{port}
  - address: 127.0.0.1:{admin_port}
    protocol: admin
    transport: tls
    tls: {{certificate: {certificate}, key: {key}}}
admin: {{token_file: {token_file}}}
""")
    t.keep(Broker([t.pinion, "serve", "--config", config], port, authority.file("log")))
    with open(token_file, encoding="ascii") as f:
        token = f.read().strip()
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_alpn_protocols(["http/1.1"])
    c = http.client.HTTPSConnection("127.0.0.1", admin_port, timeout=10, context=context)
    for _ in range(3):
        c.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        answer = c.getresponse()
        text = answer.read().decode()
        same("status", answer.status, 200)
    same("protocol", c.sock.selected_alpn_protocol(), "http/1.1")
    found = re.search(r"^pinion_certificate_end_seconds\{listener=\"127.0.0.1:\d+\"\} (\d+)$", text,
                      re.MULTILINE)
    holds("when the certificate ends", found)
    between("days until then", (int(found[1]) - time.time()) / 86400, 1, 3)


def refused(t, *settings):
    """What `pinion serve` says when it does not start."""
    log = os.path.join(t.folder, t.name("refused"))
    argv = [t.pinion, "serve", "-p", str(free_port())]
    for setting in settings:
        argv += ["--set", setting]
    try:
        t.keep(Broker(argv, 1, log, {"XDG_RUNTIME_DIR": "", "RUNTIME_DIRECTORY": ""}))
    except Failed as failed:
        return str(failed)
    raise Failed("it started")


@claim(cores=(0,))
def settings_that_would_expose_it_are_refused(t):
    port = free_port()
    token = f"admin.token_file={os.path.join(t.folder, t.name('token'))}"
    said = refused(t, f"admin.address=0.0.0.0:{port}", token)
    holds(f"which setting to change: {said}", "admin.plaintext=true" in said)
    said = refused(t, f"admin.address=127.0.0.1:{port}")
    holds(f"where the token is to be: {said}", "admin.token_file" in said)
