# SPDX-License-Identifier: BSD-3-Clause
"""One run of the tool: its options, its JSON lines, the brokers it starts and always ends."""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile

from . import brokers
from .process import START_S, Child

BUSY = 0.5  # load average from which figures deserve no trust


class Trouble(Exception):
    """Something cannot be measured; says what."""


class Session:
    """Use it with `with`."""

    def __init__(self, options):
        self.options = options
        self.runs = options.runs or (1 if options.quick else 3)
        self.measure = ""
        self.failed = False
        self.json = None
        self.scratch = None
        self.companions = {}  # what brokers need beside them, by name: ended with the run

    def __enter__(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="pinion-figures-"))
        if self.options.json:
            self.json = self.options.json.open("a")
        return self

    def __exit__(self, *_):
        for c in self.companions.values():
            c.end()
        shutil.rmtree(self.scratch, ignore_errors=True)
        if self.json:
            self.json.close()

    @property
    def quick(self):
        return self.options.quick

    @property
    def seconds(self):
        """How long a load is measured, and how long it runs before that."""
        return (1, 0.3) if self.quick else (3, 1)

    def wants(self, broker):
        return broker in self.options.brokers

    def program(self, name):
        """A program of the build."""
        path = self.options.build / name
        if not path.exists():
            raise Trouble(f"{path} is missing: cmake --preset release && "
                          "cmake --build build/release")
        return path

    def begin(self, name, what):
        self.measure = name
        print(f"\n## {name}: {what.splitlines()[0]}", flush=True)

    def record(self, **fields):
        """One result, as a JSON line."""
        if self.json:
            json.dump({"measure": self.measure, **fields}, self.json)
            self.json.write("\n")
            self.json.flush()

    def trouble(self, error):
        """Something could not be measured; the rest goes on."""
        print(f"bench/figures: {self.measure}: {error}", file=sys.stderr)
        self.record(trouble=str(error))
        self.failed = True

    def progress(self, text):
        """What happens at the moment, on a terminal only."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def broker(self, name, cpus=(0,), prefix=(), patience_s=START_S, first=False, **how):
        """A broker that runs and is ended afterwards, whatever happens."""
        try:
            command, port = brokers.command(self, name, **how)
            child = Child(name, [*prefix, *command], port, cpus, first)
        except OSError as e:
            raise Trouble(f"{name}: {e}") from e
        try:
            child.wait_until_it_listens(patience_s)
            yield child
            if child.process.poll() is not None and not child.killed:
                raise Trouble(f"{name} ended while it was measured: {child.said()}")
        except (OSError, ValueError, KeyError) as e:  # the broker, or what a generator printed
            raise Trouble(f"{name}: {type(e).__name__}: {e}") from e
        finally:
            child.end()
            self.progress("")

    def describe_machine(self):
        """Prints what is needed to judge the figures, and warns if others use the machine."""
        model = "unknown CPU"
        with open("/proc/cpuinfo") as f:
            for line in f:
                if line.startswith("model name"):
                    model = line.split(":", 1)[1].strip()
                    break
        cpus = len(os.sched_getaffinity(0))
        load = os.getloadavg()[0]
        tcp = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
        print(f"{model}, {cpus} CPUs, Linux {platform.release()}, TCP {tcp}; "
              f"load average {load:.2f}; generator {self.options.generator.name}; "
              f"medians of {self.runs}")
        if load > BUSY:
            print("WARNING: others use this machine; figures will be noisy")
        if cpus < 2:
            print("WARNING: broker and generator share one CPU")
        self.measure = "machine"
        self.record(cpu=model, cpus=cpus, kernel=platform.release(), tcp=tcp, load=load,
                    runs=self.runs, quick=self.quick, generator=self.options.generator.name)
