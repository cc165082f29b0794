# SPDX-License-Identifier: BSD-3-Clause
"""The log: one line for each connect, refusal and disconnect, that nobody can forge or stop."""

import os
import signal
import stat
import subprocess
import time

from lib import logline, wire
from lib.broker import Broker, free_port, serve, spawn
from lib.claims import claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.wire import RawClient

# What a client might call itself to write a line, a field, or to a terminal.
HOSTILE = (
    'x"\n2026-01-01T00:00:00.000Z INFO core=0 client_connected client=root',
    'x\r\n{"event":"client_connected","client":"root"}',
    'x" reason="forged',
    'x","event":"forged","y":"',
    "x\x1b[2J\x1b]0;title\x07",
    "x\u009b2J\u0085y",
    "x\\x22 reason=\\x22forged",
    "x=y client=z",
    "x\u2028y\u202ez",
    "\x7f\x01",
)


def logging(t, *settings, cores=1):
    """A broker whose log is a file of its own; the broker and the file."""
    path = os.path.join(t.folder, t.name("broker.log"))
    return serve(t, f"log.file={path}", *settings, cores=cores), path


def lines(path, event, style="text"):
    return [line for line in logline.read(path, style) if line["event"] == event]


@claim(cores=(0,), style=("text", "json"))
def client_text_comes_back_from_the_log_as_it_was_and_forges_nothing(t, style):
    broker, path = logging(t, f"log.format={style}", "mqtt.client_id_bytes=1024")
    for client_id in HOSTILE:
        c = t.keep(RawClient(broker.port, 5))
        if c.ask(wire.connect(5, client_id)).body[1] == 0:
            c.send(wire.packet(wire.DISCONNECT, 0, b""))
        c.until_closed(5)

    def seen():
        told = logline.read(path, style)
        return told if sum("client" in line for line in told) >= 2 * len(HOSTILE) else None

    told = eventually("a line for each", seen)
    for client_id in HOSTILE:
        same(f"events of {client_id!r}",
             [line["event"] for line in told if line.get("client") == client_id],
             ["client_connected", "client_disconnected"])
    holds("and no other client", {line["client"] for line in told if "client" in line} ==
          set(HOSTILE))
    with open(path, "rb") as log:
        raw = log.read()
    holds("no control bytes", not any(b < 32 and b != 10 or b == 127 for b in raw))
    if style == "text":
        holds("no C1 controls", not any("\x80" <= c <= "\x9f" for c in raw.decode()))


def leave(c):
    c.send(wire.packet(wire.DISCONNECT, 0, b""))


@claim(cores=(0,), style=("text", "json"), version=(4, 5))
def every_connect_refusal_and_disconnect_is_one_line_with_the_reason(t, style, version):
    broker, path = logging(t, f"log.format={style}", "mqtt.empty_client_id=false",
                           "mqtt.max_qos=1")
    ways = {
        "leaves": leave,
        "cut": lambda c: c.sock.close(),
        "mistake": lambda c: c.send(wire.packet(wire.SUBSCRIBE, 0, b"")),
    }
    for name, way in ways.items():
        c = t.keep(RawClient(broker.port, version))
        c.connect(name)
        way(c)
    first = t.keep(RawClient(broker.port, version))
    first.connect("twice")
    second = t.keep(RawClient(broker.port, version))
    second.connect("twice")
    nobody = t.keep(RawClient(broker.port, version))
    nobody.ask(wire.connect(version, ""))
    eventually("all have gone", lambda: len(lines(path, "client_disconnected", style)) >= 4)
    for name in ways:
        same(f"{name} comes", sum(line["client"] == name
                                  for line in lines(path, "client_connected", style)), 1)
        gone = [line for line in lines(path, "client_disconnected", style)
                if line["client"] == name]
        same(f"{name} goes", len(gone), 1)
        holds(f"{name}: reason and peer: {gone}", gone[0]["reason"] and
              str(gone[0]["peer"]).startswith("127.0.0.1:"))
    same("refusals", len(lines(path, "client_refused", style)), 1)
    holds("with a reason", lines(path, "client_refused", style)[0]["reason"])


