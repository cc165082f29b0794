# SPDX-License-Identifier: BSD-3-Clause
"""A proxy of our own: passes bytes on, and says before the first for whom it does so."""

import socket
import struct
import threading

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def crc32c(data):
    """RFC 4960, appendix B, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def header_v1(source, target):
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {target[0]} {source[1]} {target[1]}\r\n".encode()


def header_v2(source, target, tlvs=((0x05, b"some id"),), checked=True):
    """PROXY for TCP, with additions and a checksum among them."""
    v6 = ":" in source[0]
    family = socket.AF_INET6 if v6 else socket.AF_INET
    block = b"".join(socket.inet_pton(family, end[0]) for end in (source, target))
    block += struct.pack(">HH", source[1], target[1])
    for kind, value in tlvs:
        block += struct.pack(">BH", kind, len(value)) + value
    size = len(block) + (7 if checked else 0)
    whole = SIGNATURE + struct.pack(">BBH", 0x21, 0x21 if v6 else 0x11, size) + block
    if not checked:
        return whole
    return whole + b"\x03\0\4" + struct.pack(">I", crc32c(whole + b"\x03\0\4\0\0\0\0"))


class Proxy:
    """Listens on a port of its own and connects everybody to `target`, with `header` in front."""

    host = "127.0.0.1"

    def __init__(self, target, header):
        self.target, self.header = target, header
        self.door = socket.create_server((self.host, 0))
        self.port = self.door.getsockname()[1]
        self.open = [self.door]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.door.accept()
                far = socket.create_connection(self.target, 5)
                far.sendall(self.header)
            except OSError:
                return
            self.open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def end(self):
        for one in self.open:
            one.close()
