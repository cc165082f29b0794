# SPDX-License-Identifier: BSD-3-Clause
"""Directories on a real disk, for brokers that keep something."""

import contextlib
import pathlib
import shutil
import tempfile

from .session import Trouble

NO_DISK = ("tmpfs", "ramfs")


def file_system(path):
    """The type of the file system that holds `path`."""
    path = str(path.resolve())
    best, kind = "", "unknown"
    with open("/proc/self/mounts") as f:
        for line in f:
            _, point, this_kind, *_ = line.split()
            point = point.encode().decode("unicode_escape")
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, kind = point, this_kind
    return kind


def check(path):
    """The type of its file system; Trouble if nothing gets to a disk there."""
    if not path.is_dir():
        raise Trouble(f"{path} is no directory: --data names one")
    kind = file_system(path)
    if kind in NO_DISK:
        raise Trouble(f"{path} is {kind}, where a sync means nothing: --data names a directory on "
                      "a disk")
    return kind


@contextlib.contextmanager
def fresh(session):
    """An empty directory, removed afterwards."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="pinion-figures-", dir=session.options.data))
    try:
        yield path.resolve()
    finally:
        shutil.rmtree(path, ignore_errors=True)


def used(path):
    """Bytes that the files below it take."""
    total = 0
    for p in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += p.lstat().st_blocks * 512
    return total
