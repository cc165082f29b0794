# SPDX-License-Identifier: BSD-3-Clause
"""pinion pub, sub and bench: against somebody else's broker, and together with ours."""

import json
import os
import time

from lib import mosquitto
from lib.broker import Process, free_port, serve
from lib.broker import mosquitto as mosquitto_broker
from lib.claims import claim, eventually, holds, same
from lib.client import Client

TIMED_OUT = 27


def pub(t, broker, *args, text=""):
    """Runs pinion pub; fails if it fails."""
    done = mosquitto.run([t.pinion, "pub", "-h", broker.host, "-p", str(broker.port), *args], text)
    same(f"exit status of pinion pub ({done.stderr})", done.returncode, 0)


def sub(t, broker, *args):
    """A pinion sub whose output goes to a file."""
    log = os.path.join(t.folder, t.name(f"sub-{len(t.opened)}.log"))
    argv = [t.pinion, "sub", "-h", broker.host, "-p", str(broker.port), *args]
    return t.keep(Process(argv, log))


def subscribed(t, broker, process, topic):
    """Publishes probes until the subscriber prints one: subscribing cannot be seen otherwise."""
    probe = Client(t, "probe", broker=broker).open()

    def heard():
        probe.publish(topic, b"probe", 1)
        time.sleep(0.05)
        return "probe" in process.text()

    eventually("pinion sub subscribes", heard)


def printed(process):
    """The lines without the probes."""
    return [line for line in process.text().splitlines() if "probe" not in line]


@claim(cores=(0,), qos=("0", "1", "2"), version=("31", "311", "5"), theirs=(True, False))
def thousand_lines_from_pinion_pub_to_pinion_sub(t, qos, version, theirs):
    """Through Mosquitto's broker as through ours."""
    broker = mosquitto_broker(t) if theirs else serve(t, cores=2)
    reader = sub(t, broker, "-q", qos, "-V", version, "-i", "reader", "count")
    subscribed(t, broker, reader, "count")
    lines = [f"line {i}" for i in range(1000)]
    pub(t, broker, "-q", qos, "-V", version, "-i", "writer", "-l", "count",
        text="".join(line + "\n" for line in lines))
    eventually("1,000 lines", lambda: len(printed(reader)) >= 1000)
    same("lines", printed(reader), lines)
    same("exit status", reader.terminate()[0], 0)


@claim(cores=(0,), theirs=(True, False))
def message_of_pinion_pub_reaches_mosquitto_sub(t, theirs):
    broker = mosquitto_broker(t) if theirs else serve(t, cores=2)
    reader = mosquitto.Subscriber(t, "a/#", qos=2, version="mqttv5", broker=broker)
    pub(t, broker, "a/1", "an operand")
    pub(t, broker, "-t", "a/2", "-m", "an option", "-q", "1")
    pub(t, broker, "a/3", "-s", "-q", "2", text="from\nstdin\n")
    pub(t, broker, "a/4", "-n")
    reader.wait_heard(4)
    same("messages", {m["topic"]: (m["payload"], m["qos"]) for m in reader.heard},
         {"a/1": ("an operand", 0), "a/2": ("an option", 1), "a/3": ("from\nstdin\n", 2),
          "a/4": (None, 0)})


@claim(cores=(0,), theirs=(True, False))
def message_of_mosquitto_pub_reaches_pinion_sub_with_topic_qos_and_flags(t, theirs):
    broker = mosquitto_broker(t) if theirs else serve(t, cores=2)
    mosquitto.publish(t, "f/1", qos=1, args=["-r", "-m", "kept"], broker=broker)
    reader = sub(t, broker, "-q", "1", "-C", "1", "-W", "10s", "-F", "%t|%p|%q|%r|%l\\n", "f/+")
    same("exit status", reader.wait(15), 0)
    same("line", reader.text(), "f/1|kept|1|1|4\n")
    reader = sub(t, broker, "-v", "-C", "1", "-W", "10s", "f/1")
    same("exit status", reader.wait(15), 0)
    same("line", reader.text(), "f/1 kept\n")


@claim(cores=(0,), theirs=(True, False))
def pinion_pub_clears_what_it_has_retained(t, theirs):
    broker = mosquitto_broker(t) if theirs else serve(t, cores=2)
    pub(t, broker, "-r", "-q", "1", "state", "on")
    same("exit status", sub(t, broker, "-C", "1", "-W", "10s", "state").wait(15), 0)
    pub(t, broker, "-r", "-q", "1", "-n", "state")
    same("exit status", sub(t, broker, "-C", "1", "-W", "1s", "state").wait(15), TIMED_OUT)


