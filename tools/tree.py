# SPDX-License-Identifier: BSD-3-Clause
"""The files of this tree that are ours to check, and how the checks report."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "include", "tests", "bench", "tools", "cmake", "third_party", ".ci")


def files(*folders):
    """Every file below the folders, in a stable order; never what a build left behind."""
    for folder in folders or FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    if not folders:
        yield ROOT / "CMakeLists.txt"


def c_files(*folders):
    return [p for p in files(*folders) if p.suffix in (".c", ".h")]


def name(path):
    return path.relative_to(ROOT).as_posix()


def finish(tool, offences):
    """Prints the offences, one to a line, and ends the process as a check does."""
    for offence in offences:
        print(offence)
    if offences:
        print(f"tools/{tool}: {len(offences)} to mend")
    sys.exit(1 if offences else 0)
