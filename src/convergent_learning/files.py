"""Files that are either whole or absent, and readers that name a damaged one."""

from __future__ import annotations

import contextlib
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
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


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
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises DamagedFileError naming the file when it, or a dataset in it, cannot be read.
    """
    import h5py

    with damaged_file_named(path, OSError, KeyError), h5py.File(path, "r") as file:
        yield file