@claim(cores=(0,), theirs=(True, False))
def pinion_sub_finds_its_session_again(t, theirs):
    broker = mosquitto_broker(t) if theirs else serve(t, cores=2)
    args = ["-i", "me", "-c", "-x", "60s", "-q", "1", "s"]
    reader = sub(t, broker, *args)
    subscribed(t, broker, reader, "s")
    reader.terminate()
    pub(t, broker, "-q", "1", "s", "while away")
    again = sub(t, broker, *args)
    eventually("the message", lambda: printed(again) == ["while away"])


@claim(cores=(0,), theirs=(True, False))
def pinion_sub_that_is_killed_leaves_its_will(t, theirs):
    broker = mosquitto_broker(t) if theirs else serve(t, cores=2)
    mourner = mosquitto.Subscriber(t, "will", qos=1, broker=broker)
    reader = sub(t, broker, "--will-topic", "will", "--will-payload", "gone", "--will-qos", "1",
                 "s")
    subscribed(t, broker, reader, "s")
    reader.process.kill()
    mourner.wait_heard(1)
    same("payloads", mourner.payloads(), ["gone"])


@claim(cores=(0,), command=("pub", "sub", "bench"))
def client_without_a_broker_says_so(t, command):
    args = {"pub": ["x", "y"], "sub": ["x"], "bench": ["-d", "1s", "-W", "0s"]}[command]
    done = mosquitto.run([t.pinion, command, "-h", "127.0.0.1", "-p", str(free_port()), *args],
                         seconds=30)
    same("exit status", done.returncode, 1)
    holds(f"says why: {done.stderr}", "refused" in done.stderr)


@claim(cores=(0,), command=("pub", "sub"))
def client_of_version_31_without_a_name_is_told_how_to_give_one(t, command):
    done = mosquitto.run([t.pinion, command, "-V", "31", "x", *["y"][:command == "pub"]], seconds=10)
    same("exit status", done.returncode, 2)
    holds(f"names the option: {done.stderr}", "-i" in done.stderr)


BENCHES = ( # mode, QoS, further arguments, and the figure that tells how much was done
    ("pairs", "0", ["-P", "5", "-S", "5"], "received"),
    ("pairs", "1", ["-P", "5", "-S", "5"], "received"),
    ("pairs", "2", ["-P", "5", "-S", "5"], "received"),
    ("fan-out", "1", ["-S", "20"], "received"),
    ("fan-in", "1", ["-P", "20"], "received"),
    ("shared", "1", ["-S", "5"], "received"),
    ("idle", "0", ["-n", "100"], "connections"),
    ("retain", "1", ["-n", "500"], "stored"),
    ("connrate", "0", ["-n", "50"], "connections"),
    ("acks", "1", ["-P", "5", "-S", "2"], "acked"),
    ("acks", "2", ["-P", "5", "-S", "2", "-V", "5"], "received"),
)


@claim(cores=(1, 4), run=BENCHES, heavy=True)
def bench_does_something_and_loses_nothing(t, run):
    mode, qos, more, done_what = run
    done = mosquitto.run([t.pinion, "bench", "-h", t.broker.host, "-p", str(t.broker.port), "-m",
                          mode, "-q", qos, "-d", "500ms", "-W", "0s", "--json", *more], seconds=40)
    same(f"exit status ({done.stderr})", done.returncode, 0)
    figures = json.loads(done.stdout)
    same("mode", figures["mode"], mode)
    holds(f"{done_what}: {figures}", figures[done_what] > 0)
    for bad in ("lost", "duplicate", "failed", "out_of_order"):
        same(bad, figures.get(bad, 0), 0)


@claim(cores=(1, 4), version=("311", "5"), qos=("1", "2"))
def bench_finds_each_message_that_waited(t, version, qos):
    where = ["-h", t.broker.host, "-p", str(t.broker.port), "--json", "-P", "8", "-S", "3",
             "-V", version, "-q", qos, "--name", f"w{version}q{qos}"]

    def bench(*more):
        done = mosquitto.run([t.pinion, "bench", *where, *more], seconds=40)
        same(f"exit status ({done.stderr})", done.returncode, 0)
        return json.loads(done.stdout)

    left = bench("-m", "acks", "--away", "-n", "2000", "-W", "0s", "-d", "20s")
    same("acknowledged", (left["published"], left["unacknowledged"], left["failed"]), (2000, 0, 0))
    found = bench("-m", "drain", "-n", "2000")
    same("found", (found["waited"], found["lost"], found["duplicate"], found["failed"]),
         (2000, 0, 0, 0))
    same("found again", bench("-m", "drain", "-n", "1")["waited"], 0)
