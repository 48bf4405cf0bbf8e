"""Reads a layer's responses by blocks of stimuli, wherever they are."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import h5py
import numpy as np
import torch

from .positions import Positions, sample_positions, shape_after


class MadeWhenRead(Protocol):
    """Responses ``(n, c, h, w)`` or ``(n, c)`` of which none may exist until they are read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, stimuli: slice | np.ndarray) -> torch.Tensor | np.ndarray:
        """Those of consecutive stimuli, or of stimuli given by ascending indices."""


_READ_AT_ONCE = 256  # stimuli

Array: TypeAlias = np.ndarray | torch.Tensor | h5py.Dataset | MadeWhenRead


class Responses:
    """One layer's responses, read by blocks of stimuli.

    Parameters
    ----------
    array : numpy array, torch tensor, open HDF5 dataset or `MadeWhenRead`, ``(n, c, h, w)`` or
        ``(n, c)``
    label : str
        Named in error messages, e.g. ``"layer 'layer3' of network 'resnet18-seed1'"``.
    positions : see ``positions.sample_positions``
    """

    def __init__(self, array: Array, label: str, positions: Positions = "all"):
        if not hasattr(array, "shape"):
            raise ValueError(
                f"{label} is a {type(array).__name__}: pass a numpy array, a torch tensor or an "
                "open HDF5 dataset"
            )
        self.label, self.positions = label, positions
        self._array = array
        self.in_memory = isinstance(array, (np.ndarray, torch.Tensor))
        self.n = array.shape[0]
        if 0 in array.shape:
            raise ValueError(f"{label} is empty: shape {tuple(array.shape)}")
        first = self.block(0, 1)
        if not first.is_floating_point():
            raise ValueError(f"{label} has dtype {first.dtype}: pass floating point responses")
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


def _tensor(array: np.ndarray | torch.Tensor) -> torch.Tensor:
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