@claim(cores=(0,))
def usr1_opens_the_log_file_again_and_no_line_is_lost(t):
    broker, path = logging(t, "log.burst=0", cores=4)
    before = stat.S_IMODE(os.stat(path).st_mode)
    same("mode of the file", before, 0o640)
    names = []
    for turn in range(4):
        for i in range(25):
            names.append(t.name(f"{turn}-{i}"))
            c = RawClient(broker.port, 4)
            c.connect(names[-1])
            c.sock.close()
        os.rename(path, f"{path}.{turn}")
        broker.process.send_signal(signal.SIGUSR1)
        eventually("a new file", lambda: os.path.exists(path))
    told = []
    files = [f"{path}.{turn}" for turn in range(4)] + [path]
    eventually("the last have gone", lambda: sum(
        len(lines(f, "client_disconnected")) for f in files) == len(names))
    for f in files:
        told += [line["client"] for line in lines(f, "client_connected")]
    same("who came", sorted(told), sorted(names))


@claim(cores=(0,))
def log_file_that_cannot_be_opened_again_leaves_the_old_one_in_use(t):
    folder = os.path.join(t.folder, t.name("logs"))
    os.mkdir(folder)
    broker = serve(t, f"log.file={folder}/a.log")
    os.rename(folder, folder + ".away")
    broker.process.send_signal(signal.SIGUSR1)
    kept = f"{folder}.away/a.log"
    eventually("the reason", lambda: lines(kept, "log_kept"))
    Client(t, "c", V311, broker=broker).open()
    eventually("further lines", lambda: lines(kept, "client_connected"))


@claim(cores=(0,))
def log_file_that_is_a_symbolic_link_is_refused(t):
    path = os.path.join(t.folder, t.name("link"))
    os.symlink("/dev/null", path)
    done = subprocess.run([t.pinion, "serve", "-p", str(free_port()), "--set", f"log.file={path}"],
                          capture_output=True, text=True, timeout=10, check=False)
    same("exit status", done.returncode, 3)
    holds(f"it says why: {done.stderr}", "symbolic link" in done.stderr)


@claim(cores=(0,))
def full_disk_stops_no_client(t):
    broker = serve(t, "log.file=/dev/full", cores=2)
    a, b = Client(t, "a", broker=broker).open(), Client(t, "b", broker=broker).open()
    a.subscribe(t.topic("x"), 1)
    b.publish(t.topic("x"), b"y", 1)
    a.wait_heard(1)
    same("status", broker.terminate()[0], 0)


@claim(cores=(0,))
def log_that_nobody_reads_stops_no_client(t):
    unread, writer = os.pipe()
    port = free_port()
    process = spawn([t.pinion, "serve", "-p", str(port), "--set", "cores=2", "--set",
                     "log.burst=0"], stdout=subprocess.DEVNULL, stderr=writer)
    try:
        os.close(writer)
        broker = type("Listening", (Broker,), {"__init__": lambda self: None})()
        broker.process, broker.port, broker.log = process, port, os.devnull
        broker.wait_for_port()
        for i in range(1500): # two lines each: more than a pipe holds
            c = RawClient(port, 4)
            c.connect(t.name(f"a client with a long name {i} {'x' * 150}"))
            c.sock.close()
        Client(t, "c", broker=broker).open().publish(t.topic("x"), b"y", 1)
        process.send_signal(signal.SIGTERM)
        same("status", process.wait(15), 0)
        os.set_blocking(unread, False)
        got = os.read(unread, 1 << 20)
        holds("what came is whole lines", all(logline.of_text(line) for line in
                                              got.decode().split("\n")[:-1]))
        holds("and the last line ended", got.endswith(b"\n"))
    finally:
        os.close(unread)
        process.kill()
        process.wait(5)


@claim(cores=(0,))
def flood_of_lines_is_cut_at_the_burst_and_counted(t):
    broker, path = logging(t, "log.burst=5")
    for i in range(100):
        c = RawClient(broker.port, 4)
        c.connect(t.name(f"{i}"))
        c.sock.close()
    time.sleep(1.1)
    t.keep(RawClient(broker.port, 4)).connect(t.name("last"))

    def accounted():
        come = lines(path, "client_connected")
        return sum(1 + int(line.get("held_back", 0)) for line in come) == 101 and come

    come = eventually("every line is written or counted", accounted)
    holds(f"few are written: {len(come)}", len(come) <= 60)


@claim(cores=(0,), form=("iso", "unix", "none"))
def time_stands_in_a_line_as_it_was_asked_for(t, form):
    broker, path = logging(t, f"log.time={form}")
    Client(t, "c", V5, broker=broker).open()
    told = eventually("a line", lambda: lines(path, "client_connected"))[0]["time"]
    if form == "none":
        same("time", told, None)
    elif form == "unix":
        holds(f"now: {told}", abs(float(told) - time.time()) < 60)
    else:
        holds(f"UTC: {told}", told.endswith("Z") and told[10] == "T")
