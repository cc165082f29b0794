# SPDX-License-Identifier: BSD-3-Clause
"""MQTT bytes by hand, for what no client library would send, and a socket to send them on.

Versions are protocol levels: 3, 4 (3.1.1) and 5. Encoders build what they are told to, right or
wrong; the reader of answers is strict.
"""

import socket
import time

from lib.claims import Failed

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE,
 UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH) = range(1, 16)
NAMES = ("RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
         "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT",
         "AUTH")
FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2} # of the others: 0
WAIT_S = 10


# ---- encoders -----------------------------------------------------------------------------

def u16(n):
    return n.to_bytes(2, "big")


def varint(n):
    """A variable byte integer, in as few bytes as it takes."""
    out = bytearray()
    while True:
        out.append(n & 127 | (128 if n > 127 else 0))
        n >>= 7
        if not n:
            return bytes(out)


def string(text):
    """Text or bytes with the length in front."""
    raw = text.encode() if isinstance(text, str) else text
    return u16(len(raw)) + raw


def packet(kind, flags, body):
    """A whole packet."""
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def props(version, raw=b""):
    """A property block, or nothing below 5.0."""
    return varint(len(raw)) + raw if version == 5 else b""


def connect(version, client_id, keep_alive=60, clean=True, will=None, raw=b""):
    """CONNECT; `will` is (topic, payload, qos), `raw` are encoded properties."""
    name = "MQIsdp" if version == 3 else "MQTT"
    flags = (2 if clean else 0) | (4 | will[2] << 3 if will else 0)
    body = string(name) + bytes([version, flags]) + u16(keep_alive) + props(version, raw)
    body += string(client_id)
    if will:
        body += props(version) + string(will[0]) + string(will[1])
    return packet(CONNECT, 0, body)


def publish(version, topic, payload=b"", qos=0, packet_id=0, retain=False, dup=False, raw=b""):
    flags = (8 if dup else 0) | qos << 1 | retain
    body = string(topic) + (u16(packet_id) if qos else b"") + props(version, raw) + payload
    return packet(PUBLISH, flags, body)


def subscribe(version, packet_id, filters, raw=b""):
    """SUBSCRIBE to pairs of filter and options."""
    body = u16(packet_id) + props(version, raw)
    return packet(SUBSCRIBE, 2, body + b"".join(string(f) + bytes([o]) for f, o in filters))


def unsubscribe(version, packet_id, filters, raw=b""):
    body = u16(packet_id) + props(version, raw)
    return packet(UNSUBSCRIBE, 2, body + b"".join(string(f) for f in filters))


# ---- answers ------------------------------------------------------------------------------

class Packet:
    """A packet as the broker sent it."""

    def __init__(self, first, body):
        self.type, self.flags, self.body = first >> 4, first & 15, body

    def __repr__(self):
        return f"{NAMES[self.type]} {self.body[:24].hex(' ')}"


def publish_id(p):
    """The packet id of a PUBLISH."""
    at = 2 + int.from_bytes(p.body[:2], "big")
    return int.from_bytes(p.body[at:at + 2], "big")


def split(data):
    """The first whole packet of data and the rest; None if it is incomplete."""
    length, shift = 0, 0
    for i, byte in enumerate(data[1:5]):
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            end = 2 + i + length
            return (Packet(data[0], data[2 + i:end]), data[end:]) if len(data) >= end else None
    if len(data) >= 5:
        raise Failed(f"the broker sent a length that is none: {data[:5].hex(' ')}")
    return None


class RawClient:
    """A socket with MQTT on it. Everything is bounded: what takes longer fails."""

    def __init__(self, port, version):
        self.version, self.unread, self.closed = version, b"", False
        self.sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connect(self, client_id, **more):
        """CONNECT; returns CONNACK, or fails."""
        answer = self.ask(connect(self.version, client_id, **more))
        if answer.type != CONNACK or answer.body[1] != 0:
            raise Failed(f"CONNECT was answered with {answer}")
        return answer

    def send(self, data):
        """Sends; a peer that has closed already is no error here, the answer tells more."""
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def ask(self, data):
        """Sends and returns the next packet."""
        self.send(data)
        return self.receive()

    def receive(self, seconds=WAIT_S):
        """The next packet; fails if none comes."""
        p = self.next(seconds)
        if p is None:
            raise Failed("closed" if self.closed else f"no packet within {seconds} s")
        return p

    def next(self, seconds):
        """The next packet, or None: then `closed` says whether the end has come."""
        end = time.monotonic() + seconds
        while True:
            whole = split(self.unread) if len(self.unread) > 1 else None
            if whole:
                self.unread = whole[1]
                return whole[0]
            left = end - time.monotonic()
            if self.closed or left <= 0:
                return None
            self._read(left)

    def _read(self, seconds):
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
        self.unread += data

    def until_closed(self, seconds=WAIT_S):
        """All packets until the broker closes; fails if it does not, or leaves half a packet."""
        packets, end = [], time.monotonic() + seconds
        while not self.closed:
            p = self.next(end - time.monotonic())
            if p:
                packets.append(p)
            elif not self.closed:
                raise Failed(f"still open after {seconds} s; sent {packets}")
        while (p := self.next(0)) is not None:
            packets.append(p)
        if self.unread:
            raise Failed(f"the broker left half a packet: {self.unread.hex(' ')}")
        return packets

    def end(self):
        self.sock.close()
