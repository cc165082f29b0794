# SPDX-License-Identifier: BSD-3-Clause
"""TLS and WebSocket, alone and in one another, with clients that others wrote."""

import json
import asyncio
import os
import signal
import socket
import ssl
import stat
import subprocess

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from lib import mosquitto
from lib.broker import Broker, free_port
from lib.claims import Failed, claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.proxy import Proxy, header_v1, header_v2

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

    def issue(self, name, subject, days=2):
        """Writes NAME.pem and NAME.key."""
        request, alt = self.file(f"{name}.csr"), self.file(f"{name}.ext")
        with open(alt, "w", encoding="ascii") as out:
            out.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.file(f"{name}.key"), "-out", request, "-subj", f"/CN={subject}")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.file("ca.key"),
                "-CAcreateserial", "-extfile", alt, "-days", str(days), "-out", self.file(f"{name}.pem"))
        return self.file(f"{name}.pem"), self.file(f"{name}.key")


def start(t, authority, transport, cores=2, more="", keys=""):
    """A Pinion with one listener of that transport; `more` is of its tls, `keys` its own."""
    port = free_port()
    text = f"cores: {cores}\nlisteners:\n  - address: 127.0.0.1:{port}\n    transport: {transport}\n"
    text += keys
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


PROXIED = "    proxy_protocol: required\n    anonymous: yes\n"
HEADERS = {"v1": header_v1, "v2": header_v2}
SOURCES = {"192.0.2.7:4711": ("192.0.2.7", 4711), "[2001:db8::7]:4711": ("2001:db8::7", 4711)}


@claim(cores=(0,), transport=("tcp", "tls", "ws", "wss"), header=("v1", "v2"))
def behind_a_proxy_clients_are_known_by_their_own_address(t, transport, header):
    authority = Authority(t)
    broker = start(t, authority, transport, keys=PROXIED)
    for text, source in SOURCES.items():
        target = (broker.host, broker.port)
        ours = ("::1" if ":" in source[0] else broker.host, broker.port)
        proxy = t.keep(Proxy(target, HEADERS[header](source, ours)))
        sub = client(t, f"sub{text}", authority, proxy, transport)
        sub.subscribe(t.topic("a"), 1)
        sub.publish(t.topic("a"), text.encode(), 1)
        sub.wait_heard(1)
        sub.close()
        eventually(f"{text} in the log", lambda text=text: text in broker.text())


def refused(broker, data, host="127.0.0.1"):
    """Does the broker close after these bytes without an answer?"""
    with socket.create_connection((host, broker.port), 5) as s:
        s.settimeout(10)
        try:
            s.sendall(data)
            return s.recv(1) == b""
        except ConnectionError:
            return True


@claim(cores=(0,))
def handshakes_under_way_are_limited_and_those_that_are_over_dont_count(t):
    authority = Authority(t)
    broker = start(t, authority, "tls", cores="1\nlimits: {handshakes: 3}")
    silent = [socket.create_connection((broker.host, broker.port), 5) for _ in range(3)]
    holds("one more is refused", refused(broker, b"\x16\3\1"))
    eventually("the setting is in the log", lambda: "limits.handshakes" in broker.text())
    silent.pop().close()
    first = eventually("there is room again", lambda: attempt(t, authority, broker))
    second = attempt(t, authority, broker)
    holds("who is in takes no room", second)
    for s in silent:
        s.close()
    first.close()
    second.close()


def attempt(t, authority, broker):
    """A client over TLS, or None."""
    try:
        return client(t, f"client{len(t.opened)}", authority, broker, "tls")
    except (Failed, OSError):
        return None


@claim(cores=(0,))
def nobody_comes_in_without_the_header_or_with_a_wrong_one(t):
    authority = Authority(t)
    broker = start(t, authority, "tcp", keys=PROXIED)
    hello = b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3abc"
    good = header_v2(("192.0.2.7", 1), ("127.0.0.1", 2))
    holds("without a header", refused(broker, hello))
    holds("with a wrong checksum", refused(broker, good[:-1] + bytes([good[-1] ^ 1]) + hello))
    holds("a silent one is not waited for", refused(broker, good[:20]))
    eventually("why in the log", lambda: "no PROXY header" in broker.text()
               and "the checksum is wrong" in broker.text())


@claim(cores=(0,))
def only_the_proxies_that_are_listed_may_speak_for_others(t):
    authority = Authority(t)
    broker = start(t, authority, "tcp", keys=PROXIED + "    proxy_from: [192.0.2.1]\n")
    hello = b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3abc"
    holds("refused", refused(broker, header_v1(("192.0.2.7", 1), ("127.0.0.1", 2)) + hello))
    eventually("the setting is named", lambda: "proxy_from" in broker.text())


@claim(cores=(0,))
def behind_a_proxy_nobody_is_taken_for_local(t):
    authority = Authority(t)
    broker = start(t, authority, "tcp", keys="    proxy_protocol: required\n")
    proxy = t.keep(Proxy((broker.host, broker.port),
                         header_v1(("127.0.0.1", 4711), ("127.0.0.1", broker.port))))
    done = mosquitto.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(proxy.port), "-t", "a",
                          "-m", "b", "-q", "1"])
    holds("an anonymous client is refused", done.returncode != 0)


