# SPDX-License-Identifier: BSD-3-Clause
"""HUP: the configuration is read again, taken as a whole or not at all, and nobody is dropped."""

import os
import signal

from lib import wire
from lib.broker import Broker, free_port
from lib.claims import claim, eventually, holds, same
from lib.client import V5, Client
from lib.wire import RawClient


class Configured:
    """A broker with a file of settings that can be changed under it."""

    def __init__(self, t, text, cores=2, *more):
        self.path = os.path.join(t.folder, t.name("pinion.yaml"))
        self.port, self.cores = free_port(), cores
        self.write(text)
        self.broker = t.keep(Broker([t.pinion, "serve", "-c", self.path, "-p", str(self.port),
                                     *more], self.port, self.path + ".log"))

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as out:
            out.write(f"cores: {self.cores}\n{text}")

    def reload(self, text=None):
        """HUP; returns the lines that the log says more."""
        before = self.broker.text()
        if text is not None:
            self.write(text)
        self.broker.process.send_signal(signal.SIGHUP)
        return eventually("an answer in the log", lambda: [
            line for line in self.broker.text()[len(before):].splitlines() if " reload" in line]
            and self.broker.text()[len(before):])


def told(t, c, name="c"):
    return Client(t, name, V5, broker=c.broker).open().connack[2]


@claim(cores=(0,), cores_of_broker=(1, 4))
def changed_limit_holds_for_new_clients_of_every_core_and_nobody_is_dropped(t, cores_of_broker):
    c = Configured(t, "mqtt:\n  packet: 4 KiB\n  topic_aliases: 3\n", cores_of_broker)
    old = Client(t, "old", broker=c.broker).open()
    old.subscribe(t.topic("x"), 1)
    same("before", told(t, c).MaximumPacketSize, 4096)
    said = c.reload("mqtt:\n  packet: 3 MiB\n  topic_aliases: 9\n")
    holds(f"the log names them: {said}", 'changed="mqtt.packet mqtt.topic_aliases"' in said)

    def all_told():
        return all(told(t, c, f"new{i}").MaximumPacketSize == 3 << 20 for i in range(16))

    eventually("all cores", all_told)
    Client(t, "big", broker=c.broker).open().publish(t.topic("x"), b"x" * (2 << 20), 1)
    same("the old client is there", len(old.wait_heard(1)[0].payload), 2 << 20)
    same("nobody lost", old.lost, None)


@claim(cores=(0,))
def packet_size_that_a_client_was_told_holds_until_it_connects_again(t):
    c = Configured(t, "mqtt:\n  packet: 2 MiB\n")
    old = Client(t, "old", broker=c.broker).open()
    c.reload("mqtt:\n  packet: 2 KiB\n")
    eventually("the new size", lambda: told(t, c).MaximumPacketSize == 2048)
    old.publish(t.topic("x"), b"x" * (1 << 20), 1)
    same("nobody lost", old.lost, None)


@claim(cores=(0,))
def topic_aliases_that_a_client_was_told_hold_when_there_are_fewer_or_more(t):
    c = Configured(t, "mqtt:\n  topic_aliases: 5\n", 1)
    few, many = t.keep(RawClient(c.port, 5)), t.keep(RawClient(c.port, 5))
    few.connect(t.name("few"))
    few.send(wire.publish(5, t.topic("a"), b"", raw=b"\x23\x00\x01")) # the table is made
    same("alias 5", few.ask(wire.publish(5, t.topic("a"), b"", 1, 7, raw=b"\x23\x00\x05")).type,
         wire.PUBACK)
    many.connect(t.name("many"))
    c.reload("mqtt:\n  topic_aliases: 500\n")
    eventually("500", lambda: told(t, c).TopicAliasMaximum == 500)
    # Beyond what this client was told: refused, and not looked for behind the table's end.
    few.send(wire.publish(5, t.topic("a"), b"", raw=b"\x23\x01\x00"))
    same("refused", [(p.type, p.body[0]) for p in few.until_closed(5)], [(14, 0x94)])
    c.reload("mqtt:\n  topic_aliases: 2\n")
    eventually("2", lambda: told(t, c).TopicAliasMaximum == 2)
    same("alias 5, as told", many.ask(wire.publish(5, t.topic("a"), b"", 1, 7,
                                                   raw=b"\x23\x00\x05")).type, wire.PUBACK)


@claim(cores=(0,), text=(
    ("mqtt:\n  packet: lots\n", "mqtt.packet"),
    ("mqtt:\n  packit: 1 MiB\n", "packit"),
    ("mqtt: [\n", "mqtt"),
    ("mqtt:\n  packet: 8 KiB\nlog:\n  file: /nowhere/at/all\n", "log.file"),
))
def bad_file_changes_nothing_and_the_log_says_why(t, text):
    c = Configured(t, "mqtt:\n  packet: 4 KiB\n")
    said = c.reload(text[0])
    holds(f"names {text[1]}: {said}", "reload_refused" in said and text[1] in said)
    same("as before", {told(t, c, f"c{i}").MaximumPacketSize for i in range(8)}, {4096})
    c.reload("mqtt:\n  packet: 8 KiB\n")
    eventually("a good one", lambda: told(t, c).MaximumPacketSize == 8192)


@claim(cores=(0,))
def file_that_has_gone_changes_nothing(t):
    c = Configured(t, "mqtt:\n  packet: 4 KiB\n")
    os.unlink(c.path)
    said = c.reload()
    holds(f"names the file: {said}", "reload_refused" in said and c.path in said)
    same("as before", told(t, c).MaximumPacketSize, 4096)


@claim(cores=(0,))
def settings_that_need_a_restart_are_named_in_one_line_each_time(t):
    c = Configured(t, "")
    for _ in range(2):
        said = c.reload("pin: false\nlimits:\n  receive: 7\n  window: 9\nlisteners:\n"
                        "  - address: 127.0.0.1:1\n")
        lines = [line for line in said.splitlines() if "restart_needed" in line]
        if not lines:
            lines = eventually("a line", lambda: [
                line for line in c.broker.text().splitlines() if "restart_needed" in line][-1:])
        same("lines", len(lines), 1)
        # -p on the command line wins over the file's listeners
        holds(f"names them: {lines}", 'settings="pin limits.receive"' in lines[0])
    same("receive maximum is as it was", told(t, c).ReceiveMaximum, 1000)


@claim(cores=(0,))
def log_settings_change_under_a_running_broker(t):
    c = Configured(t, "")
    other = c.path + ".other.log"
    c.reload("log:\n  level: debug\n")
    c.write(f"log:\n  file: {other}\n  format: json\n")
    c.broker.process.send_signal(signal.SIGHUP)
    eventually("JSON in the other file",
               lambda: os.path.exists(other) and '"event":"reloaded"' in open(other).read())
    before = c.broker.text()

    def both_cores():
        told(t, c)
        text = open(other, encoding="utf-8").read()
        return all(f'"core":{i},"event":"client_connected"' in text or
                   told(t, c, f"c{i}{len(text)}") is None for i in range(2))

    eventually("lines of all cores", both_cores)
    same("nothing more on standard error", c.broker.text(), before)


@claim(cores=(0,))
def hundred_reloads_in_a_row_leave_a_broker_that_works(t):
    c = Configured(t, "", 4)
    for i in range(100):
        c.write(f"mqtt:\n  packet: {4 + i} KiB\n")
        c.broker.process.send_signal(signal.SIGHUP)
    eventually("the last one", lambda: {told(t, c, f"c{i}").MaximumPacketSize
                                        for i in range(8)} == {103 << 10})
    same("status", c.broker.terminate()[0], 0)
