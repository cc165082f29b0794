# SPDX-License-Identifier: BSD-3-Clause
"""How to start pinion, mosquitto and the floor, each alone on a free port of loopback."""

import pathlib
import shutil
import subprocess

from .process import free_port

# Both as they come, but for what is needed to run here at all, and for their logs: each would
# write lines for every connection that comes and goes.
PINION_SETTINGS = ("log.level=warn",)
SECURE = ("tls", "wss")
RABBITMQ_HOME = pathlib.Path("/usr/lib/rabbitmq")
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


def certificate(session):
    """(certificate, key), made for this run: a curve, since its handshake is the cheaper one."""
    pem, key = session.scratch / "server.pem", session.scratch / "server.key"
    if not pem.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-keyout", key, "-out", pem],
                       check=True, capture_output=True)
        key.chmod(0o644)  # mosquitto, started by root, gives its rights up before it reads it
        session.scratch.chmod(0o755)
    return pem, key


def pinion_by(session, port, transport):
    """One listener of that transport."""
    conf = session.scratch / f"pinion-{port}.yaml"
    lines = ["listeners:", f"  - address: 127.0.0.1:{port}", f"    transport: {transport}"]
    if transport in SECURE:
        pem, key = certificate(session)
        lines += ["    tls:", f"      certificate: {pem}", f"      key: {key}"]
    conf.write_text("\n".join(lines) + "\n")
    command = [session.program("pinion"), "serve", "--config", conf, "--set", "cores=1"]
    for s in PINION_SETTINGS:
        command += ["--set", s]
    return command


def mosquitto_by(session, port, transport):
    """One listener of that transport."""
    lines = ["protocol websockets"] if transport in ("ws", "wss") else []
    if transport in SECURE:
        pem, key = certificate(session)
        lines += [f"certfile {pem}", f"keyfile {key}"]
    if transport != "tcp":  # 2.0.11 does not start with WebSocket alone
        lines += [f"listener {free_port()} 127.0.0.1"]
    return mosquitto(session, port, lines)


def floor(session, port):
    return [session.program("bench/load/floor"), port]


BROKERS = {"pinion": pinion, "mosquitto": mosquitto, "floor": floor}
BY_TRANSPORT = {"pinion": pinion_by, "mosquitto": mosquitto_by}


def command(session, name, transport=None, maker=None, **how):
    """(command, port); `maker` makes the command of a port."""
    port = free_port()
    if maker:
        return maker(port), port
    if transport:
        return BY_TRANSPORT[name](session, port, transport), port
    return BROKERS[name](session, port, **how), port
