# SPDX-License-Identifier: BSD-3-Clause
"""Paho's client for Python, made to wait: every call returns when the broker has answered."""

import os
import socket
import threading
import time

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from lib.claims import WAIT_S, Failed, shorten

V31, V311, V5 = paho.MQTTv31, paho.MQTTv311, paho.MQTTv5
INFLIGHT = 100


def properties(packet, **values):
    """Properties of a packet such as "PUBLISH", named as Paho names them (UserProperty=...)."""
    made = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(made, name, value)
    return made


def code(reason):
    """A reason code as a number, whatever Paho has made of it."""
    return getattr(reason, "value", reason)


def _shut(sock):
    """Shuts a socket of Paho's; its WebSocket has no such method, but a file descriptor."""
    if hasattr(sock, "shutdown"):
        sock.shutdown(socket.SHUT_RDWR)
    else:
        with socket.socket(fileno=os.dup(sock.fileno())) as under:
            under.shutdown(socket.SHUT_RDWR)


class Message:
    """A PUBLISH as the client saw it."""

    def __init__(self, m):
        self.topic, self.payload = m.topic, m.payload
        self.qos, self.retain, self.dup = m.qos, bool(m.retain), bool(m.dup)
        self.properties = getattr(m, "properties", None)
        self.at = time.monotonic()

    def property(self, name):
        """A property's value; None if it is not there."""
        return getattr(self.properties, name, None)

    def __repr__(self):
        return f"({self.topic!r} {shorten(self.payload, 40)} qos={self.qos} retain={self.retain})"


