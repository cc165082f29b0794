# SPDX-License-Identifier: BSD-3-Clause
"""Brokers that are killed and started again on the same data, and the disks they write to."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib.broker import free_port, spawn
from lib.claims import Failed
from lib.mosquitto import run

END_S = 10
VARIED = {  # by every start: small files come to an end often, and are made anew
    "data.segment": ("512 KiB", "512 KiB", "4 MiB"),
    "data.queue_memory": ("64 MiB", "0"),
    "data.engine": ("auto", "auto", "threads"),
}
MOUNT_S = 10


class Broker:
    """A broker program on a port and a data directory that stay."""

    def __init__(self, folder, disk, settings=()):
        self.folder, self.disk, self.settings = folder, disk, settings
        self.port, self.process, self.starts = free_port(), None, 0

    def start(self, cores, luck):
        """Starts it; does not wait."""
        self.starts += 1
        self.log = os.path.join(self.folder, f"broker-{self.starts:04}.log")
        with open(self.log, "wb") as out:
            self.process = spawn(self.argv(cores, luck), stdout=out, stderr=subprocess.STDOUT)
        if self.starts > 20:  # the last ones tell the story
            self.remove_log(self.starts - 20)

    def remove_log(self, number):
        path = os.path.join(self.folder, f"broker-{number:04}.log")
        if os.path.exists(path):
            os.remove(path)

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        """As a crash of the process: nothing it has not given to the kernel survives."""
        self.process.kill()
        self.process.wait(END_S)

    def terminate(self):
        """In good order; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"did not end within {END_S} s") from None

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-1500:]


class Pinion(Broker):
    """`durability`: of data.durability; None: without a data directory."""

    def __init__(self, program, durability, *rest):
        super().__init__(*rest)
        self.program, self.durability = program, durability

    def argv(self, cores, luck):
        argv = [self.program, "serve", "-p", str(self.port)]
        settings = [f"cores={cores}", "pin=false", *self.settings]
        if self.durability:
            settings += [f"data.dir={self.disk.path}", f"data.durability={self.durability}",
                         "mqtt.packet=128 KiB", "data.interval=100ms"]
            settings += [f"{name}={luck.choice(values)}" for name, values in VARIED.items()]
        for setting in settings:
            argv += ["--set", setting]
        return argv


class Mosquitto(Broker):
    """Somebody else's broker: it saves when it ends in good order, else every half hour."""

    def argv(self, cores, luck):
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not program:
            raise Failed("mosquitto is not installed")
        config = os.path.join(self.folder, "mosquitto.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
                      f"persistence true\npersistence_location {self.disk.path}/\n"
                      "max_queued_messages 0\nmax_inflight_messages 100\n"
                      + "".join(f"{line}\n" for line in self.settings))
        os.makedirs(self.disk.path, exist_ok=True)
        return [program, "-c", config]


class PowerGone(Exception):
    """The power failed by itself, within a write."""


class Disk:
    """A directory; what was written stays when the broker dies."""

    dead = False

    def __init__(self, folder):
        self.path = os.path.join(folder, "data")

    def failed(self):
        """May what the broker says be due to that?"""
        return False

    def lose_power(self, luck):
        """The broker is dead; now the machine is, too."""

    def end(self):
        """Nothing to be done."""


class LazyDisk(Disk):
    """A directory of LazyFS (https://github.com/dsrhaslab/lazyfs): what was not synced is gone when
    the power fails. Sometimes it fails by itself, within a write, of which parts remain."""

    def __init__(self, folder, program):
        super().__init__(folder)
        self.folder, self.program, self.process = folder, program, None
        self.mount, self.root = os.path.join(folder, "mnt"), os.path.join(folder, "root")
        self.path, self.tears = os.path.join(self.mount, "data"), 0
        self.orders, self.answers = os.path.join(folder, "orders"), os.path.join(folder, "answers")
        self.config = os.path.join(folder, "lazyfs.toml")
        for path in (self.mount, self.root):
            os.mkdir(path)
        os.mkfifo(self.orders)
        os.mkfifo(self.answers)
        self.answered = os.open(self.answers, os.O_RDWR | os.O_NONBLOCK)
        self.begin()
        self.prove()

    def begin(self, faults=""):
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f'[faults]\nfifo_path="{self.orders}"\nfifo_path_completed="{self.answers}"\n'
                      '[cache]\napply_eviction=false\n[cache.simple]\ncustom_size="300mb"\n'
                      'blocks_per_page=1\n[filesystem]\nlog_all_operations=false\nlogfile=""\n'
                      + faults)
        with open(os.path.join(self.folder, "lazyfs.log"), "ab") as out:
            self.process = spawn([self.program, self.mount, "--config-path", self.config,
                                  "-o", "modules=subdir", "-o", f"subdir={self.root}", "-f"],
                                 stdout=out, stderr=subprocess.STDOUT)
        self.wait("LazyFS to mount", lambda: os.path.ismount(self.mount))

    @property
    def dead(self):
        return self.process.poll() is not None

    def failed(self):
        """A look at it: the kernel tells the broker some time before the process is gone."""
        try:
            os.listdir(self.mount)
        except OSError:
            self.wait_for_end()
        return self.dead

    def wait_for_end(self):
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def prove(self):
        """It forgets what it should, and nothing else: else nothing here would prove anything."""
        path = os.path.join(self.mount, "probe")
        with open(path, "wb", buffering=0) as out:
            out.write(b"kept")
            os.fdatasync(out.fileno())
            out.write(b"lost")
        self.forget()
        with open(path, "rb") as kept:
            if kept.read() != b"kept":
                raise Failed("LazyFS does not forget what was not synced")

    def wait(self, what, condition):
        end = time.monotonic() + MOUNT_S
        while not condition():
            if time.monotonic() > end or self.dead:
                raise Failed(f"waited for {what} in vain; see lazyfs.log")
            time.sleep(0.01)

    def lose_power(self, luck):
        if self.dead:
            self.tears += 1
            self.unmount()
            self.begin()
            return
        self.forget()
        if luck.random() < 0.4 and (faults := self.faults(luck)):
            self.unmount()
            self.begin(faults)

    def forget(self):
        with open(self.orders, "w", encoding="ascii") as out:
            out.write("lazyfs::clear-cache\n")
        self.wait("LazyFS to forget", self.has_answered)

    def has_answered(self):
        try:
            return b"finished" in os.read(self.answered, 4096)
        except BlockingIOError:
            return False

    def faults(self, luck):
        """One of the next writes to each log is torn: LazyFS ends itself within it."""
        out = ""
        for log in sorted(Path(self.root).glob("data/core-*")):
            for segment in sorted(log.glob("*.log"))[-2:]:
                kept = luck.choice(("1", "2", "1,3", "2,3"))
                out += (f'[[injection]]\ntype="torn-op"\nfile="{segment}"\n'
                        f"occurrence={luck.randrange(1, 150)}\nparts=3\npersist=[{kept}]\n")
        return out

    def unmount(self):
        run(["umount", "-l", self.mount], seconds=END_S)
        self.wait_for_end()

    def end(self):
        self.unmount()
        os.close(self.answered)
