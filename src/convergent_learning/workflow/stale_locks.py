"""Locks that a killed Snakemake left behind.

Snakemake locks its working directory with files, which outlive a process that is killed and then
stop the next run. Here every run also holds a lock of the kernel, which dies with it: if no other
run holds that one, the files are stale.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []  # open for as long as this process lives


def clear_stale_locks(state: Path) -> None:
    """Remove the lock files in Snakemake's folder `state` unless another run is alive.

    Any number of processes may call this at once; only one that is alone removes anything.
    """
    state.mkdir(parents=True, exist_ok=True)
    file = open(state / "alive.lock", "w")  # noqa: SIM115 - held until the process ends
    _held.append(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for stale in (state / "locks").glob("*.lock"):
            stale.unlink()
    fcntl.flock(file, fcntl.LOCK_SH)
