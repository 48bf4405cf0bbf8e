"""Sums over streamed stimuli of several networks: of their products, and of own moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from .layer_stack import LayerStack, Matrices, centred_by_sums, flat
from .moments import Grid, LayerMoments
from .passes import ROWS
from .responses import Responses

Names: TypeAlias = tuple[str, str]  # of two networks, x and y
Layers: TypeAlias = tuple[int, int]  # a layer of x, a layer of y


class StreamedSums:
    """Sums over stimuli of some networks, each with its layers stacked."""

    def __init__(
        self,
        stacks: Mapping[str, LayerStack],
        pairs: Sequence[Names],
        learned: bool,
        shuffles: Mapping[str, np.ndarray] | None,
    ):
        self.stacks, self._shuffles = stacks, shuffles or {}
        self.products = {(x, y): CrossSums(stacks[x], stacks[y]) for x, y in pairs if learned}
        self.nulls = {(x, y): CrossSums(stacks[x], stacks[y]) for x, y in pairs if shuffles}

    def read(self, start: int, stop: int) -> dict[str, list[torch.Tensor]]:
        return {name: stack.read(start, stop) for name, stack in self.stacks.items()}

    def add(
        self, fold: int, members: np.ndarray, read: Mapping[str, list[torch.Tensor]], start: int
    ) -> None:
        """Add the `members` of a fold, counted from the block's first stimulus, `start`."""
        mixed = {}
        for y in {y for _, y in self.nulls}:
            indices = self._shuffles[y][start + members]
            mixed[y] = _reordered(self.stacks[y].responses, read[y], indices, start)
        for part in self._parts(len(members)):
            chosen = members[part]
            built = {
                name: stack.build(_chosen(read[name], chosen), len(chosen))
                for name, stack in self.stacks.items()
            }
            for name, matrices in built.items():
                self.stacks[name].add(fold, matrices)
            for (x, y), product in self.products.items():
                product.add(fold, built[x], built[y])
            for y, (blocks, rows) in mixed.items():
                matrices = self.stacks[y].build(_chosen(blocks, rows[part]), len(chosen), "mixed")
                for (x, partner), product in self.nulls.items():
                    if partner == y:
                        product.add(fold, built[x], matrices)

    def check_finite(self) -> None:
        for stack in self.stacks.values():
            stack.check_finite()

    def moments(self) -> dict[str, list[LayerMoments]]:
        """Own moments of the networks that have some."""
        return {name: stack.moments() for name, stack in self.stacks.items() if stack.own}

    def _parts(self, members: int) -> list[slice]:
        """The members of a fold in parts of at most `ROWS` samples."""
        positions = max(
            rows * columns for stack in self.stacks.values() for rows, columns in stack.rows
        )
        size = max(1, ROWS // positions)
        return [slice(start, start + size) for start in range(0, members, size)]


class CrossSums:
    """Cross moments of all layer pairs of two networks, each pair on the coarser of its grids.

    On a grid: the native rows of x against all rows of y, and the averaged rows of x against the
    native rows of y. So every pair of layers is met once.
    """

    def __init__(self, x: LayerStack, y: LayerStack):
        self.x, self.y = x, y
        self.parts: dict[tuple[Grid, bool], torch.Tensor] = {}
        for grid in x.rows:
            if grid not in y.rows:
                continue
            self.parts[grid, True] = x.zeros(x.units(grid, True), y.units(grid))
            self.parts[grid, False] = x.zeros(x.units(grid, False), y.units(grid, True))

    def add(self, fold: int, x: Matrices, y: Matrices) -> None:
        for (grid, native), total in self.parts.items():
            if total[fold].numel():
                rows, columns = self._select(grid, native, flat(x[grid]), flat(y[grid]), 0)
                total[fold] += rows @ columns.T

    def centred(self) -> dict[Layers, np.ndarray]:
        """(layer of x, layer of y) -> (K, p, q) float64 array, centred and divided by positions.

        The sums are given up part by part, and each array is its own: both are large.
        """
        result = {}
        while self.parts:
            (grid, native), total = self.parts.popitem()
            if not total.numel():
                continue
            sums_x, sums_y = self._select(grid, native, self.x.sums[grid], self.y.sums[grid], 1)
            centred = centred_by_sums(total, sums_x, sums_y, self.x.counts).cpu().numpy()
            offset = 0 if native else self.x.units(grid, True)
            for i, rows in self.x.slices(grid).items():
                for j, columns in self.y.slices(grid).items():
                    inside = rows.start >= offset and rows.stop - offset <= centred.shape[1]
                    if inside and columns.stop <= centred.shape[2]:
                        shifted = slice(rows.start - offset, rows.stop - offset)
                        result[i, j] = centred[:, shifted, columns].copy()
        return result

    def _select(
        self, grid: Grid, native: bool, x: torch.Tensor, y: torch.Tensor, axis: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        split, width = self.x.units(grid, True), self.y.units(grid, None if native else True)
        rows = x.narrow(axis, 0, split) if native else x.narrow(axis, split, x.shape[axis] - split)
        return rows, y.narrow(axis, 0, width)


def _chosen(blocks: Sequence[torch.Tensor], indices: np.ndarray) -> Callable[[int], torch.Tensor]:
    chosen = torch.as_tensor(indices)
    return lambda i: blocks[i].index_select(0, chosen.to(blocks[i].device))


def _reordered(
    responses: Sequence[Responses], read: Sequence[torch.Tensor], indices: np.ndarray, start: int
) -> tuple[Sequence[torch.Tensor], np.ndarray]:
    """Blocks and the rows that hold the stimuli `indices`: the block just read, or a new one."""
    local = indices - start
    if local.min() >= 0 and local.max() < len(read[0]):
        return read, local
    return [layer.gather(indices) for layer in responses], np.arange(len(indices))
