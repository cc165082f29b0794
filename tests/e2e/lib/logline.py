# SPDX-License-Identifier: BSD-3-Clause
"""Reads the broker's log lines back, as strictly as a program that acts on them would."""

import json
import re

from lib.claims import Failed

START = re.compile(r"(?:(\S+) )?(DEBUG|INFO|WARN|ERROR)(?: core=(\d+))? ([a-z0-9_]+)")
FIELD = re.compile(r' ([a-z0-9_]+)=(?:"([^"\\\x00-\x1f]*(?:\\x[0-9a-f]{2}[^"\\\x00-\x1f]*)*)"'
                   r"|([A-Za-z0-9./:_-]+))")


def unescape(text):
    """The bytes that a quoted value of a text line stands for."""
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode())
    return raw.decode("utf-8", "replace")


def of_text(line):
    """A text line as a dictionary; fails if a byte of it is not accounted for."""
    start = START.match(line)
    if not start:
        raise Failed(f"no log line: {line!r}")
    time, level, core, event = start.groups()
    found = {"time": time, "level": level, "core": core and int(core), "event": event}
    at = start.end()
    while at < len(line):
        field = FIELD.match(line, at)
        if not field or field[1] in found:
            raise Failed(f"not a field at {at}: {line!r}")
        found[field[1]] = field[3] if field[2] is None else unescape(field[2])
        at = field.end()
    return found


def of_json(line):
    """A JSON line as a dictionary; fails if a key comes twice."""

    def once(pairs):
        if len(dict(pairs)) != len(pairs):
            raise Failed(f"a key comes twice: {line!r}")
        return dict(pairs)

    return json.loads(line, object_pairs_hook=once)


def read(path, style="text"):
    """All lines of a log file that have ended."""
    with open(path, "rb") as log:
        text = log.read().decode("utf-8")
    whole = text.split("\n")[:-1]
    return [(of_json if style == "json" else of_text)(line) for line in whole]
