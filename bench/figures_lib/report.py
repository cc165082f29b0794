# SPDX-License-Identifier: BSD-3-Clause
"""Medians and tables."""

import statistics


def median_of(runs):
    """The median of each numeric field over several runs; other fields are dropped."""
    return {k: statistics.median(r[k] for r in runs) for k, v in runs[0].items()
            if isinstance(v, (int, float))}


def number(v, digits=3):
    """A number as people read it: 1,234,567 or 0.0123."""
    if v is None:
        return "-"
    if isinstance(v, str):
        return v
    if v == 0:
        return "0"
    if abs(v) >= 10 ** (digits - 1):
        return f"{v:,.0f}"
    return f"{v:.{digits}g}"


def times(v):
    """A ratio: 12.3x"""
    return "-" if v is None else f"{number(v)}x"


def ratio(a, b):
    return a / b if a is not None and b else None


def verdict(value, bar, most=False):
    """How a value stands against its bar: `ok`, or by how much it falls short."""
    if value is None or bar is None:
        return ""
    if value <= bar if most else value >= bar:
        return "ok"
    off = value / bar - 1 if most else 1 - value / bar
    return f"{off:.0%} {'above' if most else 'short'}"


def table(head, rows):
    """Prints rows of cells (numbers or text), as a Markdown table that is also aligned."""
    cells = [[number(c) for c in row] for row in rows]
    width = [max(len(r[i]) for r in [head, *cells]) for i in range(len(head))]

    def line(row):
        first = row[0].ljust(width[0])
        return "| " + " | ".join([first, *(c.rjust(w) for c, w in zip(row[1:], width[1:]))]) + " |"

    print(line(head))
    print("|" + "|".join([":" + "-" * (width[0] + 1)] + ["-" * (w + 1) + ":" for w in width[1:]])
          + "|")
    for row in cells:
        print(line(row))
    print(flush=True)