class Client:
    """One client. `heard` is every message so far, in the order of arrival.

    expiry   the session expiry interval in seconds, for 5.0
    will     (topic, payload) with optional qos, retain, properties after it
    connect  further properties of CONNECT, by Paho's names
    transport "tcp" or "websockets"
    login     (user, password)
    """

    def __init__(self, bench, name, version=V5, clean=True, expiry=0, will=None, keep_alive=60,
                 connect=None, broker=None, transport="tcp", login=None):
        self.broker, self.version, self.keep_alive = broker or bench.broker, version, keep_alive
        self.clean, self.expiry, self.extra = clean, expiry, connect or {}
        old = {} if version == V5 else {"clean_session": clean}
        self.id = bench.name(name) if name else ""
        self.paho = paho.Client(self.id, protocol=version, reconnect_on_failure=False,
                                transport=transport, **old)
        self.paho.max_inflight_messages_set(INFLIGHT)
        self.paho.max_queued_messages_set(0)
        self.paho.on_connect, self.paho.on_disconnect = self._on_connect, self._on_disconnect
        self.paho.on_message, self.paho.on_publish = self._on_message, self._on_publish
        self.paho.on_subscribe, self.paho.on_unsubscribe = self._on_answer, self._on_answer
        if will:
            self.paho.will_set(*will)
        if login:
            self.paho.username_pw_set(*login)
        self.changed = threading.Condition()
        self.heard, self.answers, self.published = [], {}, set()
        self.connack = self.lost = None
        bench.keep(self)

    # ---- from Paho's thread -------------------------------------------------------------

    def _note(self, act):
        with self.changed:
            act()
            self.changed.notify_all()

    def _on_connect(self, _client, _data, flags, rc, props=None):
        self._note(lambda: setattr(self, "connack", (flags["session present"], code(rc), props)))

    def _on_disconnect(self, _client, _data, rc, props=None):
        self._note(lambda: setattr(self, "lost", (code(rc), props)))

    def _on_message(self, _client, _data, message):
        self._note(lambda: self.heard.append(Message(message)))

    def _on_publish(self, _client, _data, mid):
        self._note(lambda: self.published.add(mid))

    def _on_answer(self, _client, _data, mid, *rest):
        self._note(lambda: self.answers.__setitem__(mid, rest))

    # ---- waiting ------------------------------------------------------------------------

    def wait(self, what, condition, seconds=WAIT_S):
        """Waits until condition() holds; fails with what is missing."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise Failed(f"{self.id}: {what}: not within {seconds} s; "
                             f"heard {len(self.heard)}, lost {self.lost}")

    def wait_heard(self, n, seconds=WAIT_S):
        """The first n messages, once there are so many; fails if there are none so many."""
        self.wait(f"{n} messages", lambda: len(self.heard) >= n, seconds)
        return self.heard[:n]

    def wait_lost(self, seconds=WAIT_S):
        """The reason code with which the broker ended the connection."""
        self.wait("end of the connection", lambda: self.lost is not None, seconds)
        return self.lost[0]

    def exactly(self, n, quiet_s=0.3):
        """n messages and, for a while after them, no more."""
        self.wait_heard(n)
        time.sleep(quiet_s)
        if len(self.heard) != n:
            raise Failed(f"{self.id}: heard {len(self.heard)} messages, wanted {n}: "
                         f"{shorten(self.heard)}")
        return list(self.heard)

    # ---- verbs --------------------------------------------------------------------------

    def open(self):
        """Connects; fails if it is refused. Returns the client itself."""
        rc = self.try_open()
        if rc != 0:
            raise Failed(f"{self.id}: refused with 0x{rc:02x}")
        return self

    def try_open(self):
        """Connects and returns the return or reason code of CONNACK."""
        self.connack = self.lost = None
        more = {}
        if self.version == V5:
            more = {"clean_start": self.clean, "properties": properties("CONNECT", **self.extra)}
            if self.expiry:
                more["properties"].SessionExpiryInterval = self.expiry
        self.paho.connect(self.broker.host, self.broker.port, self.keep_alive, **more)
        self.paho.loop_start()
        self.wait("CONNACK", lambda: self.connack or self.lost)
        if not self.connack:
            raise Failed(f"{self.id}: closed without CONNACK")
        return self.connack[1]

    @property
    def session_present(self):
        return bool(self.connack[0])

    def subscribe(self, wanted, qos=0, subscription_id=None, **options):
        """Subscribes and returns the reason code. Options as Paho's SubscribeOptions has them."""
        if self.version != V5:
            mid = self.paho.subscribe(wanted, qos)[1]
        else:
            more = properties("SUBSCRIBE")
            if subscription_id:
                more.SubscriptionIdentifier = subscription_id
            mid = self.paho.subscribe(wanted, options=SubscribeOptions(qos, **options),
                                      properties=more)[1]
        self.wait("SUBACK", lambda: mid in self.answers)
        return code(self.answers[mid][0][0])

    def unsubscribe(self, wanted):
        mid = self.paho.unsubscribe(wanted)[1]
        self.wait("UNSUBACK", lambda: mid in self.answers)

    def publish(self, topic, payload=b"", qos=0, retain=False, wait=True, **values):
        """Publishes; with `wait` returns only when the exchange is over (QoS 0: is sent)."""
        more = properties("PUBLISH", **values) if values else None
        mid = self.paho.publish(topic, payload, qos, retain, more).mid
        if wait:
            self.wait_published([mid])
        return mid

    def wait_published(self, mids, seconds=WAIT_S):
        wanted = set(mids)
        self.wait("the end of publishing", lambda: wanted <= self.published, seconds)

    def cut(self):
        """The connection breaks: no DISCONNECT."""
        sock = self.paho.socket()
        if sock:
            _shut(sock)
        self.wait_lost()
        self.paho.loop_stop()

    def close(self, reason=None, **values):
        """DISCONNECT, with a reason code and properties in 5.0."""
        if self.version == V5:
            props = properties("DISCONNECT", **values) if values else None
            self.paho.disconnect(reason, props)
        else:
            self.paho.disconnect()
        self.wait_lost()
        self.paho.loop_stop()

    def end(self):
        """Whatever the state: the thread and the socket go."""
        sock = self.paho.socket()
        self.paho.disconnect()
        if sock:
            try:
                _shut(sock)
            except OSError:
                pass  # already gone
        self.paho.loop_stop()
