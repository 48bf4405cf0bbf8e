"""Where raw data come from: the first source that gives the right bytes, archives, folders."""

from __future__ import annotations

import contextlib
import logging
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from convergent_learning.archives import unpack_files
from convergent_learning.datasets.records import Splits

_LOG = logging.getLogger(__name__)
_SOCKET_TIMEOUT_S = 60


class NoSourceError(RuntimeError):
    """No source gave the dataset; the message lists every attempt and the remedy."""


def first_good(
    dataset: str, attempts: Sequence[tuple[str, Callable[[], Splits]]], remedy: str
) -> Splits:
    """Splits of the first of `attempts`, pairs of a description and a reader that proves its bytes.

    Raises NoSourceError with what went wrong at each of them, and `remedy`.
    """
    failures = []
    for name, attempt in attempts:
        try:
            splits = attempt()
        except Exception as error:  # whatever a source does wrong, the next one is tried
            failures.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}")
            _LOG.warning("source refused: %s", failures[-1])
        else:
            _LOG.info("%s from %s, digests match", dataset, name)
            return splits
    raise NoSourceError(
        f"{dataset}: no source gave the official data. Tried:\n"
        + "\n".join(f"  - {failure}" for failure in failures)
        + f"\nTo use a local copy, set `source:` of the dataset entry in the config to {remedy}."
    )


def unpacked(source: Path, workdir: Path) -> Path:
    """The folder `source`, or the one below `workdir` that the tar archive `source` is unpacked to.

    Raises FileNotFoundError when there is neither, ValueError for a file that is no tar archive.
    """
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist")
    if source.is_dir():
        return source
    folder = Path(tempfile.mkdtemp(dir=workdir))
    try:
        with tarfile.open(source) as archive:
            unpack_files(archive, folder)
    except tarfile.TarError as error:
        raise ValueError(f"{source} is no whole tar archive ({error})") from error
    return folder


def folder_with(root: Path, names: Sequence[str]) -> Path | None:
    """The folder `root`, or the first one below it, that has a file of one of `names`."""
    folders = (root, *sorted(path for path in root.rglob("*") if path.is_dir()))
    return next((f for f in folders if any((f / name).is_file() for name in names)), None)


@contextlib.contextmanager
def quiet_download() -> Iterator[None]:
    """Downloads in the block give up on a silent server and print nothing."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SOCKET_TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(None):
            yield
    finally:
        socket.setdefaulttimeout(before)
