"""Files that are either whole or absent, and readers that name a damaged one."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py


class DamagedFileError(RuntimeError):
    """A file that this workflow made cannot be read; the message says to delete it."""

    def __init__(self, path: Path, reason: object):
        super().__init__(
            f"{path} is damaged or truncated ({reason}): delete it and run the same command again,"
            " it will be rebuilt"
        )


@contextlib.contextmanager
def replace_when_done(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it takes the name `path` only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)
        _flush(path.parent)  # else a power loss may undo the renaming, but not what came after it
    finally:
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until the contents of a file or folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Sha256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def damaged_file_named(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Turn `errors` raised while reading `path` into DamagedFileError; a missing file stays one."""
    try:
        yield
    except FileNotFoundError:
        raise
    except errors as error:
        raise DamagedFileError(path, error) from error


@contextlib.contextmanager
def open_hdf5(path: Path, *required: str) -> Iterator[h5py.File]:
    """An HDF5 file that has the required groups or datasets, open for reading.

    HDF5 finds a truncated file when it opens it. Errors of the block are not caught: a full disk
    while another file is written must not be blamed on the one that is read.

    Raises FileNotFoundError if there is none, DamagedFileError if it is truncated or lacks one of
    `required`; the message says to delete it.
    """
    import h5py

    with damaged_file_named(path, OSError):
        # HDF5 2 keeps 8 MB of chunks for each dataset: half a gigabyte for activation files.
        file = h5py.File(path, "r", rdcc_nbytes=1 << 20)
    with file:
        missing = [name for name in required if name not in file]
        if missing:
            raise DamagedFileError(path, f"it has no {', '.join(missing)}")
        yield file
