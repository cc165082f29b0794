# SPDX-License-Identifier: BSD-3-Clause
"""The loads that have a letter, with what Pinion is to reach against mosquitto.

`bar` is the best known broker's deliveries per CPU-second divided by mosquitto's, `goal` about
twice that, or near what the kernel allows.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    letter: str
    what: str
    mode: str  # pairs, fan-out, fan-in
    publishers: int
    subscribers: int
    payload: int
    window: int = 100
    qos: int = 0
    rate: int = 0  # messages a second of all publishers together; 0: closed loop
    bar: float = None
    goal: float = None


ALL = [
    Scenario("A", "1 to 1, 16 B, window 1000", "pairs", 1, 1, 16, 1000, bar=29, goal=58),
    Scenario("A1", "A with one message in flight", "pairs", 1, 1, 16, 1, bar=1.0, goal=1.05),
    Scenario("B", "50 pairs, 64 B, window 100", "pairs", 50, 50, 64, 100, bar=19, goal=38),
    Scenario("B1", "B with one message in flight each", "pairs", 50, 50, 64, 1, bar=1.0, goal=1.3),
    Scenario("C", "B at QoS 1, window 20", "pairs", 50, 50, 64, 20, qos=1, bar=10, goal=20),
    Scenario("Q2", "B at QoS 2, window 20", "pairs", 50, 50, 64, 20, qos=2, bar=13, goal=26),
    Scenario("D", "1 to 500, 64 B, window 20", "fan-out", 1, 500, 64, 20, bar=12, goal=24),
    Scenario("E", "500 to 1, 64 B, window 20", "fan-in", 500, 1, 64, 20, bar=28, goal=56),
    Scenario("H", "50 pairs, 64 B, 10,000 messages/s together", "pairs", 50, 50, 64, rate=10000),
]

BY_LETTER = {s.letter: s for s in ALL}


def chosen(letters):
    """Scenarios of "A,B"; all of None. KeyError with a sentence."""
    if letters is None:
        return ALL
    unknown = [x for x in letters.split(",") if x not in BY_LETTER]
    if unknown:
        raise KeyError(f"there is no scenario {unknown[0]}; there are {', '.join(BY_LETTER)}")
    return [BY_LETTER[x] for x in letters.split(",")]
