"""Activations that are no file: held in memory, or made when they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from convergent_learning.activations.decisions import accuracy
from convergent_learning.activations.forward import (
    DTYPES,
    Extraction,
    attributes_of,
    attributes_of_layers,
    forward,
)
from convergent_learning.activations.loaded import LoadedNetwork, Loader
from convergent_learning.activations.shown import BATCH, Shown
from convergent_learning.alignment.responses import Array
from convergent_learning.stimuli.stimulus_files import Stimuli


class LiveActivations:
    """A network's activations for a stimulus set (`alignment.store.Activations`).

    They are those of forward passes over whole batches of consecutive stimuli, of which the last
    block that was read is kept, or all once `hold` was called. Stimuli outside the block are shown
    to the network by themselves. Activations stay on its device.

    Raises ValueError as `LoadedNetwork`, and for activations that overflow the dtype.
    """

    def __init__(self, loader: Loader, shown: Shown, step: int, stimuli: Stimuli, how: Extraction):
        self._loader, self._shown, self._step = loader, shown, step
        self._stimuli, self._how = stimuli, how
        network = self._network()
        self.name = shown.name
        self.attrs: Mapping[str, Any] = attributes_of(network, stimuli, how)
        first, _ = forward(network, stimuli, slice(1), shown.layer_names, how)
        self.layers: Mapping[str, Mapping[str, Any]] = attributes_of_layers(network)
        self._device = network.device
        self.n = len(stimuli.images)
        self.shapes: Mapping[str, tuple[int, ...]] = {
            layer: (self.n, *kept.shape[1:]) for layer, kept in first.items()
        }
        self._logits: dict[int, np.ndarray] = {}  # by the first stimulus of the batch
        self._held = False
        self._reading: Sequence[str] = ()
        self._start = self._stop = 0
        self._block: dict[str, torch.Tensor] = {}
        self._indices = np.empty(0, dtype=np.int64)
        self._gathered: dict[str, torch.Tensor] = {}

    @property
    def bytes(self) -> int:
        """Size of all activations."""
        values = sum(math.prod(shape) for shape in self.shapes.values())
        return values * DTYPES[self._how.dtype].itemsize

    @property
    def accuracy(self) -> float:
        """See `decisions.accuracy`; known once every stimulus was read."""
        logits = [self._logits[start] for start in range(0, self.n, BATCH)]
        return accuracy(np.concatenate(logits), self._stimuli, self._how.classes)

    @property
    def together(self) -> bool:
        """Whether reading one layer costs what reading all of them does."""
        return not self._held

    def hold(self) -> None:
        """Make all activations in one pass, and keep them."""
        self._forget(list(self.layers))
        self._advance(0, self.n)
        self._held = True

    def read(self, layers: Sequence[str]) -> list[Array]:
        """Responses of some layers, which are valid until the next call."""
        if not self._held:
            self._forget(layers)
        return [_Layer(self, layer) for layer in layers]

    def __str__(self) -> str:
        return f"step {self._step}"

    def block(self, layer: str, start: int, stop: int) -> torch.Tensor:
        """Activations (stop - start, …) of a layer that is read, for consecutive stimuli."""
        if start < self._start or stop > self._stop:
            self._advance(start - start % BATCH, min(self.n, stop + -stop % BATCH))
        return self._block[layer][start - self._start : stop - self._start]

    def gather(self, layer: str, indices: np.ndarray) -> torch.Tensor:
        """Activations (m, …) of a layer that is read, for the stimuli of ascending indices (m,)."""
        if self._start <= indices[0] and indices[-1] < self._stop:
            return self._block[layer][torch.from_numpy(indices - self._start).to(self._device)]
        if not np.array_equal(self._indices, indices):
            self._indices, self._gathered = indices, {}  # before new ones take memory
            parts = [
                forward(self._network(), self._stimuli, part, self._reading, self._how)[0]
                for part in np.split(indices, range(BATCH, len(indices), BATCH))
            ]
            self._gathered = {
                name: torch.cat([part.pop(name) for part in parts]) for name in self._reading
            }
        return self._gathered[layer]

    def _forget(self, layers: Sequence[str]) -> None:
        """Keep nothing of what was read; read `layers` from now on."""
        self._reading = layers
        self._start = self._stop = 0
        self._indices, self._block, self._gathered = self._indices[:0], {}, {}

    def _advance(self, start: int, stop: int) -> None:
        """Make the batches of a block that the last one does not have."""
        first, last = max(start, self._start), min(stop, self._stop)
        known = range(first, last, BATCH)
        shared = slice(first - self._start, last - self._start)
        kept = {name: tensor[shared].clone() for name, tensor in self._block.items() if known}
        self._forget(self._reading)
        self._block = {layer: self._empty(layer, stop - start) for layer in self._reading}
        for name, tensor in kept.items():
            self._block[name][first - start : last - start] = tensor
        for begin in range(start, stop, BATCH):
            if begin not in known:
                self._make(begin, begin - start)
        self._start, self._stop = start, stop

    def _make(self, begin: int, row: int) -> None:
        """Write the batch that begins with this stimulus into the block, from this row on."""
        batch = slice(begin, min(begin + BATCH, self.n))
        made, logits = forward(self._network(), self._stimuli, batch, self._reading, self._how)
        self._logits[begin] = logits
        for layer, activations in made.items():
            self._block[layer][row : row + len(activations)] = activations

    def _empty(self, layer: str, n: int) -> torch.Tensor:
        shape = (n, *self.shapes[layer][1:])
        return torch.empty(shape, dtype=DTYPES[self._how.dtype], device=self._device)

    def _network(self) -> LoadedNetwork:
        return self._loader.load(self._shown, self._step)


class _Layer:
    """A layer that is read (`alignment.responses.MadeWhenRead`)."""

    def __init__(self, network: LiveActivations, layer: str):
        self._network, self._layer = network, layer
        self.shape = network.shapes[layer]

    def __getitem__(self, stimuli: slice | np.ndarray) -> torch.Tensor:
        if isinstance(stimuli, slice):
            return self._network.block(self._layer, stimuli.start, stimuli.stop)
        return self._network.gather(self._layer, stimuli)
