# SPDX-License-Identifier: BSD-3-Clause
"""two cores against one: messages a second in B, CPU per message in A and D

One core runs on CPU 0 and the generator on CPU 1, as everywhere. Two cores run on CPUs 0 and 1,
and where there are no more CPUs than that the generator shares them: then messages a second say
little, and CPU per message is what to read.
"""

import os

from .report import median_of, ratio, table, times, verdict
from .scenarios import BY_LETTER

SPEED_UP = 1.8   # of messages a second in B
DEARER = 1.5     # CPU per message in A and D, at most


def measure(session, scenario, cores):
    runs = []
    for i in range(session.runs):
        session.progress(f"cores: {scenario.letter}, {cores}, run {i + 1}")
        with session.broker("pinion", cpus=range(cores), cores=cores) as b:
            r = session.options.generator.run_flow(scenario, b.port, b.pid, session.seconds)
        session.record(scenario=scenario.letter, cores=cores, **r)
        runs.append(r)
    return median_of(runs)


def run(session):
    rows = []
    for letter in ("B", "A", "D"):
        one, two = (measure(session, BY_LETTER[letter], n) for n in (1, 2))
        faster = ratio(two["received"], one["received"])
        dearer = ratio(one["per_cpu"], two["per_cpu"])
        session.record(scenario=letter, faster=faster, dearer=dearer)
        bar = f"{SPEED_UP}x faster" if letter == "B" else f"at most {DEARER}x CPU"
        met = verdict(faster, SPEED_UP) if letter == "B" else verdict(dearer, DEARER, most=True)
        rows.append([letter, one["received"], two["received"], times(faster), one["per_cpu"],
                     two["per_cpu"], times(dearer), two["cpus"], two["generator_cpus"], bar, met])
    table(["", "1 core: deliveries/s", "2 cores", "faster", "1 core: per CPU-second", "2 cores",
           "CPU per message", "broker CPUs", "generator CPUs", "bar", "bar met"], rows)
    if os.cpu_count() < 3:
        print("There are two CPUs: with two cores the generator takes its share of them, so "
              "\"faster\"\nunderstates what two cores could do.")
