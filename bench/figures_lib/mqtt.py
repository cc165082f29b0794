# SPDX-License-Identifier: BSD-3-Clause
"""Enough MQTT 3.1.1 to make a load by hand, when it has to be counted exactly."""

import socket
import struct

TIMEOUT_S = 60


def _packet(first, body):
    length, n = b"", len(body)
    while True:
        length += bytes([n & 0x7F | (0x80 if n > 0x7F else 0)])
        n >>= 7
        if n == 0:
            return bytes([first]) + length + body


def _text(s):
    return struct.pack(">H", len(s)) + s.encode()


def connect(client_id):
    return _packet(0x10, _text("MQTT") + bytes([4, 2]) + struct.pack(">H", 0) + _text(client_id))


def subscribe(filters):
    return _packet(0x82, struct.pack(">H", 1) + b"".join(_text(f) + b"\0" for f in filters))


def publish(topic, payload):
    """At QoS 0. A subscriber at QoS 0 gets the same bytes."""
    return _packet(0x30, _text(topic) + payload)


class Client:
    """A connected client with a blocking socket."""

    def __init__(self, port, client_id):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(connect(client_id))
        if self.take(4) != b"\x20\x02\0\0":
            raise OSError("the connection was refused")

    def send(self, data):
        self.socket.sendall(data)

    def take(self, n):
        """Exactly `n` bytes."""
        parts = []
        while n:
            part = self.socket.recv(min(n, 1 << 20))
            if not part:
                raise OSError("the broker has closed a connection")
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def subscribe(self, filters):
        """Returns when all are granted; as many as fit in one packet with a short answer."""
        self.send(subscribe(filters))
        head = self.take(2)
        size = head[1] & 0x7F
        if head[1] & 0x80:
            size |= self.take(1)[0] << 7
        codes = self.take(size)[2:]
        if head[0] != 0x90 or len(codes) != len(filters) or any(codes):
            raise OSError("a subscription was refused")

    def close(self):
        self.socket.close()
