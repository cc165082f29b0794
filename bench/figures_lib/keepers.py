# SPDX-License-Identifier: BSD-3-Clause
"""How to start brokers so that they keep messages in a directory, and what each then promises.

All but mosquitto's first are as safe as their settings can make them. mosquitto writes its
whole database each time, and acknowledges before it does so.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass

from . import brokers
from .process import Child, free_port

PINION_QUEUES = ("limits.queue_messages=16777216", "limits.queue_bytes=64GiB")
RABBITMQ_CONF = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = true
log.console = false
log.file.level = error
"""
NATS_CONF = """\
host: 127.0.0.1
port: {inner}
server_name: figures
logtime: false
jetstream {{ store_dir: "{data}"{sync} }}
mqtt {{ host: 127.0.0.1, port: {port} }}
"""


SYNCED = "synced"


class Missing(Exception):
    """This machine cannot have that broker; says why."""


@dataclass(frozen=True)
class Keeper:
    label: str
    broker: str      # of which it is one form, for --brokers
    promise: str     # what has happened when a publish is acknowledged
    command: object  # (session, port, data) to a command line; may raise Missing
    survives_kill: bool = True
    patience_s: int = 20

    @property
    def synced(self):
        """Acknowledged means on disk."""
        return self.promise == SYNCED


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def pinion(durability):
    def command(session, port, data):
        kept = durability and (f"data.dir={data}", f"data.durability={durability}")
        return brokers.pinion(session, port, settings=(*PINION_QUEUES, *(kept or ())))
    return command


def mosquitto(*more):
    def command(session, port, data):
        program("mosquitto")
        lines = ["persistence true", f"persistence_location {data}/", "max_queued_messages 0",
                 "set_tcp_nodelay true", *more]
        if os.geteuid() == 0:
            lines.append("user root")  # else it becomes somebody who may not write there
        return brokers.mosquitto(session, port, lines)
    return command


def erlang_names(session):
    """The port of the name server that RabbitMQ does not do without; one for the whole run."""
    if "epmd" not in session.companions:
        port = free_port()
        command = [program("epmd"), "-address", "127.0.0.1", "-port", port]
        server = Child("epmd", command, port, (0,))
        session.companions["epmd"] = server
        server.wait_until_it_listens()
    return session.companions["epmd"].port


def rabbitmq(session, port, data):
    program("rabbitmq-server")  # in the path stands a script that starts a system service
    server = next(iter(sorted(brokers.RABBITMQ_HOME.glob("lib/*/sbin/rabbitmq-server"))), None)
    if not server:
        raise Missing(f"{brokers.RABBITMQ_HOME} does not hold rabbitmq-server")
    (data / "plugins").write_text("[rabbitmq_mqtt].\n")
    (data / "rabbitmq.conf").write_text(RABBITMQ_CONF.format(port=port))
    settings = {
        "HOME": data, "NODENAME": f"figures{port}@localhost", "MNESIA_BASE": data / "mnesia",
        "LOG_BASE": data / "log", "ENABLED_PLUGINS_FILE": data / "plugins",
        "CONFIG_FILE": data / "rabbitmq.conf", "CONF_ENV_FILE": data / "none",
        "DIST_PORT": free_port(), "ALLOW_INPUT": 1,  # the Erlang machine takes the shell's place
        "SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -noinput",
    }
    environment = [f"{k if k == 'HOME' else 'RABBITMQ_' + k}={v}" for k, v in settings.items()]
    return ["env", *environment, "ERL_EPMD_ADDRESS=127.0.0.1",
            f"ERL_EPMD_PORT={erlang_names(session)}", server]


def nats(sync=""):
    def command(_session, port, data):
        server = program("nats-server")
        conf = data / "nats.conf"
        conf.write_text(NATS_CONF.format(inner=free_port(), port=port, data=data, sync=sync))
        said = subprocess.run([server, "-t", "-c", conf], capture_output=True, text=True)
        if said.returncode:
            version = subprocess.run([server, "--version"], capture_output=True, text=True).stdout
            raise Missing(f"{version.strip()} refuses {sync.strip(', ')}")
        return [server, "-c", conf]
    return command


ALL = [
    Keeper("pinion, memory", "pinion", "nothing kept", pinion(None), survives_kill=False),
    Keeper("pinion, interval", "pinion", "written within 1 s", pinion("interval")),
    Keeper("pinion, commit", "pinion", SYNCED, pinion("commit")),
    Keeper("mosquitto", "mosquitto", "written within 30 min", mosquitto(), survives_kill=False),
    Keeper("mosquitto, autosave", "mosquitto", "written after each change, later",
           mosquitto("autosave_on_changes true", "autosave_interval 1"), survives_kill=False),
    Keeper("rabbitmq", "rabbitmq", SYNCED, rabbitmq, patience_s=90),
    Keeper("nats", "nats", "written, synced within 2 min", nats()),
    Keeper("nats, sync", "nats", SYNCED, nats(", sync_interval: always")),
]

BY_LABEL = {k.label: k for k in ALL}