def start_unix(t, folder, cores=4, more=""):
    """A Pinion with a Unix socket; (broker, path)."""
    path, port = os.path.join(folder, "mqtt.sock"), free_port()
    config = os.path.join(folder, "pinion.yaml")
    with open(config, "w", encoding="ascii") as out:
        out.write(f"cores: {cores}\nlisteners:\n  - address: unix:{path}\n{more}"
                  f"  - address: 127.0.0.1:{port}\n")
    log = os.path.join(folder, "pinion.log")
    return t.keep(Broker([t.pinion, "serve", "--config", config], port, log)), path


@claim(cores=(0,))
def clients_come_in_by_a_unix_socket(t):
    broker, path = start_unix(t, Authority(t).folder, more="    mode: '0600'\n")
    same("mode", stat.S_IMODE(os.stat(path).st_mode), 0o600)
    sub = t.keep(Client(t, "sub", V311, broker=broker).open())
    sub.subscribe(t.topic("#"), 1)
    for i in range(8):
        done = mosquitto.run(["mosquitto_pub", "--unix", path, "-t", t.topic(f"{i}"), "-m", "x",
                              "-q", "1"])
        same("mosquitto_pub", done.returncode, 0)
    subprocess.run([t.pinion, "pub", "-h", f"unix:{path}", "-q", "1", t.topic("p"), "x"],
                   check=True, timeout=20)
    sub.wait_heard(9)
    eventually("the user in the log", lambda: f"unix(uid={os.getuid()})" in broker.text())
    status, _ = broker.terminate()
    same("exit status", status, 0)
    holds("the socket is gone", not os.path.exists(path))


@claim(cores=(0,))
def a_unix_socket_is_taken_over_only_from_the_dead(t):
    folder = Authority(t).folder
    broker, path = start_unix(t, folder)
    other = subprocess.run([t.pinion, "serve", "--set", f"listeners=unix:{path}"],
                           capture_output=True, text=True, timeout=20, check=False)
    same("exit status of a second broker", other.returncode, 3)
    holds("it says why", "another program listens there" in other.stderr)
    broker.process.kill()
    broker.wait(5)
    holds("the socket was left", os.path.exists(path))
    start_unix(t, folder)
    subprocess.run([t.pinion, "pub", "-h", f"unix:{path}", "-q", "1", "a", "b"], check=True,
                   timeout=20)


@claim(cores=(0,))
def a_certificate_that_ends_soon_is_in_the_log(t):
    authority = Authority(t)
    broker = start(t, authority, "tls")
    eventually("a line", lambda: "certificate_ends" in broker.text())
    authority.issue("server", "localhost", days=90)
    broker.process.send_signal(signal.SIGHUP)
    eventually("the next one", lambda: "certificate_loaded" in broker.text())
    same("lines about the end", broker.text().count("certificate_ends"), 1)


CONNECT = b"\x10\x10\0\4MQTT\4\2\0\x3c\0\4zips"
SUBSCRIBE = b"\x82\6\0\1\0\1z\0"
DEFLATE = "    websocket: {deflate: true}\n"


def publish_packet(payload):
    """A PUBLISH to the topic z at QoS 0."""
    left, size = 3 + len(payload), b""
    while left >= 128:
        size, left = size + bytes([left % 128 | 128]), left // 128
    return b"\x30" + size + bytes([left]) + b"\0\1z" + payload


async def exchange(broker, packets, wanted, **how):
    """Sends packets, each in a message of its own, and reads until `wanted` bytes have come. Returns
    those, the extensions that were agreed on, and the code with which the broker closed."""
    address = f"ws://{broker.host}:{broker.port}/mqtt"
    heard = b""
    async with websockets.connect(address, subprotocols=["mqtt"], max_size=None, **how) as ws:
        try:
            for packet in packets:
                await ws.send(packet)
            while len(heard) < wanted:
                heard += await asyncio.wait_for(ws.recv(), 20)
        except websockets.exceptions.ConnectionClosed:
            pass
        return heard, [str(e) for e in ws.extensions], ws.close_code


@claim(cores=(0,), bits=(None, 9, 15))
def messages_are_compressed_both_ways_where_the_listener_allows_it(t, bits):
    offer = ClientPerMessageDeflateFactory(
        server_max_window_bits=bits, client_max_window_bits=bits or True)
    broker = start(t, Authority(t), "ws", cores=4, keys=DEFLATE)
    payloads = [bytes([i]) * size for i, size in enumerate((0, 1, 100, 20000, 300000))]
    payloads.append(os.urandom(70000))
    wanted = b"".join(publish_packet(p) for p in payloads)
    packets = [CONNECT, SUBSCRIBE, *[publish_packet(p) for p in payloads]]
    answers = 4 + 5  # CONNACK and SUBACK
    heard, agreed, _ = asyncio.run(exchange(broker, packets, answers + len(wanted),
                                            extensions=[offer], compression=None))
    same("extensions", len(agreed), 1)
    same("all that was published", heard[answers:], wanted)


@claim(cores=(0,))
def a_message_that_stands_for_too_much_is_closed_with_1009(t):
    broker = start(t, Authority(t), "ws", keys=DEFLATE)
    bomb = publish_packet(bytes(64 << 20))
    _, agreed, code = asyncio.run(exchange(broker, [CONNECT, bomb], 1 << 20, compression="deflate"))
    same("extensions", len(agreed), 1)
    same("close code", code, 1009)


@claim(cores=(0,))
def nothing_is_compressed_unless_the_listener_says_so(t):
    broker = start(t, Authority(t), "ws")
    heard, agreed, _ = asyncio.run(exchange(broker, [CONNECT], 4, compression="deflate"))
    same("extensions", agreed, [])
    same("CONNACK", heard, b"\x20\2\0\0")
