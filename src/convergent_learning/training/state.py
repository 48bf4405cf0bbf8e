"""The folder of a running training: its lock, its last saved states, its checkpoints.

Snakemake deletes the outputs of a failed job, so what must survive lives here. Publishing copies
the results to the outputs and removes the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from convergent_learning.files import replace_when_done

_LOG = logging.getLogger(__name__)


class TrainingState:
    """Saved states of one training run (the newest two) and the files it will publish.

    `folder` is unique to the training plan (its digest is part of the name), so a state of another
    configuration can never be picked up.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.products = folder / "products"
        self.products.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.rglob(".*.partial"):
            unfinished.unlink()  # of a killed run; the lock says that nobody writes it now

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state reached after `step`, keep the one before, drop older ones."""
        with replace_when_done(self._path(step)) as partial:
            torch.save(state, partial)
        for old in self._newest_first()[2:]:
            old.unlink()

    def discard(self) -> None:
        """Drop all saved states: later ones must not be taken for older than these."""
        for state in self._newest_first():
            state.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest whole state; a torn file is reported and the one before it used."""
        for path in self._newest_first():
            try:
                return torch.load(path, map_location=device, weights_only=True)
            except Exception as error:  # a torn zip raises several types
                _LOG.warning("saved state %s is damaged (%s): using the one before", path, error)
        return None

    def publish(self, targets: list[Path]) -> None:
        """Copy each target's namesake from the products to the target, then drop the folder.

        Copied and not moved: killed half-way, the next run can publish again.
        """
        for target in targets:
            for unfinished in target.parent.glob(f".{target.name}.*.partial"):
                unfinished.unlink()
            with replace_when_done(target) as partial:
                shutil.copyfile(self.products / target.name, partial)
        # States go first: a state without the products before it would be taken up.
        self.discard()
        shutil.rmtree(self.folder)

    def _path(self, step: int) -> Path:
        return self.folder / f"state-{step:09d}.pt"

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("state-*.pt"), reverse=True)


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[bool]:
    """Hold the lock file `lock`; yield whether another process had to be waited for.

    A killed Snakemake can leave its job running: the successor waits here until it is done. The
    kernel releases the lock of a process that dies, however it dies.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        waited = False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = True
            _LOG.info("another process trains this network: waiting for it (%s)", lock)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield waited
