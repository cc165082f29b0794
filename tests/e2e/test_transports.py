# SPDX-License-Identifier: BSD-3-Clause
"""TLS and WebSocket, alone and in one another, with clients that others wrote."""

import json
import os
import signal
import ssl
import subprocess

from lib import mosquitto
from lib.broker import Broker, free_port
from lib.claims import Failed, claim, eventually, holds, same
from lib.client import V5, V311, Client

SECURE = ("tls", "wss")


def openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=20,
                          check=False)
    if done.returncode != 0:
        raise Failed(f"openssl {args[0]}: {done.stderr}")


class Authority:
    """A throw-away certificate authority in a folder of its own."""

    def __init__(self, t):
        self.folder = os.path.join(t.folder, t.name("ca"))
        os.mkdir(self.folder)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.file("ca.key"), "-out", self.file("ca.pem"), "-subj", "/CN=e2e",
                "-days", "2")
        self.ca = self.file("ca.pem")

    def file(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, subject):
        """Writes NAME.pem and NAME.key."""
        request, alt = self.file(f"{name}.csr"), self.file(f"{name}.ext")
        with open(alt, "w", encoding="ascii") as out:
            out.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.file(f"{name}.key"), "-out", request, "-subj", f"/CN={subject}")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.file("ca.key"),
                "-CAcreateserial", "-extfile", alt, "-days", "2", "-out", self.file(f"{name}.pem"))
        return self.file(f"{name}.pem"), self.file(f"{name}.key")


def start(t, authority, transport, cores=2, more=""):
    """A Pinion with one listener of that transport."""
    port = free_port()
    text = f"cores: {cores}\nlisteners:\n  - address: 127.0.0.1:{port}\n    transport: {transport}\n"
    if transport in SECURE:
        certificate, key = authority.issue("server", "localhost")
        text += f"    tls:\n      certificate: {certificate}\n      key: {key}\n{more}"
    config = authority.file("pinion.yaml")
    with open(config, "w", encoding="ascii") as out:
        out.write(text)
    log = authority.file("pinion.log")
    return t.keep(Broker([t.pinion, "serve", "--config", config], port, log))


def client(t, name, authority, broker, transport, version=V311):
    """A Paho client that has connected that way."""
    web = transport in ("ws", "wss")
    c = Client(t, name, version, broker=broker, transport="websockets" if web else "tcp")
    if transport in SECURE:
        c.paho.tls_set(authority.ca)
    return c.open()


@claim(cores=(0,), transport=("tls", "ws", "wss"), version=(V311, V5), qos=(0, 1, 2))
def messages_arrive_whole_and_in_order(t, transport, version, qos):
    authority = Authority(t)
    broker = start(t, authority, transport, cores=4)
    sub = client(t, "sub", authority, broker, transport, version)
    sub.subscribe(t.topic("a"), qos)
    pub = client(t, "pub", authority, broker, transport, version)
    sizes = [0, 1, 100, 1000, 20000, 70000, 300000]
    for i, size in enumerate(sizes):
        pub.publish(t.topic("a"), bytes([i]) * size, qos)
    sub.wait_heard(len(sizes))
    same("sizes", [len(m.payload) for m in sub.exactly(len(sizes))], sizes)
    holds("every byte", all(set(m.payload) <= {i} for i, m in enumerate(sub.heard)))
    pub.close()
    sub.close()


@claim(cores=(0,), transport=("tls", "ws", "wss"), mode=("pairs", "connrate"))
def our_load_generator_gets_through_and_loses_nothing(t, transport, mode):
    authority = Authority(t)
    broker = start(t, authority, transport)
    done = mosquitto.run([t.pinion, "bench", "-p", str(broker.port), "-t", transport, "-m", mode,
                          "-q", "1", "-n", "20", "-d", "300ms", "-W", "100ms", "--json"],
                         seconds=20)
    same(f"exit status ({done.stderr})", done.returncode, 0)
    report = json.loads(done.stdout)
    same("failed, lost", (report["failed"], report.get("lost", 0)), (0, 0))
    holds("much", report["received" if mode == "pairs" else "connections"] > 10)


@claim(cores=(0,), version=("mqttv311", "mqttv5"))
def mosquittos_clients_come_in_over_tls(t, version):
    authority = Authority(t)
    broker = start(t, authority, "tls")
    over = ["--cafile", authority.ca]
    sub = mosquitto.Subscriber(t, t.topic("a"), qos=1, version=version, broker=broker, args=over)
    mosquitto.publish(t, t.topic("a"), [f"line {i}" for i in range(500)], 1, version, over, broker)
    sub.wait_heard(500)
    same("payloads", [m["payload"] for m in sub.heard], [f"line {i}" for i in range(500)])


@claim(cores=(0,))
def only_clients_with_a_certificate_come_in_where_it_is_required(t):
    authority = Authority(t)
    certificate, key = authority.issue("client", "a client")
    broker = start(t, authority, "tls", more=f"      ca: {authority.ca}\n"
                                             "      client_certificate: required\n")
    refused = mosquitto.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "a",
                             "-m", "b", "-q", "1", "--cafile", authority.ca])
    holds("a client without a certificate is refused", refused.returncode != 0)
    mosquitto.publish(t, "a", ["b"], 1, "mqttv311",
                      ["--cafile", authority.ca, "--cert", certificate, "--key", key], broker)


@claim(cores=(0,))
def certificates_are_read_again_on_hup_and_nobody_is_dropped(t):
    authority = Authority(t)
    broker = start(t, authority, "tls")
    sub = client(t, "sub", authority, broker, "tls")
    sub.subscribe(t.topic("a"), 1)
    before = ssl.get_server_certificate(("127.0.0.1", broker.port))
    authority.issue("server", "the next one")
    broker.process.send_signal(signal.SIGHUP)
    eventually("the new certificate",
               lambda: ssl.get_server_certificate(("127.0.0.1", broker.port)) != before)
    with open(authority.file("server.pem"), "w", encoding="ascii") as out:
        out.write("not a certificate")
    broker.process.send_signal(signal.SIGHUP)
    eventually("a line in the log", lambda: "reload_refused" in broker.text())
    client(t, "pub", authority, broker, "tls").publish(t.topic("a"), b"still here", 1)
    sub.wait_heard(1)
