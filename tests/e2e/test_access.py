# SPDX-License-Identifier: BSD-3-Clause
"""Who comes in: passwords, and SCRAM as a client of its own makes it (RFC 5802, RFC 7677)."""

import base64
import hashlib
import hmac
import os
import signal
import subprocess

from lib.broker import serve
from lib.claims import claim, eventually, same
from lib.client import Client
from lib.wire import (AUTH, CONNACK, DISCONNECT, PINGREQ, PINGRESP, PUBACK, RawClient, connect,
                      packet, props, publish, string, u16, varint)

METHOD, DATA = 0x15, 0x16 # properties
CONTINUE, REAUTHENTICATE = 0x18, 0x19
BAD_METHOD, NOT_AUTHORIZED, WRONG_PASSWORD, PROTOCOL_ERROR = 0x8C, 0x87, 0x86, 0x82
ROUNDS = 4096


# ---- passwords ----------------------------------------------------------------------------

def password_file(t, users, scram=()):
    """A file with Mosquitto's own hashes, and SCRAM credentials for some."""
    path = os.path.join(t.folder, t.name("passwords"))
    open(path, "w", encoding="ascii").close()
    os.chmod(path, 0o600)
    for user, password in users:
        subprocess.run(["mosquitto_passwd", "-b", path, user, password], check=True,
                       capture_output=True)
    with open(path, "a", encoding="ascii") as out:
        for user, password in scram:
            out.write(f"{user}:{credential(password)}\n")
    return path


def code_of(port, version, user=None, password=None, client_id="c"):
    """What CONNACK says to these credentials."""
    flags = 2 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = string("MQTT") + bytes([version, flags]) + u16(60) + props(version) + string(client_id)
    for text in (user, password):
        if text is not None:
            body += string(text)
    client = RawClient(port, version)
    answer = client.ask(packet(1, 0, body))
    client.end()
    same("the answer's type", answer.type, CONNACK)
    return answer.body[1]


@claim(cores=(1, 2))
def the_right_password_comes_in_and_no_other(t):
    path = password_file(t, [("ann", "secret"), ("bob", "p1")])
    broker = serve(t, f"access.passwords={path}", "limits.login_failures=0")
    rows = [("ann", "secret", 0, 0), ("bob", "p1", 0, 0), ("ann", "p1", 4, WRONG_PASSWORD),
            ("ann", "", 4, WRONG_PASSWORD), ("ann", None, 4, WRONG_PASSWORD),
            ("bob", b"p1\0", 4, WRONG_PASSWORD), ("", "secret", 4, WRONG_PASSWORD),
            ("eve", "secret", 4, WRONG_PASSWORD), (None, None, 5, NOT_AUTHORIZED)]
    for user, password, old, new in rows:
        same(f"{user!r} {password!r} in 3.1.1", code_of(broker.port, 4, user, password), old)
        same(f"{user!r} {password!r} in 5.0", code_of(broker.port, 5, user, password), new)


@claim(cores=(2,))
def many_logins_at_once_are_all_answered(t):
    path = password_file(t, [("ann", "secret")])
    broker = serve(t, f"access.passwords={path}", cores=2)
    clients = [Client(t, f"m{i}", broker=broker, login=("ann", "secret")) for i in range(40)]
    for c in clients:
        c.open()
    sub = clients[0]
    sub.subscribe(t.topic("x"), 1)
    clients[1].publish(t.topic("x"), b"y", 1)
    same("payload", sub.exactly(1)[0].payload, b"y")


@claim(cores=(1, 2))
def a_client_id_of_one_user_is_no_other_users(t):
    path = password_file(t, [("ann", "a"), ("bob", "b")])
    broker = serve(t, f"access.passwords={path}", cores=2)
    ann = Client(t, "one", broker=broker, login=("ann", "a")).open()
    bob = Client(t, "one", broker=broker, login=("bob", "b"))
    same("bob is told", bob.try_open(), NOT_AUTHORIZED)
    ann.subscribe(t.topic("x"), 1)
    ann.publish(t.topic("x"), b"y", 1)
    same("ann is still here", ann.exactly(1)[0].payload, b"y")
    eventually("the setting", lambda: "access.takeover" in broker.text())


