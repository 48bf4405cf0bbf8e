"""The layers of a network as matrices that sums are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from .moments import Grid, LayerMoments
from .responses import Responses

Scratch: TypeAlias = dict[tuple[str, Grid], torch.Tensor]  # of one network, by use and grid
Matrices: TypeAlias = Mapping[Grid, torch.Tensor]  # (units, stimuli, positions) of one network

SHIFT_STIMULI = 64


class LayerStack:
    """The layers of one network as float matrices (units, stimuli, positions), one per grid.

    Rows on a grid: first the layers that have this grid, then the finer ones averaged over its
    cells, in the order of the next finer grid.
    """

    def __init__(
        self,
        responses: Sequence[Responses],
        chain: Sequence[Grid],
        fold_of: np.ndarray,
        own: bool,
        dtype: torch.dtype,
        device: torch.device,
        scratch: Scratch,
    ):
        self.responses, self.own, self.dtype, self.device = responses, own, dtype, device
        self._scratch = scratch
        self.n_folds = int(fold_of.max()) + 1
        self.counts = torch.bincount(torch.as_tensor(fold_of)).to(device)
        self.rows: dict[Grid, list[int]] = {}
        finer: list[int] = []
        for grid in chain:
            finer = [i for i, layer in enumerate(responses) if layer.grid == grid] + finer
            if finer:
                self.rows[grid] = list(finer)
        self.native = {
            g: sum(responses[i].grid == g for i in rows) for g, rows in self.rows.items()
        }
        self.shift = [_shift(layer, device, dtype) for layer in responses]
        self.sums = {g: self.zeros(self.units(g), g[0] * g[1]) for g in self.rows}
        self.second = {
            (i, g): self.zeros(responses[i].units, responses[i].units)
            for g, rows in self.rows.items()
            for i in rows
            if own
        }

    def units(self, grid: Grid, native: bool | None = None) -> int:
        """Rows of the stacked matrix: all, or only the native (True) or averaged (False) ones."""
        chosen = [i for i in self.rows[grid] if native in (None, self.responses[i].grid == grid)]
        return sum(self.responses[i].units for i in chosen)

    def slices(self, grid: Grid) -> dict[int, slice]:
        """Layer index -> its rows in the stacked matrix of this grid."""
        ends = np.cumsum([0] + [self.responses[i].units for i in self.rows[grid]])
        return {i: slice(a, b) for i, a, b in zip(self.rows[grid], ends, ends[1:], strict=False)}

    def read(self, start: int, stop: int) -> list[torch.Tensor]:
        return [layer.block(start, stop) for layer in self.responses]

    def build(
        self, block: Callable[[int], torch.Tensor], m: int, use: str = "built"
    ) -> dict[Grid, torch.Tensor]:
        """grid -> shifted matrix (units, m, positions), valid until the next call for this `use`.

        block : layer index -> its responses (m, c, positions)
        """
        matrices: dict[Grid, torch.Tensor] = {}
        finer = None
        for grid, rows in self.rows.items():
            matrix = self._matrix(use, grid, m)
            start = 0
            for i in rows[: self.native[grid]]:
                stop = start + self.responses[i].units
                responses = block(i).to(self.device, non_blocking=True)
                matrix[start:stop].copy_(responses.transpose(0, 1))
                matrix[start:stop].sub_(self.shift[i])
                start = stop
            if finer is not None:
                matrix[start:].copy_(average(matrices[finer], finer, grid))
            matrices[grid], finer = matrix, grid
        return matrices

    def add(self, fold: int, matrices: Matrices) -> None:
        for grid, matrix in matrices.items():
            self.sums[grid][fold] += matrix.sum(1)
            if self.own:
                for i, rows in self.slices(grid).items():
                    self.second[i, grid][fold] += gram(flat(matrix[rows]))

    def check_finite(self) -> None:
        for i, layer in enumerate(self.responses):
            sums = self.sums[layer.grid][:, self.slices(layer.grid)[i]]
            finite = bool(torch.isfinite(sums).all())
            if not finite:
                layer.check_finite()
            if not finite or (self.own and not torch.isfinite(self.second[i, layer.grid]).all()):
                raise ValueError(
                    f"{layer.label}: squared responses overflow {self.dtype}: rescale them or pass "
                    "float64"
                )

    def moments(self) -> list[LayerMoments]:
        """Own moments of each layer, on its own grid and every coarser one of the chain."""
        result = []
        for i, layer in enumerate(self.responses):
            products = {}
            for grid in (g for g, rows in self.rows.items() if i in rows):
                sums = self.sums[grid][:, self.slices(grid)[i]]
                centred = centred_by_sums(self.second[i, grid], sums, sums, self.counts)
                products[grid] = centred.cpu().numpy()
                if grid == layer.grid:
                    mean = self.shift[i].squeeze(1).double() + sums / self.counts[:, None, None]
                    means = mean.transpose(1, 2).cpu().numpy()
            counts = self.counts.cpu().numpy()
            result.append(LayerMoments(counts, layer.grid, means, products, layer.label))
        return result

    def _matrix(self, use: str, grid: Grid, m: int) -> torch.Tensor:
        """An uninitialised matrix in memory that is used again: fresh pages cost time."""
        units, positions = self.units(grid), grid[0] * grid[1]
        size = units * m * positions
        if (use, grid) not in self._scratch or len(self._scratch[use, grid]) < size:
            self._scratch[use, grid] = torch.empty(size, dtype=self.dtype, device=self.device)
        memory = self._scratch[use, grid][:size]
        # With one position the file's order (stimuli, units) is kept: products take a transposed
        # matrix at full speed, and no transposing copy is made.
        if positions == 1:
            return memory.view(m, units).T[:, :, None]
        return memory.view(units, m, positions)

    def zeros(self, *shape: int) -> torch.Tensor:
        """Accumulator with one float64 array of this shape for each fold."""
        return torch.zeros(self.n_folds, *shape, dtype=torch.float64, device=self.device)


def _shift(layer: Responses, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Provisional mean (units, 1, positions) from the first stimuli; need not be accurate."""
    first = layer.block(0, min(SHIFT_STIMULI, layer.n)).to(device).double()
    return first.mean(0).nan_to_num(0.0, 0.0, 0.0)[:, None].to(dtype)


