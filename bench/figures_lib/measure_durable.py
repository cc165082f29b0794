# SPDX-License-Identifier: BSD-3-Clause
"""what it costs to keep messages on disk, against brokers that do so, and against the disk itself

Publishes at QoS 1 acknowledged a second, and how long an acknowledgement takes; how much of what
the disk can do that is; what others on the same core notice; and how long a start takes after a
crash.
"""

from . import disk, durable_load, durable_raw, durable_recovery, durable_service
from .session import Trouble

PARTS = {"load": durable_load, "raw": durable_raw, "service": durable_service,
         "recovery": durable_recovery}


def run(session):
    wanted = session.options.parts.split(",") if session.options.parts else list(PARTS)
    unknown = [p for p in wanted if p not in PARTS]
    if unknown:
        raise Trouble(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    kind = disk.check(session.options.data)
    print(f"Data in {session.options.data}, {kind}.\n")
    session.record(file_system=kind)
    for part in wanted:
        try:
            PARTS[part].run(session)
        except Trouble as e:
            session.trouble(f"{part}: {e}")
