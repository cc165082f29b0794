# SPDX-License-Identifier: BSD-3-Clause
"""Reads what callgrind writes: instructions per function and source file.

The format (valgrind manual, "Callgrind Format Specification"): `fl=`, `fi=` and `fe=` set the
source file, `fn=` the function; a line that begins with a number is a cost, the first number a
line number and the second the instructions. The cost after `calls=` belongs to the callee.
"""

import collections


def read(path):
    """Counter of (file, function) to instructions. Strings must not be compressed."""
    costs = collections.Counter()
    file = function = ""
    skip = False
    with open(path) as f:
        for line in f:
            key, _, value = line.rstrip("\n").partition("=")
            if key in ("fl", "fi", "fe"):
                file = value
            elif key == "fn":
                function = value
            elif key == "calls":
                skip = True
            elif line[:1].isdigit():
                if not skip:
                    costs[file, function] += int(line.split()[1])
                skip = False
    return costs
