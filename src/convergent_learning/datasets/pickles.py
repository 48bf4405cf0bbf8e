"""Pickles of arrays and plain containers, read without running anything that they name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core import multiarray, numeric


def read_pickle(path: Path) -> Any:
    """The object in the pickle `path`; text of Python 2 becomes str byte by byte (latin-1).

    A pickle is a program. Only the constructors of numpy arrays, scalars and dtypes and of bytes
    are run; containers, numbers and text need none. Raises ValueError naming the file and what it
    asks for if that is anything else, and for a file that is torn or no pickle.
    """
    try:
        with open(path, "rb") as file:
            return _ArraysOnly(file, encoding="latin1").load()
    except FileNotFoundError:
        raise
    except _RefusedError as error:
        raise ValueError(
            f"{path} asks for {error}, but only numpy arrays and plain containers are read from a"
            " pickle: anything else could run code"
        ) from None
    except Exception as error:  # a torn pickle raises several types
        raise ValueError(f"{path} is no whole pickle ({error})") from error


class _RefusedError(Exception):
    """A name that a pickle must not ask for."""


def _latin1(text: str, encoding: str) -> bytes:
    """What protocols below 3 call to make bytes, for the one encoding that they use."""
    if encoding != "latin1":
        raise _RefusedError(f"_codecs.encode with {encoding!r}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): bytes,
    ("builtins", "bytes"): bytes,
    # numpy 1 and 2 have different homes for the same functions.
    **{
        (f"numpy.{core}.{home}", name): getattr(module, name)
        for core in ("core", "_core")
        for home, module, name in (
            ("multiarray", multiarray, "_reconstruct"),
            ("multiarray", multiarray, "scalar"),
            ("numeric", numeric, "_frombuffer"),
        )
    },
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _RefusedError(f"{module}.{name}")
        return _ALLOWED[module, name]
