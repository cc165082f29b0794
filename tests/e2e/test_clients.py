# SPDX-License-Identifier: BSD-3-Clause
"""Other people's clients in other languages, over every transport: Eclipse Paho in C."""

import os
import subprocess

from lib.claims import Failed, claim, same
from test_transports import SECURE, Authority, start

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "paho_client.c")
# Over WebSocket in TLS, Paho C 1.3.12 sends no message of 64 KiB or more to any broker: its wait for
# the acknowledgement ends with a failure, with mosquitto as well.
MOST = {"wss": 30000}
SCHEMES = {"tcp": "tcp", "tls": "ssl", "ws": "ws", "wss": "wss"}


def compiled(t):
    """The program, built against Debian's libpaho-mqtt-dev."""
    program = os.path.join(t.folder, t.name("paho"))
    done = subprocess.run(["cc", "-O1", "-Wall", "-o", program, SOURCE, "-lpaho-mqtt3cs"],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise Failed(f"paho_client.c: {done.stderr[:400]}")
    return program


@claim(cores=(0,), heavy=True, transport=("tcp", "tls", "ws", "wss"), version=("4", "5"))
def pahos_c_client_gets_all_it_sends(t, transport, version):
    authority = Authority(t)
    broker = start(t, authority, transport)
    path = "/mqtt" if transport in ("ws", "wss") else ""
    ca = authority.ca if transport in SECURE else ""
    uri = f"{SCHEMES[transport]}://localhost:{broker.port}{path}"
    done = subprocess.run([compiled(t), uri, version, ca, t.topic("a"),
                           str(MOST.get(transport, 1 << 20))], capture_output=True, text=True,
                          timeout=60, check=False)
    same(f"exit status ({done.stderr})", done.returncode, 0)
    same("its words", done.stdout, f"{3 * (5 if transport in MOST else 7)} messages\n")
