# SPDX-License-Identifier: BSD-3-Clause
"""Starting and ending the broker, and what it tells the person who does."""

import os
import signal
import time

from lib.broker import Process, free_port, serve, start_pinion
from lib.claims import between, claim, eventually, holds, same
from lib.client import V5, V311, Client
from lib.mosquitto import run
from lib.wire import RawClient

DONE, WRONG_USAGE, WRONG_SETTING = 0, 2, 3
SHUTTING_DOWN = 0x8b


def refused(t, args, env=None):
    """What `pinion serve` says when it does not start, and its exit status."""
    log = os.path.join(t.folder, t.name("refused.log"))
    process = t.keep(Process([t.pinion, "serve", "-p", str(free_port()), *args], log, env))
    status = process.wait(10)
    return status, process.text()


def config(t, text):
    path = os.path.join(t.folder, t.name("pinion.yaml"))
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


@claim(cores=(0,), args=(
    (["--set", "cores=4000"], "cores"),
    (["--set", "cores=0"], "cores"),
    (["--set", "cores=0-99999"], "cores"),
    (["--set", "cores=many"], "cores"),
    (["--set", "coers=4"], "coers"),
    (["--set", "mqtt.max_qos=3"], "mqtt.max_qos"),
    (["--set", "limits.window=-1"], "limits.window"),
    (["--set", "idle=never"], "idle"),
    (["-p", "70000"], "70000"),
))
def wrong_setting_is_refused_by_name(t, args):
    status, said = refused(t, args[0])
    same("exit status", status, WRONG_SETTING)
    holds(f"names the setting: {said}", args[1] in said)
    holds(f"in a few lines: {said}", len(said.splitlines()) <= 3)


@claim(cores=(0,))
def cpu_that_does_not_exist_is_named(t):
    status, said = refused(t, ["--set", "cores=1000"])
    same("exit status", status, WRONG_SETTING)
    status, said = refused(t, ["--set", "cores=1001-1002"])
    same("exit status", status, WRONG_SETTING)
    holds(f"names the CPU: {said}", "1001" in said)


@claim(cores=(0,), text=(
    ("cores: 2\nwhat: 1\n", "what", 2),
    ("mqtt:\n  max_qos: lots\n", "max_qos", 2),
    ("cores: [\n", "", 1),
    ("listeners:\n  - address: nowhere:99999999\n", "listeners", 2),
))
def wrong_file_is_refused_with_file_line_and_key(t, text):
    path = config(t, text[0])
    log = os.path.join(t.folder, t.name("refused.log"))
    process = t.keep(Process([t.pinion, "serve", "-c", path], log))
    same("exit status", process.wait(10), WRONG_SETTING)
    said = process.text()
    holds(f"names file and key: {said}", os.path.basename(path) in said and text[1] in said)
    holds(f"names line {text[2]}: {said}", str(text[2]) in said.replace(path, ""))


@claim(cores=(0,))
def file_that_is_not_there_is_refused_by_name(t):
    status, said = refused(t, ["-c", os.path.join(t.folder, "no-such-file.yaml")])
    same("exit status", status, WRONG_SETTING)
    holds(f"names the file: {said}", "no-such-file.yaml" in said)


@claim(cores=(0,))
def settings_of_file_environment_and_command_line_override_each_other_in_this_order(t):
    path = config(t, "mqtt:\n  max_qos: 0\n  topic_aliases: 7\n  packet: 4 KiB\n")
    env = {"PINION_CONFIG": path, "PINION_MQTT_TOPIC_ALIASES": "8", "PINION_MQTT_PACKET": "8 KiB"}
    broker = serve(t, "mqtt.packet=16 KiB", env=env)
    told = Client(t, "c", broker=broker).open().connack[2]
    same("told", (told.MaximumQoS, told.TopicAliasMaximum, told.MaximumPacketSize),
         (0, 8, 16384))


@claim(cores=(0,), args=(["no-such-command"], ["serve", "--no-such-option"],
                         ["serve", "extra"], ["serve", "-p"]))
def wrong_command_line_is_refused_with_a_hint(t, args):
    done = run([t.pinion, *args], seconds=10)
    same("exit status", done.returncode, WRONG_USAGE)
    holds(f"points to help: {done.stderr}{done.stdout}", "help" in done.stderr + done.stdout)


@claim(cores=(0,))
def second_broker_on_the_same_port_is_refused(t):
    broker = serve(t)
    log = os.path.join(t.folder, t.name("second.log"))
    second = t.keep(Process([t.pinion, "serve", "-p", str(broker.port)], log))
    same("exit status", second.wait(5), WRONG_SETTING)
    holds(f"names the port: {second.text()}", str(broker.port) in second.text())


