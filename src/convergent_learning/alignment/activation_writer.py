"""Writes the activations of one network for one stimulus set, as any framework may have made them.

`docs/own_networks.md` describes the layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import h5py
import numpy as np
from array_api_compat import is_torch_array

from ..files import replace_when_done
from .activation_checks import ROLES, check_arrays, check_finite, checked_digest, checked_roles

_SUFFIXES = (".h5", ".hdf5")
_BYTES_AT_ONCE = 64 << 20
_BYTES_PER_CHUNK = 1 << 20

Array: TypeAlias = Any  # NumPy array, torch tensor or what slices into something that NumPy takes


def save_activations(
    path: str | Path,
    layers: Mapping[str, Array],
    *,
    roles: Mapping[str, str] | None = None,
    stimulus_digest: str | None = None,
    logits: Array | None = None,
    labels: Array | None = None,
) -> None:
    """Write the activations of one network for one stimulus set to an HDF5 file.

    Parameters
    ----------
    path : path
        Ends in .h5 or .hdf5. It appears only when it is complete.
    layers : mapping of arrays (n, units) or (n, channels, height, width)
        By the names of the layers, in depth order. NumPy arrays, torch tensors, or anything that
        has a shape and slices into what NumPy takes (JAX, TensorFlow, memory maps, open HDF5
        datasets), which is read in parts. float16, float32 or float64; bfloat16 is stored as
        float32.
    roles : mapping of str, optional
        "block", "pooled" or "logits" of each layer; layers that it does not name are blocks.
    stimulus_digest : str, optional
        Sha256 of the stimuli in hexadecimal digits: the attribute `digest` of their stimulus file.
    logits : array (n, classes), optional
        For the accuracy; not needed if a layer has the role ``logits``.
    labels : int array (n,), optional
        The class of each stimulus, −1 where it has none.

    Raises
    ------
    ValueError
        As `read_activations`; also for the first response that is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import read_activations, save_activations
    >>> rng = np.random.default_rng(0)
    >>> layers = {"conv1": rng.standard_normal((10, 4, 8, 8)), "fc": rng.standard_normal((10, 3))}
    >>> save_activations("mine.h5", layers, roles={"fc": "logits"})
    >>> read_activations("mine.h5")
    <2 layers for 10 stimuli in mine.h5>
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{path} would be an HDF5 file: let its name end in .h5")
    if not layers:
        raise ValueError(f"{path}: there is no layer to save; pass a mapping from names to arrays")
    named = dict(roles or {})
    unknown = [name for name in named if name not in layers]
    if unknown:
        raise ValueError(
            f"{path}: roles name {unknown[0]!r}, which is no layer; layers are {', '.join(layers)}"
        )
    in_order = checked_roles(path, list(layers), [named.get(name, ROLES[0]) for name in layers])
    headers = {name: _header(path, f"layer {name!r}", array) for name, array in layers.items()}
    of_logits = None if logits is None else _header(path, "`logits`", logits)
    labels = None if labels is None else _as_numpy(labels)
    of_labels = None if labels is None else _Header(labels.shape, labels.dtype)
    check_arrays(path, headers, of_logits, of_labels)
    digest = None if stimulus_digest is None else checked_digest(path, stimulus_digest)
    with replace_when_done(path) as partial, h5py.File(partial, "w") as file:
        for name, array in layers.items():
            _write(file, f"layers/{name}", array, headers[name], f"{path}: layer {name!r}")
        if logits is not None and of_logits is not None:
            _write(file, "logits", logits, of_logits, f"{path}: `logits`")
        if labels is not None:
            file.create_dataset("labels", data=labels.astype("<i8"), track_times=False)
        for key, text in (("depth_order", list(layers)), ("roles", list(in_order.values()))):
            file.create_dataset(key, data=text, dtype=h5py.string_dtype(), track_times=False)
        if digest is not None:
            file.create_dataset("stimulus_digest", data=digest, track_times=False)


class _Header(NamedTuple):
    """What is known of an array before its values are read."""

    shape: tuple[int, ...]
    dtype: np.dtype


def _header(path: Path, name: str, array: Array) -> _Header:
    if not hasattr(array, "shape"):
        raise ValueError(f"{path}: {name} is a {type(array).__name__}; pass an array or a tensor")
    return _Header(tuple(int(side) for side in array.shape), _as_numpy(array[:0]).dtype)


def _as_numpy(array: Array) -> np.ndarray:
    if is_torch_array(array):
        array = array.detach().cpu()
        array = array.float() if str(array.dtype) == "torch.bfloat16" else array
    return np.asarray(array)


def _write(file: h5py.File, name: str, array: Array, header: _Header, label: str) -> None:
    n, *row = header.shape
    bytes_a_row = math.prod(row) * header.dtype.itemsize
    rows = min(n, max(1, _BYTES_PER_CHUNK // bytes_a_row))
    dataset = file.create_dataset(
        name,
        header.shape,
        header.dtype,
        chunks=(rows, *row),
        fletcher32=True,
        track_times=False,
    )
    step = rows * max(1, _BYTES_AT_ONCE // (rows * bytes_a_row))
    for start in range(0, n, step):
        values = _as_numpy(array[start : start + step])
        check_finite(values, np.arange(start, start + len(values)), label)
        dataset[start : start + len(values)] = values
