# SPDX-License-Identifier: BSD-3-Clause
"""mosquitto_pub and mosquitto_sub, the command-line clients of the Mosquitto project."""

import json
import subprocess
import threading

from lib.broker import spawn
from lib.claims import WAIT_S, Failed, shorten


def publish(bench, topic, lines=None, qos=0, version="mqttv311", args=(), broker=None):
    """Runs mosquitto_pub; with `lines`, each of them is a message. Fails if it fails."""
    broker = broker or bench.broker
    argv = ["mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-V", version,
            "-t", topic, "-q", str(qos), *args]
    if lines is not None:
        argv.append("-l")
    done = run(argv, "".join(f"{line}\n" for line in lines or ()))
    if done.returncode != 0:
        raise Failed(f"mosquitto_pub ended with {done.returncode}: {done.stderr}")


def run(argv, text="", seconds=60):
    """Runs a command to its end, with bounds."""
    try:
        return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=seconds,
                              check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv[0]} did not end within {seconds} s") from None


class Subscriber:
    """A mosquitto_sub that has subscribed. `heard` is every message, as its JSON output."""

    def __init__(self, bench, *filters, qos=0, version="mqttv311", args=(), broker=None):
        broker = broker or bench.broker
        argv = ["stdbuf", "-oL", "mosquitto_sub", "-h", broker.host, "-p", str(broker.port),
                "-V", version, "-q", str(qos), "-d", "-F", "%j", *args]
        for wanted in filters:
            argv += ["-t", wanted]
        self.heard, self.said, self.subscribed = [], [], False
        self.changed = threading.Condition()
        self.process = spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        bench.keep(self)
        self.wait("SUBACK", lambda: self.subscribed)

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                if line.startswith("{"):
                    self.heard.append(json.loads(line))
                else:
                    self.said.append(line.rstrip())
                    self.subscribed |= line.startswith("Subscribed (")
                self.changed.notify_all()

    def wait(self, what, condition, seconds=WAIT_S):
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise Failed(f"mosquitto_sub: {what}: not within {seconds} s; heard "
                             f"{len(self.heard)}, said {shorten(self.said[-3:])}")

    def wait_heard(self, n, seconds=WAIT_S):
        self.wait(f"{n} messages", lambda: len(self.heard) >= n, seconds)
        return self.heard[:n]

    def payloads(self):
        return [m["payload"] for m in self.heard]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