@claim(cores=(1, 2))
def another_user_does_not_inherit_a_session(t):
    path = password_file(t, [("ann", "a"), ("bob", "b")])
    broker = serve(t, f"access.passwords={path}", "access.takeover=anybody")
    ann = Client(t, "one", clean=False, expiry=600, broker=broker, login=("ann", "a"))
    ann.open().subscribe(t.topic("mail"), 1)
    ann.close()
    Client(t, "pub", broker=broker, login=("ann", "a")).open().publish(t.topic("mail"), b"x", 1)
    bob = Client(t, "one", clean=False, expiry=600, broker=broker, login=("bob", "b"))
    bob.open()
    same("session present", bob.session_present, False)
    bob.exactly(0)


# ---- SCRAM --------------------------------------------------------------------------------

def mac(key, text):
    return hmac.new(key, text, "sha256").digest()


def b64(raw):
    return base64.b64encode(raw).decode()


def salted(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)


def credential(password, salt=b"0123456789abcdef"):
    key = salted(password, salt)
    stored = hashlib.sha256(mac(key, b"Client Key")).digest()
    return f"SCRAM-SHA-256${ROUNDS}:{b64(salt)}${b64(stored)}:{b64(mac(key, b'Server Key'))}"


class Scram:
    """The client's side."""

    def __init__(self, user, password):
        self.password = password
        self.bare = f"n={user},r={b64(os.urandom(18))}"

    def first(self):
        return ("n,," + self.bare).encode()

    def final(self, server_first):
        fields = dict(f.split("=", 1) for f in server_first.decode().split(","))
        key = salted(self.password, base64.b64decode(fields["s"]))
        without = f"c=biws,r={fields['r']}"
        said = f"{self.bare},{server_first.decode()},{without}".encode()
        client = mac(key, b"Client Key")
        sign = mac(hashlib.sha256(client).digest(), said)
        self.signature = mac(mac(key, b"Server Key"), said)
        return f"{without},p={b64(bytes(a ^ b for a, b in zip(client, sign)))}".encode()

    def check(self, server_final):
        same("the server's own proof", server_final, f"v={b64(self.signature)}".encode())


def proof(data, method="SCRAM-SHA-256"):
    return bytes([METHOD]) + string(method) + bytes([DATA]) + u16(len(data)) + data


def auth(reason, data, method="SCRAM-SHA-256"):
    raw = proof(data, method)
    return packet(AUTH, 0, bytes([reason]) + varint(len(raw)) + raw)


def data_of(raw):
    """The authentication data in a property block that ends with it, or holds it somewhere."""
    at = raw.index(bytes([METHOD]) + string("SCRAM-SHA-256"))
    at = raw.index(bytes([DATA]), at + 16)
    n = int.from_bytes(raw[at + 1:at + 3], "big")
    return raw[at + 3:at + 3 + n]


def scram_connect(t, port, user, password, client_id="s"):
    client, scram = RawClient(port, 5), Scram(user, password)
    answer = client.ask(connect(5, client_id, raw=proof(scram.first())))
    same("CONNECT's answer", (answer.type, answer.body[0]), (AUTH, CONTINUE))
    answer = client.ask(auth(CONTINUE, scram.final(data_of(answer.body))))
    return client, scram, answer


@claim(cores=(1, 2))
def scram_comes_in_and_the_server_proves_itself(t):
    broker = serve(t, f"access.passwords={password_file(t, [], [('ann', 'secret')])}",
                   cores=2)
    client, scram, answer = scram_connect(t, broker.port, "ann", "secret")
    same("CONNACK", (answer.type, answer.body[1]), (CONNACK, 0))
    scram.check(data_of(answer.body))
    same("PUBACK", client.ask(publish(5, t.topic("x"), b"y", 1, 7)).type, PUBACK)
    eventually("who it is", lambda: "user=ann" in broker.text())


@claim(cores=(1,))
def scram_refuses_a_wrong_password_and_an_unknown_user_alike(t):
    broker = serve(t, f"access.passwords={password_file(t, [], [('ann', 'secret')])}")
    for user, password in (("ann", "wrong"), ("eve", "secret")):
        client, _, answer = scram_connect(t, broker.port, user, password)
        same(f"{user}", (answer.type, answer.body[1]), (CONNACK, WRONG_PASSWORD))
        same("and then nothing", client.until_closed(), [])


