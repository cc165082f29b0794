# SPDX-License-Identifier: BSD-3-Clause
"""Broker processes on free ports of the loopback, watched and ended by their process id."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from lib.claims import Failed

START_S = 20
_taken = set()
_running = set()
_lock = threading.Lock()


def spawn(argv, **more):
    """A process that end_all() knows."""
    process = subprocess.Popen(argv, **{"stdin": subprocess.DEVNULL, **more})
    with _lock:
        _running.add(process)
    return process


def end_all():
    """Kills whatever spawn() has started and still runs: for ends that nobody expected."""
    with _lock:
        left = [process for process in _running if process.poll() is None]
    for process in left:
        process.kill()
    for process in left:
        process.wait(5)


def free_port():
    """A port on which nothing listens now, and which this run has not given away yet."""
    with _lock:
        while True:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                port = s.getsockname()[1]
            if port not in _taken:
                _taken.add(port)
                return port


class Process:
    """A process with its output in a file, ended with TERM and, if that does not help, KILL."""

    def __init__(self, argv, log, env=None):
        self.log = log
        with open(log, "wb") as out:
            self.process = spawn(argv, stdout=out, stderr=subprocess.STDOUT,
                                 env={**os.environ, **(env or {})})

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        """What the process has written so far."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def alive(self):
        return self.process.poll() is None

    def resident(self):
        """Bytes of memory that it has."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def wait(self, seconds):
        """Its exit status; fails if it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(self.process.args)} did not end within {seconds} s") from None

    def terminate(self, seconds=5):
        """Sends TERM and returns (exit status, seconds it took); fails if it takes longer."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.wait(seconds)
        return status, time.monotonic() - began

    def end(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Broker(Process):
    """A broker that listens: constructed, it accepts connections."""

    host = "127.0.0.1"

    def __init__(self, argv, port, log, env=None):
        super().__init__(argv, log, env)
        self.port = port
        try:
            self.wait_for_port()
        except BaseException:
            self.end()
            raise

    def wait_for_port(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if not self.alive():
                raise Failed(f"the broker ended with {self.process.returncode}: {self.text()}")
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"nothing listens on port {self.port} after {START_S} s: {self.text()}")

    def connections_per_core(self):
        """How many sockets each core watches: what its epoll instance holds that is one.

        The kernel tells which descriptors an epoll instance watches; it does not matter here that
        listening sockets are among them, as each core has as many of those.
        """
        fds = f"/proc/{self.pid}/fd"
        sockets = {fd for fd in os.listdir(fds) if _link(f"{fds}/{fd}").startswith("socket:")}
        counts = []
        for fd in os.listdir(fds):
            if "[eventpoll]" in _link(f"{fds}/{fd}"):
                with open(f"/proc/{self.pid}/fdinfo/{fd}", encoding="ascii") as info:
                    watched = set(re.findall(r"^tfd:\s*(\d+)", info.read(), re.MULTILINE))
                counts.append(len(watched & sockets))
        return counts


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""  # closed in the meantime


def serve(bench, *settings, cores=None, env=None):
    """A Pinion of the claim's own, with settings such as "mqtt.max_qos=1"."""
    port = free_port()
    return bench.keep(start_pinion(bench.pinion, bench.folder, port, cores or 1, settings, env))


def start_pinion(pinion, folder, port, cores, settings=(), env=None):
    """Starts `pinion serve` and waits until it listens."""
    argv = [pinion, "serve", "-p", str(port), "--set", f"cores={cores}"]
    for setting in settings:
        argv += ["--set", setting]
    return Broker(argv, port, os.path.join(folder, f"pinion-{cores}-cores-{port}.log"), env)


def mosquitto(bench):
    """Somebody else's broker, for Pinion's own clients to talk to."""
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        raise Failed("mosquitto is not installed")
    port = free_port()
    config = os.path.join(bench.folder, f"mosquitto-{port}.conf")
    with open(config, "w", encoding="ascii") as out:
        out.write(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    log = os.path.join(bench.folder, f"mosquitto-{port}.log")
    return bench.keep(Broker([program, "-c", config], port, log))
