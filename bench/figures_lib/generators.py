# SPDX-License-Identifier: BSD-3-Clause
"""Who makes the load: `pinion bench`, or another program that reports key=value pairs.

Whoever it is, a run comes back as the same fields:
  received, per_cpu   deliveries per second, and per second of the broker's CPU
  cpus                CPUs that the broker used
  p50_us, p99_us      latency
  lost, failed        messages and connections
  generator_cpus      CPUs that the generator used: near 1, it was the limit
"""

import json
import pathlib

from . import process

SLACK_S = 40  # for connecting and for draining


class PinionBench:
    """`pinion bench --json`."""

    name = "pinion bench"

    def __init__(self, path):
        self.path = path

    def run_flow(self, s, port, pid, seconds, transport="tcp"):
        measure_s, warmup_s = seconds
        command = [self.path, "bench", "--json", "-m", s.mode, "-p", port, "-B", pid,
                   "-P", s.publishers, "-S", s.subscribers, "-l", s.payload, "-q", s.qos,
                   "-d", f"{int(measure_s * 1000)}ms", "-W", f"{int(warmup_s * 1000)}ms"]
        command += ["-r", s.rate] if s.rate else ["-w", s.window]
        if transport != "tcp":
            command += ["-t", transport]
        out, cpus = process.run(command, {1}, measure_s + warmup_s + SLACK_S)
        r = json.loads(out)
        return {"received": r["received"], "per_cpu": r["received_per_cpu"],
                "cpus": r["broker_cpu"], "p50_us": r["p50"] * 1000, "p99_us": r["p99"] * 1000,
                "lost": r["lost"], "duplicate": r["duplicate"], "failed": r["failed"],
                "stalls": r["stalls"], "generator_cpus": cpus}

    def run_mode(self, mode, port, pid, *more, timeout_s=120, first=False, cpus=(1,)):
        """Another mode, as it reports it."""
        command = [self.path, "bench", "--json", "-m", mode, "-p", port, "-B", pid, *more]
        out, used = process.run(command, cpus, timeout_s, first)
        return {**json.loads(out), "generator_cpus": used}


class Mqttload:
    """A generator outside the tree that prints one line of key=value pairs."""

    name = "mqttload"
    TRANSPORTS = {"tcp": [], "tls": ["-t"], "ws": ["-x"], "wss": ["-t", "-x"]}
    MODES = {"pairs": "pair", "fan-out": "fanout", "fan-in": "fanin"}

    def __init__(self, path):
        self.path = path

    def run_flow(self, s, port, pid, seconds, transport="tcp"):
        measure_s, warmup_s = seconds
        command = [self.path, *self.TRANSPORTS[transport], "-m", self.MODES[s.mode], "-p", port, "-B", pid,
                   "-P", s.publishers, "-S", s.subscribers, "-l", s.payload, "-q", s.qos,
                   "-d", measure_s, "-W", warmup_s]
        command += ["-r", s.rate] if s.rate else ["-w", s.window]
        out, cpus = process.run(command, {1}, measure_s + warmup_s + SLACK_S)
        r = dict(pair.partition("=")[::2] for pair in out.split())
        return {"received": float(r["out"]), "per_cpu": float(r["msgs_per_cpu_s"]),
                "cpus": float(r["cpu_pct"]) / 100, "p50_us": float(r["p50_us"]),
                "p99_us": float(r["p99_us"]), "lost": float(r["loss"]), "duplicate": None,
                "failed": float(r["fails"]), "stalls": float(r["stalls"]),
                "generator_cpus": cpus}


def chosen(text, build):
    """The generator of `--generator`. KeyError with a sentence."""
    name, _, path = text.partition("=")
    if name == "pinion":
        return PinionBench(pathlib.Path(path) if path else build / "pinion")
    if name == "mqttload" and path:
        return Mqttload(pathlib.Path(path))
    raise KeyError(f"generator {text}: pinion or mqttload=PATH")
