"""Reads a layer's responses by blocks of stimuli, wherever they are."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import h5py
import numpy as np
import pandas as pd
import torch

from .positions import Positions, sample_positions, shape_after


class MadeWhenRead(Protocol):
    """Responses ``(n, c, h, w)`` or ``(n, c)`` of which none may exist until they are read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, stimuli: slice | np.ndarray) -> torch.Tensor | np.ndarray:
        """Those of consecutive stimuli, or of stimuli given by ascending indices."""


Array: TypeAlias = np.ndarray | torch.Tensor | h5py.Dataset | pd.DataFrame | MadeWhenRead

_READ_AT_ONCE = 256  # stimuli
_CHECKED = 1024  # stimuli that are searched for a response that is not finite at once


class Responses:
    """One layer's responses, read by blocks of stimuli.

    Parameters
    ----------
    array : numpy array, torch tensor, open HDF5 dataset or `MadeWhenRead`, ``(n, c, h, w)`` or
        ``(n, c)``
    label : str
        Named in error messages, e.g. ``"layer 'layer3' of network 'resnet18-seed1'"``.
    positions : see ``positions.sample_positions``

    Floating point types stay as they are. Integers, such as counts of spikes, become float32 where
    that holds them exactly (up to 16 bits), else float64.

    Raises
    ------
    ValueError
        No array, an empty one, or one that does not hold real numbers.
    """

    def __init__(self, array: Array, label: str, positions: Positions = "all"):
        if not hasattr(array, "shape"):
            raise ValueError(
                f"{label} is a {type(array).__name__}: pass a numpy array, a torch tensor, a "
                "pandas table or an open HDF5 dataset"
            )
        if isinstance(array, pd.DataFrame):
            array = _numeric(array, label).to_numpy()
        dtype = getattr(array, "dtype", None)  # that of torch has no kind
        if getattr(dtype, "kind", "f") not in "fiub":
            raise ValueError(
                f"{label} has dtype {dtype}: pass real numbers, without columns of text"
            )
        self.label, self.positions = label, positions
        self._array = array
        self.in_memory = isinstance(array, (np.ndarray, torch.Tensor))
        self.n = array.shape[0]
        if 0 in array.shape:
            raise ValueError(f"{label} is empty: shape {tuple(array.shape)}")
        if len(array.shape) not in (2, 4):
            raise ValueError(
                f"{label} has shape {tuple(array.shape)}: pass (n, units) or (n, channels, height, "
                "width); arrange token sequences as a grid, and the class token as its own layer"
            )
        first = self.block(0, 1)
        if first.is_complex():
            raise ValueError(f"{label} has dtype {first.dtype}: pass real numbers")
        self.dtype, self.device = first.dtype, first.device
        self.units = first.shape[1]
        height, width = array.shape[2:] or (1, 1)
        self.grid = shape_after(height, width, positions)

    @property
    def bytes_a_stimulus(self) -> int:
        return self.units * self.grid[0] * self.grid[1] * 4

    def in_memory_copy(self) -> Responses:
        """The same responses, read once, at the kept positions."""
        kept = torch.empty((self.n, self.units, *self.grid), dtype=self.dtype, device=self.device)
        for start in range(0, self.n, _READ_AT_ONCE):
            part = self.block(start, start + _READ_AT_ONCE)
            kept[start : start + len(part)] = part.reshape(len(part), *kept.shape[1:])
        return Responses(kept, self.label)

    def block(self, start: int, stop: int) -> torch.Tensor:
        """Stimuli start … stop-1 as a tensor ``(m, c, positions)``; a view where possible."""
        sampled = sample_positions(_tensor(self._array[start:stop]), self.positions)
        return sampled.reshape(len(sampled), sampled.shape[1], -1)

    def gather(self, indices: np.ndarray) -> torch.Tensor:
        """The stimuli of `indices`, in any order, as a tensor ``(m, c, positions)``."""
        unique, inverse = np.unique(indices, return_inverse=True)
        sampled = sample_positions(_tensor(self._array[unique]), self.positions)
        return sampled.reshape(len(sampled), sampled.shape[1], -1)[torch.as_tensor(inverse)]

    def check_finite(self) -> None:
        """Raise ValueError naming the first response that is NaN or infinite, if there is one."""
        for start in range(0, self.n, _CHECKED):
            block = self.block(start, min(start + _CHECKED, self.n))
            found = (~torch.isfinite(block)).nonzero()
            if len(found):
                stimulus, unit, position = found[0].tolist()
                what = "NaN" if block[stimulus, unit, position].isnan() else "an infinite response"
                at = f"stimulus {start + stimulus}, unit {unit}"
                if self.grid != (1, 1):
                    at += f", position {divmod(position, self.grid[1])}"
                raise ValueError(
                    f"{self.label} holds {what} at {at} (counted from 0): check the network and "
                    "the images, store activations as float32 if float16 overflowed, or leave out "
                    "such stimuli on both sides"
                )


def _numeric(table: pd.DataFrame, label: str) -> pd.DataFrame:
    others = [str(name) for name in table.select_dtypes(exclude=["number", "bool"]).columns]
    if others:
        raise ValueError(
            f"{label} has columns that do not hold numbers, {', '.join(others)}: drop them"
        )
    return table


def _tensor(array: np.ndarray | torch.Tensor) -> torch.Tensor:
    tensor = _any_tensor(array)
    if tensor.is_floating_point() or tensor.is_complex():
        return tensor
    return tensor.to(torch.float32 if tensor.dtype.itemsize <= 2 else torch.float64)


def _any_tensor(array: np.ndarray | torch.Tensor) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        return array.detach()
    array = np.asarray(array)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch takes neither
    return torch.from_numpy(array)


def paired_responses(
    x: Array, y: Array, positions: Positions, names: tuple[str, str] = ("x", "y")
) -> tuple[Responses, Responses]:
    """Both sides; ValueError if they do not have equally many stimuli."""
    source, target = Responses(x, names[0], positions), Responses(y, names[1], positions)
    if source.n != target.n:
        raise ValueError(
            f"{source.label} has {source.n} stimuli and {target.label} has {target.n}: "
            "both sides must hold the same images in order"
        )
    return source, target