@claim(cores=(0,), cores_of_broker=(1, 2, 4, 16), which=("TERM", "INT"))
def signal_ends_the_broker_within_five_seconds_with_status_0(t, cores_of_broker, which):
    broker = serve(t, cores=cores_of_broker)
    clients = [Client(t, f"c{i}", broker=broker, will=(t.topic("will"), b"x", 1)).open()
               for i in range(8)]
    clients[0].subscribe("#", 2)
    for c in clients[1:]:
        c.publish(t.topic("x"), b"x" * 1000, 2)
    idle = t.keep(RawClient(broker.port, V311)) # has not said CONNECT
    began = time.monotonic()
    broker.process.send_signal(getattr(signal, "SIG" + which))
    same("exit status", broker.wait(5), DONE)
    between("seconds", time.monotonic() - began, 0, 5)
    for c in clients:
        c.wait_lost(5)
    idle.until_closed(5)


@claim(cores=(0,), cores_of_broker=(1, 4))
def ending_broker_tells_its_5_0_clients(t, cores_of_broker):
    broker = serve(t, cores=cores_of_broker)
    clients = [t.keep(RawClient(broker.port, V5)) for _ in range(8)]
    for i, c in enumerate(clients):
        c.connect(t.name(f"c{i}"))
    broker.terminate()
    for c in clients:
        same("last packets", [(p.type, p.body[:1]) for p in c.until_closed(5)],
             [(14, bytes([SHUTTING_DOWN]))])


@claim(cores=(0,))
def port_is_free_again_at_once(t):
    broker = serve(t)
    Client(t, "c", broker=broker).open().publish("x", b"", 1)
    broker.terminate()
    again = t.keep(start_pinion(t.pinion, t.folder, broker.port, 2))
    Client(t, "d", broker=again).open()


@claim(cores=(0,), cores_of_broker=(1, 2, 16))
def banner_tells_address_cores_data_and_security(t, cores_of_broker):
    broker = serve(t, cores=cores_of_broker)
    said = eventually("the banner's last line", lambda: "try " in broker.text() and broker.text())
    for wanted in ("Pinion ", f"127.0.0.1:{broker.port}", f"[::1]:{broker.port}",
                   f"cores      {cores_of_broker} on CPU", "memory only", "loopback only",
                   f"-p {broker.port}"):
        holds(f"{wanted!r} in the banner: {said}", wanted in said)
    holds("few lines", len(said.splitlines()) <= 12)


@claim(cores=(0,))
def banner_warns_if_strangers_can_come(t):
    port = free_port()
    log = os.path.join(t.folder, t.name("open.log"))
    broker = t.keep(Process([t.pinion, "serve", "--set", "cores=1", "--set", "access.anonymous=yes",
                             "--set", f"listeners=0.0.0.0:{port}"], log))
    eventually("a warning", lambda: "WARNING" in broker.text())


@claim(cores=(0,))
def strangers_are_refused_off_loopback_and_the_log_names_the_setting(t):
    port = free_port()
    log = os.path.join(t.folder, t.name("closed.log"))
    broker = t.keep(Process([t.pinion, "serve", "--set", "cores=2", "--set",
                             f"listeners=0.0.0.0:{port}"], log))
    eventually("a start", lambda: "security" in broker.text())
    for version, code in (("mqttv311", 5), ("mqttv5", 0x87)):
        done = run(["mosquitto_pub", "-V", version, "-p", str(port), "-t", "a", "-m", "b", "-d"],
                   seconds=10)
        holds(f"{version} is told {code}: {done.stdout}",
              f"CONNACK ({code})" in done.stdout or f"({code})" in done.stdout)
    eventually("the setting", lambda: broker.text().count("listeners: anonymous") == 2)


@claim(cores=(0,))
def check_shows_every_setting_and_where_it_comes_from(t):
    done = run([t.pinion, "check", "--set", "cores=1"], seconds=10)
    same("exit status", done.returncode, DONE)
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    for name in ("cores", "listeners", "mqtt.packet", "limits.window", "log.level"):
        holds(f"{name} is shown", name in rows)
    holds(f"origin: {rows['cores']}", "default" not in rows["cores"])
    bad = run([t.pinion, "check", "--set", "cores=none"], seconds=10)
    same("exit status of a wrong setting", bad.returncode, WRONG_SETTING)


@claim(cores=(0,))
def help_and_version_answer(t):
    same("help", run([t.pinion, "help"], seconds=10).returncode, DONE)
    for command in ("serve", "check", "pub", "sub", "bench"):
        done = run([t.pinion, "help", command], seconds=10)
        same(f"help {command}", (done.returncode, "usage: pinion" in done.stdout), (DONE, True))
    holds("version", run([t.pinion, "version"], seconds=10).stdout.startswith("pinion "))


@claim(cores=(0,), setting=("mqtt.retain=false", "mqtt.wildcards=false", "mqtt.shared=false",
                            "mqtt.subscription_ids=false", "mqtt.max_qos=1"))
def feature_that_is_switched_off_is_announced(t, setting):
    told = Client(t, "c", broker=serve(t, setting)).open().connack[2]
    name = {"mqtt.retain": "RetainAvailable", "mqtt.wildcards": "WildcardSubscriptionAvailable",
            "mqtt.shared": "SharedSubscriptionAvailable", "mqtt.max_qos": "MaximumQoS",
            "mqtt.subscription_ids": "SubscriptionIdentifierAvailable"}[setting.split("=")[0]]
    same(name, getattr(told, name, None), 1 if name == "MaximumQoS" else 0)
