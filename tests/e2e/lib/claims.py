# SPDX-License-Identifier: BSD-3-Clause
"""Claims: functions that say in their name what a client can rely on, and how they are judged.

A claim takes one argument, the Bench it works on, and raises Failed (or anything else) if it
does not hold. The runner runs it once per number of cores and per case of its table.
"""

import itertools
import time
import uuid

ALL_CORES = (1, 2, 4, 16)
WAIT_S = 20  # the longest that anything may take on a busy machine


class Failed(Exception):
    """A claim does not hold."""


class Claim:
    """A function, the numbers of cores it is made for, and what it must know about the runner.

    cores    the numbers of cores of the broker; (0,) if the claim starts its own, or none
    long     spends its time waiting: started first, so that others fill the time
    heavy    wants the machine: few of them run at a time
    """

    def __init__(self, function, cores, case, long, heavy):
        self.function, self.cores, self.case = function, cores, case
        self.long, self.heavy = long, heavy
        words = " ".join(f"{k}={v}" for k, v in case.items())
        self.name = function.__name__ + (f" [{words}]" if words else "")


CLAIMS = []


def claim(cores=ALL_CORES, long=False, heavy=False, **table):
    """Declares a claim. `table` gives arguments their values; all combinations are run."""

    def declare(function):
        for values in itertools.product(*table.values()):
            case = dict(zip(table.keys(), values))
            CLAIMS.append(Claim(function, cores, case, long, heavy))
        return function

    return declare


def same(what, got, wanted):
    """Fails unless both are equal."""
    if got != wanted:
        raise Failed(f"{what}: got {shorten(got)}, wanted {shorten(wanted)}")


def holds(what, truth):
    """Fails unless `truth` is true; `what` says what should be."""
    if not truth:
        raise Failed(what)


def between(what, got, low, high):
    """Fails unless low <= got <= high."""
    if not low <= got <= high:
        raise Failed(f"{what}: got {got}, wanted {low} to {high}")


def eventually(what, condition, seconds=WAIT_S):
    """Waits until condition() is true and returns its value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def shorten(value, most=300):
    """A value as text that fits in a line."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + "..."


class Bench:
    """What one run of a claim has: a broker that may be shared, names that are not, and clients
    and processes that are ended with it."""

    def __init__(self, broker, folder, pinion):
        self.broker, self.folder, self.pinion = broker, folder, pinion
        self.prefix = uuid.uuid4().hex[:10]
        self.opened = []

    def topic(self, rest):
        """A topic or filter that no other claim uses."""
        return f"{self.prefix}/{rest}"

    def name(self, rest):
        """A client id that no other claim uses."""
        return f"{self.prefix}-{rest}"

    def keep(self, thing):
        """Sees to it that thing.end() is called when the claim has ended."""
        self.opened.append(thing)
        return thing

    def end(self):
        """Ends everything in the opposite order of its beginning."""
        while self.opened:
            self.opened.pop().end()
