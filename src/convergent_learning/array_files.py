"""Named arrays of HDF5, NPZ and Zarr files: shapes without values, values without any pickle."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import h5py

Rows: TypeAlias = slice | np.ndarray  # of the first axis: consecutive ones, or ascending indices
_ALL: Any = ...
_MOST_COMPRESSED = 1100  # times: what gzip can do
# HDF5 filters that compress no more: gzip, shuffle, fletcher32, szip and lzf, by their numbers.
_MODEST_FILTERS = frozenset({1, 2, 3, 4, 32000})


@dataclass(frozen=True)
class StoredArray:
    """Shape and dtype of an array in a file, whose values can be read while the file is open.

    read : gives all values, or those of some rows. Text is of dtype str.
    by_rows : whether reading some rows spares reading the others
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[..., np.ndarray]
    by_rows: bool = True


@contextlib.contextmanager
def open_arrays(path: Path, nested: bool = False) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file, by name in alphabetical order; no values are read.

    Parameters
    ----------
    path : path
        An HDF5 file (.h5, .hdf5), an NPZ file (.npz), or a Zarr group: a folder (.zarr) or a zip
        archive with the group at its top level (.zip).
    nested : bool
        Also the arrays in groups of HDF5 and Zarr, called by their paths (``group/array``), and not
        only those at the top level.

    Raises
    ------
    ValueError
        Naming the file, if its suffix is another one, or if it cannot be read.
    FileNotFoundError
        If there is no such file.
    ImportError
        For a Zarr group, where the library zarr is not installed; the message says how to.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(f"{path} has none of the known suffixes: {', '.join(_FORMATS)}")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    title, arrays_of = _FORMATS[suffix]
    with contextlib.ExitStack() as stack:
        with _file_named(path, title):
            arrays = arrays_of(path, stack, nested)
        yield {
            name: replace(array, read=_naming(path, title, array.read))
            for name, array in sorted(arrays.items())
        }


@contextlib.contextmanager
def _file_named(path: Path, title: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise
    except MemoryError:
        raise ValueError(
            f"{path} holds more than fits into the memory of this machine; store fewer stimuli, or"
            " float16"
        ) from None
    except Exception as error:  # damaged files raise many types
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as {title} ({reason})") from error


def _naming(path: Path, title: str, read: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def named_read(*rows: Rows) -> np.ndarray:
        with _file_named(path, title):
            return read(*rows)

    return named_read


def _hdf5_arrays(path: Path, stack: contextlib.ExitStack, nested: bool) -> dict[str, StoredArray]:
    import h5py

    # HDF5 2 keeps 8 MB of chunks for each dataset: half a gigabyte for a deep network's layers.
    file = stack.enter_context(h5py.File(path, "r", rdcc_nbytes=1 << 20))
    found = {name: file[name] for name in file}
    if nested:
        file.visititems(found.__setitem__)
    arrays = {}
    for name, dataset in found.items():
        if isinstance(dataset, h5py.Dataset):
            check_written(dataset)
            if h5py.check_string_dtype(dataset.dtype) is None:
                arrays[name] = StoredArray(dataset.shape, dataset.dtype, _rows_of(dataset))
            else:
                text = dataset.asstr()
                arrays[name] = StoredArray(dataset.shape, np.dtype(str), _rows_of(text, True))
    return arrays


def check_written(dataset: h5py.Dataset) -> None:
    """Raise ValueError for a shape that the bytes in its file cannot fill, even compressed.

    A file may declare arrays of any size and hold none of their values. Other filters, such as zstd
    and blosc, compress constant values without a limit: with them any stored byte is enough.
    """
    if dataset.is_virtual or dataset.external:
        return
    stored = dataset.id.get_storage_size()
    made = dataset.id.get_create_plist()
    filters = {made.get_filter(index)[0] for index in range(made.get_nfilters())}
    if stored and not filters <= _MODEST_FILTERS:
        return
    if dataset.size and dataset.nbytes > _MOST_COMPRESSED * max(stored, 1024):
        raise ValueError(
            f"{dataset.name.lstrip('/')} declares the shape {dataset.shape}, {dataset.nbytes:.3g}"
            f" bytes, of which {stored} are stored; write all values"
        )


def _npz_arrays(path: Path, stack: contextlib.ExitStack, nested: bool) -> dict[str, StoredArray]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    arrays = {}
    for member in archive.namelist():
        if member.endswith(".npy"):
            shape, dtype = _npy_header(archive, member)
            if math.prod(shape) * dtype.itemsize > archive.getinfo(member).file_size:
                raise ValueError(
                    f"{member} declares the shape {shape}, but holds fewer values; write the file"
                    " again"
                )

            def read(rows: Rows = _ALL, member: str = member) -> np.ndarray:
                with archive.open(member) as file:
                    values = np.lib.format.read_array(file, allow_pickle=False)
                return values[rows]

            name = member.removesuffix(".npy")
            arrays[name] = StoredArray(shape, dtype, read, by_rows=False)
    return arrays


def _npy_header(archive: zipfile.ZipFile, member: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"{member} is of version {version}, which is not for plain numbers")
    return shape, dtype


def _zarr_arrays(path: Path, stack: contextlib.ExitStack, nested: bool) -> dict[str, StoredArray]:
    try:
        zarr = importlib.import_module("zarr")
    except ImportError as error:
        raise ImportError(
            f"{path} is a Zarr group, which needs the library zarr 3 or newer: pip install zarr"
        ) from error
    store: Any = str(path)
    if path.suffix.lower() == ".zip":
        store = zarr.storage.ZipStore(path, mode="r")
    group = zarr.open_group(store, mode="r")
    stack.callback(group.store.close)
    arrays = {}
    for name, array in group.members(max_depth=None if nested else 0):
        if not isinstance(array, zarr.Array):
            continue
        # A codec may be numcodecs' Pickle, which runs what it decodes, whatever the dtype.
        about = {key: fact for key, fact in array.metadata.to_dict().items() if key != "attributes"}
        if "pickle" in json.dumps(about, default=repr).lower():
            raise ValueError(f"array {name} is stored as a pickle; store plain numbers")
        text = array.dtype.kind == "T"  # strings of any length
        dtype = np.dtype(str if text else array.dtype)
        arrays[name] = StoredArray(array.shape, dtype, _rows_of(array.oindex, text))
    return arrays


def _rows_of(array: Any, text: bool = False) -> Callable[..., np.ndarray]:
    def read(rows: Rows = _ALL) -> np.ndarray:
        values = array[rows]
        return np.asarray(values, object).astype(str) if text else np.asarray(values)

    return read


_FORMATS = {
    ".h5": ("an HDF5 file", _hdf5_arrays),
    ".hdf5": ("an HDF5 file", _hdf5_arrays),
    ".npz": ("an NPZ file", _npz_arrays),
    ".zarr": ("a Zarr group", _zarr_arrays),
    ".zip": ("a zipped Zarr group", _zarr_arrays),
}
