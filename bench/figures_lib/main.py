# SPDX-License-Identifier: BSD-3-Clause
"""The command line of bench/figures."""

import argparse
import pathlib
import resource
import signal
import sys

from . import (generators, measure_callgrind, measure_connects, measure_cores, measure_durable,
               measure_hostile, measure_idle, measure_retained, measure_rings, measure_speed, measure_subs,
               measure_transports, scenarios)
from .session import Session, Trouble

ROOT = pathlib.Path(__file__).resolve().parents[2]

MEASUREMENTS = {
    "speed": measure_speed,
    "transports": measure_transports,
    "cores": measure_cores,
    "callgrind": measure_callgrind,
    "idle": measure_idle,
    "connects": measure_connects,
    "hostile": measure_hostile,
    "retained": measure_retained,
    "subs": measure_subs,
    "rings": measure_rings,
    "durable": measure_durable,
}


def parse():
    """The options; ends the program on a wrong command line."""
    names = "\n".join(f"  {n:12}{m.__doc__.splitlines()[0]}" for n, m in MEASUREMENTS.items())
    letters = "\n".join(f"  {s.letter:12}{s.what}" for s in scenarios.ALL)
    p = argparse.ArgumentParser(
        prog="bench/figures", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures Pinion side by side with mosquitto and with the floor.",
        epilog=f"measurements:\n{names}\n\nscenarios:\n{letters}\n")
    p.add_argument("name", nargs="*", help="what to measure (all)")
    p.add_argument("--quick", action="store_true", help="once and briefly: a few minutes in all")
    p.add_argument("--runs", type=int, help="runs of each, of which the median counts (3)")
    p.add_argument("--scenarios", help="only these, as in A,B,C")
    p.add_argument("--brokers", default="pinion,mosquitto,floor,rabbitmq,nats",
                   help="only these (pinion,mosquitto,floor; for durable also rabbitmq,nats)")
    p.add_argument("--data", type=pathlib.Path, metavar="DIR",
                   help="durable: where brokers keep their data, on a disk (the build's folder)")
    p.add_argument("--parts", help="durable: only these of load,raw,service,recovery")
    p.add_argument("--json", type=pathlib.Path, metavar="FILE", help="append each result to FILE")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", metavar="DIR",
                   help="the build that is measured (build/release)")
    p.add_argument("--generator", default="pinion", metavar="G",
                   help="pinion, or mqttload=PATH: another yardstick, to check the first")
    o = p.parse_args()
    unknown = [n for n in o.name if n not in MEASUREMENTS]
    if unknown:
        p.error(f"there is no measurement {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
    o.brokers = o.brokers.split(",")
    o.data = o.data or o.build
    try:
        o.scenarios = scenarios.chosen(o.scenarios)
        o.generator = generators.chosen(o.generator, o.build)
    except KeyError as e:
        p.error(str(e.args[0]))
    return o


def main():
    """Runs what was asked for. 0, or 1 if something could not be measured."""
    o = parse()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children are ended
    with Session(o) as session:
        session.describe_machine()
        for name in o.name or MEASUREMENTS:
            session.begin(name, MEASUREMENTS[name].__doc__)
            try:
                MEASUREMENTS[name].run(session)
            except Trouble as e:
                session.trouble(e)
        return 1 if session.failed else 0
