"""Reads the activations of one network for one stimulus set, as any framework may have made them.

`docs/own_networks.md` describes the layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..array_files import Rows, StoredArray, open_arrays
from .activation_checks import (
    check_arrays,
    check_finite,
    check_labels,
    checked_digest,
    checked_roles,
)


class LayerResponses:
    """Responses of one layer in an open file, read by rows: ``layer[:100]`` is a NumPy array.

    shape : (n, units) or (n, channels, height, width)
    dtype : float16, float32 or float64
    label : what messages call it
    """

    def __init__(self, array: StoredArray, label: str):
        self.shape, self.dtype, self.label = array.shape, array.dtype, label
        self._array = array
        self._whole: np.ndarray | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, stimuli: Rows) -> np.ndarray:
        """Responses to consecutive stimuli, or to stimuli given by ascending indices.

        Raises ValueError naming the first response that is NaN or infinite.
        """
        if self._array.by_rows:
            values = self._array.read(stimuli)
        else:
            if self._whole is None:
                self._whole = self._array.read()
            values = self._whole[stimuli]
        check_finite(values, np.arange(len(self))[stimuli], self.label)
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


class StoredActivations(Mapping[str, LayerResponses]):
    """Activations in a file: a mapping from each layer, in depth order, to its `LayerResponses`.

    The file stays open until `close`, or the end of a ``with`` block.

    Attributes
    ----------
    path : Path
        The file.
    n : int
        Number of stimuli.
    shapes : dict of tuples
        (n, units) or (n, channels, height, width) of each layer.
    roles : dict of str
        "block", "pooled" or "logits" of each layer.
    depths : dict of float
        The rank of each layer, from 0 to 1.
    stimulus_digest : str or None
        Sha256 of the stimuli, as stimulus files have it.
    logits : LayerResponses (n, classes) or None
        The array `logits` if there is one, else the layer with this role.
    labels : int64 array (n,) or None
        The class of each stimulus, −1 where it has none.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with ExitStack() as stack:
            arrays = stack.enter_context(open_arrays(self.path, nested=True))
            found = {
                name.removeprefix("layers/"): array
                for name, array in arrays.items()
                if name.startswith("layers/")
            }
            names = _depth_order(self.path, arrays, found)
            self._layers = {name: found[name] for name in names}
            self.shapes = {name: array.shape for name, array in self._layers.items()}
            self.roles = checked_roles(self.path, names, _text(self.path, arrays, "roles"))
            self._logits, labels = arrays.get("logits"), arrays.get("labels")
            check_arrays(self.path, self._layers, self._logits, labels)
            self.n = self.shapes[names[0]][0]
            self.depths = depths(names)
            self.labels = None if labels is None else labels.read().astype(np.int64)
            if self.labels is not None and self.logits is not None:
                check_labels(self.path, self.labels, self.logits.shape[1])
            digest = _text(self.path, arrays, "stimulus_digest")
            self.stimulus_digest = (
                None if digest is None else checked_digest(self.path, "".join(digest))
            )
            self._open = stack.pop_all()

    def __getitem__(self, layer: str) -> LayerResponses:
        return LayerResponses(self._layers[layer], f"{self.path}: layer {layer!r}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    @property
    def logits(self) -> LayerResponses | None:
        if self._logits is not None:
            return LayerResponses(self._logits, f"{self.path}: `logits`")
        return next((self[name] for name, role in self.roles.items() if role == "logits"), None)

    def close(self) -> None:
        """Close the file: nothing can be read from it any more."""
        self._open.close()

    def __enter__(self) -> StoredActivations:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{len(self)} layers for {self.n} stimuli in {self.path}>"


def read_activations(path: str | Path) -> StoredActivations:
    """Open a file of activations; layers are read when they are used.

    Parameters
    ----------
    path : path
        HDF5 (.h5, .hdf5), NPZ (.npz) or Zarr (.zarr, or .zip) in the layout of
        `docs/own_networks.md`. Layers of an NPZ file are read whole.

    Returns
    -------
    StoredActivations

    Raises
    ------
    ValueError
        In one sentence that names file, layer and remedy: the file cannot be read; `depth_order` is
        missing, or does not name exactly the layers that are there; layers of different numbers of
        stimuli, of other dimensions or of a dtype that is not floating point; a role that is
        unknown; a digest that is no sha256; labels or logits of another shape; a label that is no
        class; an array whose values are not in the file.
    FileNotFoundError
        There is no such file.
    ImportError
        A Zarr group, where the library zarr is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import read_activations, save_activations
    >>> responses = np.random.default_rng(0).standard_normal((10, 4, 8, 8))
    >>> save_activations("network.h5", {"conv1": responses})
    >>> with read_activations("network.h5") as network:
    ...     print(network.depths, network["conv1"][:5].shape)
    {'conv1': 0.0} (5, 4, 8, 8)
    """
    return StoredActivations(path)


def depths(names: Sequence[str]) -> dict[str, float]:
    """Relative depth of layers in depth order: their rank, from 0 to 1."""
    return {name: rank / max(len(names) - 1, 1) for rank, name in enumerate(names)}


def _depth_order(
    path: Path, arrays: Mapping[str, StoredArray], found: Mapping[str, StoredArray]
) -> list[str]:
    """Names of the layers, after checking that they are those that are there."""
    names = _text(path, arrays, "depth_order")
    if names is None:
        raise ValueError(
            f"{path} has no array `depth_order`: add the names of the layers below `layers/` in "
            "depth order, as text"
        )
    if not names:
        raise ValueError(f"{path} holds no layer: `depth_order` is empty; name the layers in it")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{path}: `depth_order` names {twice[0]!r} twice; name each layer once")
    for name in names:
        if name not in found:
            raise ValueError(
                f"{path}: layer {name!r} of `depth_order` has no array `layers/{name}`; add it, or "
                "remove the name"
            )
    for name in found:
        if name not in names:
            raise ValueError(
                f"{path}: `depth_order` lacks the layer {name!r}; name it, or remove its array"
            )
    return names


def _text(path: Path, arrays: Mapping[str, StoredArray], key: str) -> list[str] | None:
    """Text of an array, flat; None if it is absent."""
    if key not in arrays:
        return None
    if arrays[key].dtype.kind not in "US":
        raise ValueError(f"{path}: `{key}` has dtype {arrays[key].dtype}; store it as text")
    values = np.atleast_1d(arrays[key].read())
    decoded = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    return [str(value) for value in decoded.ravel()]
