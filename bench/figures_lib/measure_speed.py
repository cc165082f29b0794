# SPDX-License-Identifier: BSD-3-Clause
"""deliveries per CPU-second of a broker on one core, against mosquitto and the floor

The broker runs on CPU 0, the generator on CPU 1. What a broker costs is its CPU time, so the
figure does not depend on how fast the generator is; each run has a fresh broker.
"""

from .report import median_of, ratio, table, times, verdict
from .session import Trouble

BROKERS = ("pinion", "mosquitto", "floor")


def measure(session, scenario, broker):
    with session.broker(broker) as b:
        r = session.options.generator.run_flow(scenario, b.port, b.pid, session.seconds)
    session.record(scenario=scenario.letter, broker=broker, **r)
    return r


def medians(session, scenario):
    """Broker to medians. Brokers take turns, so that all have the same bad luck."""
    runs = {b: [] for b in BROKERS if session.wants(b)}
    for i in range(session.runs):
        for broker in runs:
            session.progress(f"speed: {scenario.letter}, {broker}, run {i + 1}")
            try:
                runs[broker].append(measure(session, scenario, broker))
            except Trouble as e:
                session.trouble(f"{scenario.letter}: {e}")
    return {b: median_of(r) for b, r in runs.items() if r}


def per_cpu_row(s, got):
    own, peer, floor = (got.get(b, {}).get("per_cpu") for b in BROKERS)
    r = ratio(own, peer)
    bar = times(s.bar) if s.bar else "-"
    goal = times(s.goal) if s.goal else "-"
    share = ratio(own, floor)
    return [s.letter, own, peer, floor, times(r), bar, goal, verdict(r, s.bar),
            f"{share:.0%}" if share else "-", times(ratio(floor, peer))]


def latency_rows(s, got):
    return [[f"{s.letter} {b}", *(m[k] for k in
             ("received", "cpus", "generator_cpus", "p50_us", "p99_us", "lost", "failed"))]
            for b, m in got.items()]


def latency_verdict(got):
    """H: p50 and p99 no worse than mosquitto's."""
    own, peer = got.get("pinion"), got.get("mosquitto")
    if not own or not peer:
        return
    words = [f"{k[:3]} {own[k]:.1f} us against {peer[k]:.1f}: "
             f"{verdict(own[k], peer[k], most=True)}" for k in ("p50_us", "p99_us")]
    print(f"Latency in H, to be no worse than mosquitto's: {'; '.join(words)}.\n")


def run(session):
    results = {}
    for s in session.options.scenarios:
        results[s] = medians(session, s)
        session.record(scenario=s.letter, medians=results[s], bar=s.bar, goal=s.goal)
    print("Deliveries per CPU-second of the broker:\n")
    table(["", "pinion", "mosquitto", "floor", "ratio", "bar", "goal", "bar met", "of floor",
           "floor ratio"],
          [per_cpu_row(s, got) for s, got in results.items()])
    print("The same runs, in more detail (latency is the load's own, but for H, where the rate is "
          "given):\n")
    table(["", "deliveries/s", "broker CPUs", "generator CPUs", "p50 us", "p99 us", "lost",
           "failed"],
          [row for s, got in results.items() for row in latency_rows(s, got)])
    for s, got in results.items():
        if s.rate:
            latency_verdict(got)
