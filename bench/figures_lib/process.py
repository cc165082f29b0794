# SPDX-License-Identifier: BSD-3-Clause
"""A child process: pinned, watched through /proc, ended by its process id."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time

START_S = 10
PORTS = range(20000, 32000)  # below those that Linux gives to clients
END_S = 20


def free_port():
    """A TCP port of 127.0.0.1 that nobody uses, and that no client gets by chance."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no free port")


def pinned(cpus, first=False):
    """What a child does before it becomes the program: stay on `cpus`, if there are such, and go
    before all others there, if it is to and may."""
    wanted = set(cpus) & os.sched_getaffinity(0)

    def prepare():
        if wanted:
            os.sched_setaffinity(0, wanted)
        if first:
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

    return prepare


class Child:
    """A broker: a program that listens on a port until it is told to end."""

    def __init__(self, name, command, port, cpus, first=False):
        self.name = name
        self.port = port
        self.killed = False
        self.began = time.monotonic()
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.stderr, preexec_fn=pinned(cpus, first))

    @property
    def pid(self):
        return self.process.pid

    def wait_until_it_listens(self, patience_s=START_S):
        """Raises OSError with what the program said, if it ends or takes too long."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise OSError(f"{self.name} has ended: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise OSError(f"{self.name} does not listen after {patience_s} s: {self.said()}")

    def said(self):
        """The last of its words on stderr."""
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace").strip()[-500:]

    def cpu_s(self):
        """Seconds of CPU that its threads have used."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{task}/schedstat") as f:
                    total += int(f.read().split()[0])
            except FileNotFoundError:
                pass  # the thread has ended
        return total / 1e9

    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def peak(self):
        """The most resident bytes so far."""
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def dirtied(self):
        """Bytes of the page cache that it has changed, in whole folios: more than gets written."""
        try:
            with open(f"/proc/{self.pid}/io") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("write_bytes:"))
        except (PermissionError, StopIteration):
            return 0

    def kill(self):
        """As a crash does."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def end(self):
        """TERM, and KILL if that is not enough. The exit status."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(sig)
            try:
                self.process.wait(END_S)
                break
            except subprocess.TimeoutExpired:
                continue
        self.stderr.close()
        return self.process.returncode


def run(command, cpus, timeout_s, first=False):
    """Runs a program to its end. (stdout, share of a CPU that it used); OSError if it failed."""
    began = time.monotonic()
    before = os.times()
    p = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         preexec_fn=pinned(cpus, first))
    try:
        out, err = p.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise OSError(f"{command[0]} did not end in {timeout_s} s") from None
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    after = os.times()
    cpu = after.children_user + after.children_system \
        - before.children_user - before.children_system
    if p.returncode != 0:
        raise OSError(f"{command[0]} ended with {p.returncode}: {err.decode().strip()[-500:]}")
    return out.decode(), cpu / (time.monotonic() - began)
