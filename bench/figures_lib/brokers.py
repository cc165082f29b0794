# SPDX-License-Identifier: BSD-3-Clause
"""How to start pinion, mosquitto and the floor, each alone on a free port of loopback."""

import shutil

from .process import free_port

# Both as they come, but for what is needed to run here at all, and for their logs: each would
# write lines for every connection that comes and goes.
PINION_SETTINGS = ("log.level=warn",)
MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
log_type error
"""


def pinion(session, port, cores=1, settings=()):
    """`settings` are KEY=VALUE."""
    command = [session.program("pinion"), "serve", "--port", port, "--set", f"cores={cores}"]
    for s in (*PINION_SETTINGS, *settings):
        command += ["--set", s]
    return command


def mosquitto(session, port, settings=()):
    """`settings` are further lines of its configuration."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if not program:
        raise FileNotFoundError("mosquitto is not installed")
    conf = session.scratch / f"mosquitto-{port}.conf"
    lines = [MOSQUITTO_CONF.format(port=port), *(s + "\n" for s in settings)]
    conf.write_text("".join(lines))
    return [program, "-c", conf]


def floor(session, port):
    return [session.program("bench/load/floor"), port]


BROKERS = {"pinion": pinion, "mosquitto": mosquitto, "floor": floor}


def command(session, name, **how):
    """(command, port)"""
    port = free_port()
    return BROKERS[name](session, port, **how), port
