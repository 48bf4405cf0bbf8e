"""The folder of a running training: its lock, its last saved states, its checkpoints.

Snakemake deletes the outputs of a failed job, so what must survive lives here. Publishing copies
the results to the outputs and removes the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from convergent_learning.files import replace_when_done, sha256_of

_DIGEST_BYTES = hashlib.sha256().digest_size
_LOG = logging.getLogger(__name__)


class TrainingState:
    """Saved states of one training run (the newest two) and the files it will publish.

    `folder` is unique to the training plan (its digest is part of the name), so a state of another
    configuration can never be picked up; one made by other code than `code`, a digest, is dropped.
    A state file is the sha256 of what follows, 32 bytes, and what torch saves.
    """

    def __init__(self, folder: Path, code: str = ""):
        self.folder, self._code = folder, code
        self._digests: dict[tuple[Path, int, int], str] = {}
        self.products = folder / "products"
        self.products.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.rglob(".*.partial"):
            unfinished.unlink()  # of a killed run; the lock says that nobody writes it now

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state reached after `step`, keep the one before, drop older ones."""
        content = io.BytesIO()
        about = {"code": self._code, "checkpoints": self._checkpoints(), "state": state}
        torch.save(about, content)
        with replace_when_done(self._path(step)) as partial, open(partial, "wb") as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())
        for old in self._newest_first()[2:]:
            old.unlink()

    def discard(self) -> None:
        """Drop all saved states, and then the files to publish.

        In this order: a state without the products before it would be taken up. All of them, since
        `save` keeps those of the highest steps.
        """
        for state in self._newest_first():
            state.unlink()
        for product in self.products.iterdir():
            product.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """The newest whole state that this code saved, with the checkpoints before it.

        A damaged one is reported and the one before it used.
        """
        for path in self._newest_first():
            try:
                saved = self._read(path, device)
            except ValueError as error:
                _LOG.warning("saved state %s is damaged (%s): using the one before", path, error)
                continue
            if saved["code"] == self._code:
                return saved["state"]
            _LOG.warning("%s was saved by other code: starting anew", path)
            self.discard()
        return None

    def _read(self, path: Path, device: torch.device) -> dict[str, Any]:
        content = path.read_bytes()
        digest, saved = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(saved).digest() != digest:
            raise ValueError("its bytes are not those that were saved")
        about = torch.load(io.BytesIO(saved), map_location=device, weights_only=True)
        found = self._checkpoints()
        if changed := [n for n, made in about["checkpoints"].items() if found.get(n) != made]:
            raise ValueError(f"{', '.join(changed)} changed since")
        return about

    def _checkpoints(self) -> dict[str, str]:
        """Sha256 of each checkpoint so far, by name."""
        digests = {}
        for path in sorted(self.products.glob("*.safetensors")):
            about = path.stat()
            key = path, about.st_ino, about.st_mtime_ns
            if key not in self._digests:
                self._digests[key] = sha256_of(path)
            digests[path.name] = self._digests[key]
        return digests

    def publish(self, targets: list[Path]) -> None:
        """Copy each target's namesake from the products to the target, then drop the folder.

        Copied and not moved: killed half-way, the next run can publish again.
        """
        for target in targets:
            for unfinished in target.parent.glob(f".{target.name}.*.partial"):
                unfinished.unlink()
            with replace_when_done(target) as partial:
                shutil.copyfile(self.products / target.name, partial)
        self.remove()

    def remove(self) -> None:
        """Drop the folder with all that is in it."""
        self.discard()
        shutil.rmtree(self.folder)

    def _path(self, step: int) -> Path:
        return self.folder / f"state-{step:09d}.pt"

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("state-*.pt"), reverse=True)


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file `lock`, after whoever holds it now.

    A killed Snakemake can leave its job running: the successor waits here until it is done. The
    kernel releases the lock of a process that dies, however it dies.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _LOG.info("another process trains this network: waiting for it (%s)", lock)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
