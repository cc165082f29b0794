# SPDX-License-Identifier: BSD-3-Clause
"""$SYS, as Mosquitto's client reads it, and who may not write there."""

from lib.broker import serve
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.mosquitto import run

NAMES = ("version", "uptime", "clients/total", "clients/connected", "clients/disconnected",
         "clients/expired", "clients/maximum", "clients/active", "clients/inactive",
         "messages/received", "messages/sent", "messages/stored", "store/messages/count",
         "store/messages/bytes", "publish/messages/received", "publish/messages/sent",
         "publish/messages/dropped", "bytes/received", "bytes/sent", "subscriptions/count",
         "retained messages/count", "heap/current", "heap/maximum",
         *(f"load/{what}/{span}" for span in ("1min", "5min", "15min") for what in
           ("connections", "sockets", "messages/received", "messages/sent", "publish/received",
            "publish/sent", "publish/dropped", "bytes/received", "bytes/sent")))


class Reader(Client):
    """What was said last of each topic."""

    def value(self, name):
        found = [m.payload.decode() for m in self.heard if m.topic == f"$SYS/broker/{name}"]
        return found[-1] if found else None


def reader(t, broker, name="reader", version=V5):
    c = Reader(t, name, version, broker=broker).open()
    c.subscribe("$SYS/#")
    return c


@claim(cores=(0,), own=(1, 4))
def names_are_mosquittos_and_figures_are_right(t, own):
    broker = serve(t, "sys.interval=1s", cores=own)
    c = reader(t, broker)
    away = Client(t, "away", V5, broker=broker, expiry=100).open()
    away.close()
    for name in NAMES:
        eventually(name, lambda n=name: c.value(n) is not None)
    eventually("clients", lambda: (c.value("clients/total"), c.value("clients/connected"),
                                   c.value("clients/disconnected")) == ("2", "1", "1"))
    before = int(c.value("messages/received"))
    writer = Client(t, "w", V5, broker=broker).open()
    for _ in range(20):
        writer.publish("a", b"x", qos=1)
    eventually("received", lambda: int(c.value("messages/received")) == before + 20)
    eventually("load", lambda: float(c.value("load/messages/received/1min")) > 0)
    for core in range(own):
        holds(f"core {core}", c.value(f"cores/{core}/messages/received") is not None)


@claim(cores=(0,))
def newcomer_gets_it_at_once_and_only_by_its_name(t):
    broker = serve(t, "sys.interval=1h", cores=2)
    first = reader(t, broker, "first")
    eventually("told", lambda: first.value("version"))
    c = Client(t, "c", V5, broker=broker).open()
    c.subscribe("#")
    c.subscribe("+/broker/version")
    c.exactly(0)
    c.subscribe("$SYS/broker/version")
    same("retained", c.exactly(1)[0].retain, True)
    theirs = run(["mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-C", "1",
                  "-t", "$SYS/broker/version"])
    holds(theirs.stdout, theirs.stdout.startswith("pinion version"))


@claim(cores=(0,), version=(V311, V5))
def no_client_writes_there(t, version):
    broker = serve(t, "sys.interval=1h", cores=2)
    c = reader(t, broker, "c", version)
    eventually("told", lambda: c.value("version"))
    c.publish("$SYS/broker/version", b"forged", qos=1 if version == V5 else 0, retain=True)
    will = Client(t, "will", version, broker=broker,
                  will=("$SYS/broker/version", b"forged", 0, True)).open()
    will.cut()
    late = reader(t, broker, "late", version)
    eventually("told", lambda: late.value("version"))
    for heard in (c, late):
        holds(heard.value("version"), "pinion" in heard.value("version"))


@claim(cores=(0,))
def zero_is_silence(t):
    broker = serve(t, "sys.interval=0")
    reader(t, broker).exactly(0, quiet_s=2.5)