def average(matrix: torch.Tensor, fine: Grid, coarse: Grid) -> torch.Tensor:
    """(a, b, fine positions) -> (a, b, coarse positions): mean over each cell."""
    maps = matrix.reshape(*matrix.shape[:2], *fine)
    kernel = (fine[0] // coarse[0], fine[1] // coarse[1])
    return torch.nn.functional.avg_pool2d(maps, kernel).reshape(*matrix.shape[:2], -1)


def flat(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.reshape(len(matrix), -1)


def gram(matrix: torch.Tensor, block: int = 128) -> torch.Tensor:
    """matrix @ matrix.T; the lower triangle of blocks is mirrored, not computed."""
    units = len(matrix)
    if units <= 2 * block:
        return matrix @ matrix.T
    gram = matrix.new_empty(units, units)
    for start in range(0, units, block):
        stop = min(start + block, units)
        strip = matrix[start:stop] @ matrix[start:].T
        gram[start:stop, start:] = strip
        gram[start:, start:stop] = strip.T
    return gram


def centred_by_sums(
    second: torch.Tensor, sums_x: torch.Tensor, sums_y: torch.Tensor, counts: torch.Tensor
) -> torch.Tensor:
    """Fold products (K, p, q) and sums (K, units, positions) -> centred per position, in place."""
    correction = sums_x @ sums_y.transpose(1, 2) / counts[:, None, None]
    return second.sub_(correction).div_(sums_x.shape[2])