@claim(cores=(1,))
def a_client_that_is_here_proves_itself_anew(t):
    broker = serve(t, "access.passwords=" + password_file(
        t, [], [("ann", "secret"), ("bob", "other")]))
    client, _, answer = scram_connect(t, broker.port, "ann", "secret")
    same("CONNACK", (answer.type, answer.body[1]), (CONNACK, 0))
    again = Scram("ann", "secret")
    answer = client.ask(auth(REAUTHENTICATE, again.first()))
    same("AUTH", (answer.type, answer.body[0]), (AUTH, CONTINUE))
    client.send(packet(PINGREQ, 0, b"")) # life goes on meanwhile
    same("PINGRESP", client.receive().type, PINGRESP)
    answer = client.ask(auth(CONTINUE, again.final(data_of(answer.body))))
    same("success", answer.type, AUTH)
    same("its reason", answer.body[0] if answer.body else 0, 0)
    again.check(data_of(answer.body))

    other = Scram("bob", "other") # it may not become somebody else
    answer = client.ask(auth(REAUTHENTICATE, other.first()))
    answer = client.ask(auth(CONTINUE, other.final(data_of(answer.body))))
    same("goodbye", (answer.type, answer.body[0]), (DISCONNECT, NOT_AUTHORIZED))


@claim(cores=(1,))
def what_is_wrong_in_an_exchange_ends_it(t):
    broker = serve(t, f"access.passwords={password_file(t, [], [('ann', 'secret')])}",
                   "limits.login_failures=0")
    first = Scram("ann", "secret").first()
    opening = connect(5, "s", raw=proof(first))
    rows = [("unknown method", connect(5, "s", raw=proof(first, "GS2-KRB5")), b"", BAD_METHOD),
            ("PLUS is not offered", connect(5, "s", raw=proof(first, "SCRAM-SHA-256-PLUS")), b"",
             BAD_METHOD),
            ("another method", opening, auth(CONTINUE, b"x", "SCRAM-SHA-1"), PROTOCOL_ERROR),
            ("again too early", opening, auth(REAUTHENTICATE, b"x"), PROTOCOL_ERROR),
            ("PINGREQ", opening, packet(PINGREQ, 0, b""), PROTOCOL_ERROR),
            ("no sense", opening, auth(CONTINUE, b"\xff,,"), WRONG_PASSWORD),
            ("nothing", opening, auth(CONTINUE, b""), WRONG_PASSWORD)]
    for name, one, two, reason in rows:
        client = RawClient(broker.port, 5)
        client.send(one)
        if two:
            same(f"{name}: AUTH", client.receive().type, AUTH)
            client.send(two)
        last = client.until_closed()[-1]
        same(name, (last.type, last.body[1]), (CONNACK, reason))
    client = RawClient(broker.port, 5) # DISCONNECT is no mistake
    client.send(opening)
    client.receive()
    client.send(packet(DISCONNECT, 0, b""))
    same("after DISCONNECT", client.until_closed(), [])


@claim(cores=(1,))
def auth_without_a_method_in_connect_is_a_mistake(t):
    client = RawClient(t.broker.port, 5)
    client.connect(t.name("c"))
    answer = client.ask(auth(REAUTHENTICATE, b"n,,n=a,r=b"))
    same("DISCONNECT", (answer.type, answer.body[0]), (DISCONNECT, PROTOCOL_ERROR))


# ---- reload -------------------------------------------------------------------------------

def hup(broker, wanted):
    before = broker.text().count(wanted)
    os.kill(broker.pid, signal.SIGHUP)
    eventually(wanted, lambda: broker.text().count(wanted) > before)


@claim(cores=(1, 2))
def who_is_no_user_any_more_is_sent_away_on_reload(t):
    path = password_file(t, [("ann", "a"), ("bob", "b")])
    broker = serve(t, f"access.passwords={path}", cores=2)
    ann = Client(t, "ann", broker=broker, login=("ann", "a")).open()
    bob = Client(t, "bob", broker=broker, login=("bob", "b")).open()
    subprocess.run(["mosquitto_passwd", "-D", path, "ann"], check=True, capture_output=True)
    hup(broker, " reloaded ")
    ann.wait_lost()
    same("why", ann.lost[0], 0x98) # administrative action
    bob.subscribe(t.topic("x"), 1)
    bob.publish(t.topic("x"), b"y", 1)
    same("the other goes on", bob.exactly(1)[0].payload, b"y")
    same("ann may not return", code_of(broker.port, 5, "ann", "a"), WRONG_PASSWORD)


@claim(cores=(1,))
def a_bad_password_file_changes_nothing(t):
    path = password_file(t, [("ann", "a")])
    broker = serve(t, f"access.passwords={path}")
    with open(path, "a", encoding="ascii") as out:
        out.write("this is no line\n")
    hup(broker, " reload_refused ")
    same("ann comes in", code_of(broker.port, 5, "ann", "a"), 0)
    same("nobody else does", code_of(broker.port, 5), NOT_AUTHORIZED)
