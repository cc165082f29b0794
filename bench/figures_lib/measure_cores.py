# SPDX-License-Identifier: BSD-3-Clause
"""two cores against one: messages a second in B, CPU per message in A and D

One core runs on CPU 0 and the generator on CPU 1, as everywhere. Two cores run on CPUs 0 and 1,
and where there are no more CPUs than that the generator shares them: then messages a second say
little, and CPU per message is what to read.

Where clients and topics live depends on their names, which differ from run to run. In A there is
only one of each, so a run may cross cores twice or not at all: it is run more often.
"""

import os
import statistics

from .report import median_of, number, ratio, table, times, verdict
from .scenarios import BY_LETTER

SPEED_UP = 1.8   # of messages a second in B
DEARER = 1.5     # CPU per message in A and D, at most
PLACEMENTS = 4   # times as many runs of A


def measure(session, scenario, cores):
    """Results of all runs."""
    runs = []
    placements = PLACEMENTS if scenario.publishers == scenario.subscribers == 1 else 1
    for i in range(session.runs * placements):
        session.progress(f"cores: {scenario.letter}, {cores}, run {i + 1}")
        with session.broker("pinion", cpus=range(cores), cores=cores) as b:
            r = session.options.generator.run_flow(scenario, b.port, b.pid, session.seconds)
        session.record(scenario=scenario.letter, cores=cores, **r)
        runs.append(r)
    return runs


def compare(session, letter):
    runs = {n: measure(session, BY_LETTER[letter], n) for n in (1, 2)}
    one, two = (median_of(runs[n]) for n in (1, 2))
    # Not the median: what the placements cost together is what a broker with many clients pays.
    dearer = one["per_cpu"] * statistics.mean(1 / r["per_cpu"] for r in runs[2])
    faster = ratio(two["received"], one["received"])
    per_cpu = [r["per_cpu"] for r in runs[2]]
    session.record(scenario=letter, faster=faster, dearer=dearer)
    if letter == "B":
        bar, met = f"{SPEED_UP}x faster", verdict(faster, SPEED_UP)
    else:
        bar, met = f"at most {DEARER}x CPU", verdict(dearer, DEARER, most=True)
    return [letter, one["received"], two["received"], times(faster), one["per_cpu"],
            two["per_cpu"], f"{number(min(per_cpu))} to {number(max(per_cpu))}", times(dearer),
            two["cpus"], two["generator_cpus"], bar, met]


def run(session):
    table(["", "1 core: deliveries/s", "2 cores", "faster", "1 core: per CPU-second", "2 cores",
           "from .. to", "CPU per message", "broker CPUs", "generator CPUs", "bar", "bar met"],
          [compare(session, letter) for letter in ("B", "A", "D")])
    if len(os.sched_getaffinity(0)) < 3:
        print("There are two CPUs: with two cores the generator takes its share of them, so "
              "\"faster\"\nunderstates what two cores could do.")
