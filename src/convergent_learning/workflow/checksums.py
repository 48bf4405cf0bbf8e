"""Checksums of what jobs made, so that a damaged file is never read as a good one.

Beside ``results/<folder>/<path>`` lies ``results/<folder>/checksums/<path>.sha256``, one file for
each output of a job, in the format of `sha256sum`: a line for the output, or for each file in it.
``cd results/<folder> && sha256sum --check checksums/<path>.sha256`` checks it without this package.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from convergent_learning.files import DamagedFileError, replace_when_done, sha256_of

_RESULTS = "results"
_LOG = logging.getLogger(__name__)


def write_checksums(output: Path) -> None:
    """Record the bytes that a file, or each file of a folder, has now.

    Nothing is recorded of what lies outside ``results/<folder>/``.
    """
    record = _record(output)
    if record is not None:
        with replace_when_done(record) as partial:
            partial.write_text(_lines(output), encoding="utf-8")


def checked_digest(path: Path) -> str:
    """`digest` of a file or folder that has the bytes which were recorded.

    One without a record is the user's own, and named as such in the log. Raises DamagedFileError
    naming file and record if they differ.
    """
    record = _record(path)
    if record is None or not record.exists():
        _LOG.warning("%s has no record of a job that made it: it is taken as given", path)
        return digest(path)
    lines = _lines(path)
    # As bytes: a damaged record need not be text.
    if not record.is_file() or lines.encode() != record.read_bytes():
        raise DamagedFileError(path, f"it has not the bytes that {record} lists")
    return _digest_of(path, lines)


def remove_damaged(paths: Iterable[Path]) -> None:
    """Remove files of a job's own that are not what it made: it makes them again."""
    for path in paths:
        if path.exists():
            try:
                checked_digest(path)
            except DamagedFileError as damage:
                _LOG.warning("%s: it is made again", damage)
                path.unlink()


def intact(paths: Iterable[Path]) -> dict[str, str]:
    """Those that have the bytes which were recorded, with their digests; the others are logged."""
    found = {}
    for path in sorted(paths):
        if recorded_digest(path) is not None:
            try:
                found[str(path)] = checked_digest(path)
            except (DamagedFileError, FileNotFoundError) as damage:
                _LOG.warning("nothing is taken over: %s", damage)
    return found


def digest(path: Path) -> str:
    """``sha256:…`` of a file, ``tree:…`` of a folder: of its files' names and bytes.

    Of a folder without a record only names and sizes are taken: it holds a user's images, which may
    be many.
    """
    if path.is_dir() and recorded_digest(path) is None:
        sizes = [(str(file.relative_to(path)), file.stat().st_size) for file in _files(path)]
        return f"tree:{hashlib.sha256(json.dumps(sizes).encode()).hexdigest()}"
    return _digest_of(path, _lines(path))


def recorded_digest(path: Path) -> str | None:
    """The `digest` that a file or folder had when its job ended; None without a record."""
    record = _record(path)
    if record is None or not record.exists():
        return None
    return _digest_of(path, record.read_text(encoding="utf-8"))


def _record(path: Path) -> Path | None:
    """Where the checksums of `path` lie; None for what lies outside ``results/<folder>/``."""
    root, name = _split(path)
    return None if root is None else root / "checksums" / f"{name}.sha256"


def _split(path: Path) -> tuple[Path | None, str]:
    """``results/<folder>`` and the path below it; None and the path for what lies elsewhere."""
    parts = Path(os.path.relpath(path)).parts
    if len(parts) < 3 or parts[0] != _RESULTS:
        return None, str(path)
    return Path(*parts[:2]), str(Path(*parts[2:]))


def _lines(path: Path) -> str:
    """What `sha256sum` prints of a file, or of each file of a folder, below its results folder."""
    _, name = _split(path)
    if not path.is_dir():
        return f"{sha256_of(path)}  {name}\n"
    return "".join(f"{sha256_of(f)}  {name}/{f.relative_to(path)}\n" for f in _files(path))


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))


def _digest_of(path: Path, lines: str) -> str:
    sha256, _, name = lines.removesuffix("\n").partition("  ")
    if name == _split(path)[1]:
        return f"sha256:{sha256}"
    return f"tree:{hashlib.sha256(lines.encode()).hexdigest()}"
