"""Responses in, fold moments out: one streamed pass with torch (CPU or CUDA).

Rows (stimuli x positions) are never all held. Blocks are float32 (float64 if the input is) with
TF32 off, accumulators float64, and a provisional shift taken from the first stimuli keeps large
offsets from cancelling. The layers of a network that share a grid are stacked, so that all layer
pairs of two networks on that grid are one matrix product.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch

from .moments import Grid, LayerMoments, common_grid
from .responses import Responses

Device: TypeAlias = str | torch.device
Names: TypeAlias = tuple[str, str]  # of two networks, x and y
Layers: TypeAlias = tuple[int, int]  # a layer of x, a layer of y
_Scratch: TypeAlias = "dict[tuple[str, Grid], torch.Tensor]"  # of one network, by use and grid
_Matrices: TypeAlias = Mapping[Grid, torch.Tensor]  # (units, stimuli, positions) of one network

ROWS = 16384  # samples a product: float32 sums stay short, and the block stays near the cache
SHIFT_STIMULI = 64
BLOCK = (1024, 128 << 20)  # stimuli, bytes
DEFAULT_MEMORY = 1 << 30


def accumulate(
    networks: Mapping[str, Sequence[Responses]],
    fold_of: np.ndarray,
    pairs: Sequence[Names] = (),
    *,
    own: Collection[str] | None = None,
    learned: bool = True,
    matched: bool = False,
    shuffles: Mapping[str, np.ndarray] | None = None,
    memory: int = DEFAULT_MEMORY,
    device: Device | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[
    dict[str, list[LayerMoments]],
    dict[Names, dict[Layers, np.ndarray]],
    dict[Names, dict[Layers, np.ndarray]],
]:
    """Fold moments of every layer, and cross moments of all layer pairs of each pair of networks.

    Parameters
    ----------
    networks : dict name -> list of Responses
    fold_of : int array, ``(n,)``
    pairs : sequence of (name_x, name_y)
    own : collection of names, optional
        Networks whose own moments are wanted; default all.
    learned : bool
        Whether the cross moments of corresponding stimuli are wanted.
    matched : bool
        Pair layer i with layer i only. Networks then have equally many layers, and own moments
        are on the grids of the layers of one index.
    shuffles : dict name_y -> int array ``(n,)``, optional
        Also accumulate the cross moments with the stimuli of y reordered so.
    memory : int
        Bytes that a block of stimuli may take; accumulators come on top.
    device : torch device, optional
        Default: the device of the first layer.
    dtype : torch dtype, optional
        Of the products. Default: float64 if a layer is, else float32.

    Returns
    -------
    own : dict name -> list of LayerMoments
    cross, shuffled : dict (name_x, name_y) -> dict (i, j) -> float64 array ``(K, p_i, q_j)``
        Centred within fold and position, on the coarser of the two grids, divided by its positions.

    Raises
    ------
    ValueError
        On non-finite responses, different numbers of stimuli, or grids that do not nest.
    """
    layers = [layer for stack in networks.values() for layer in stack]
    for layer in layers:
        if layer.n != len(fold_of):
            raise ValueError(
                f"{layer.label} has {layer.n} stimuli where {len(fold_of)} are expected: "
                "both sides must hold the same images in the same order"
            )
    device = torch.device(device) if device is not None else layers[0].device
    if dtype is None:
        exact = any(layer.dtype == torch.float64 for layer in layers)
        dtype = torch.float64 if exact else torch.float32
    scratch: dict[str, _Scratch] = {name: {} for name in networks}

    def sums(chosen: slice) -> _Sums:
        responses = {name: stack[chosen] for name, stack in networks.items()}
        chain = _grid_chain(itertools.chain.from_iterable(responses.values()))
        stacks = {
            name: _Stack(
                responses[name],
                chain,
                fold_of,
                own is None or name in own,
                dtype,
                device,
                scratch[name],
            )
            for name in networks
        }
        return _Sums(stacks, pairs, learned, shuffles)

    depth = len(next(iter(networks.values())))
    parts = [sums(slice(i, i + 1)) for i in range(depth)] if matched else [sums(slice(None))]
    with _exact_float32():
        for start, stop in _blocks(layers, memory, shuffles):
            _add_block(start, stop, fold_of, parts)
    for part in parts:
        part.check_finite()
    own_moments: dict[str, list[LayerMoments]] = defaultdict(list)
    cross: dict[Names, dict[Layers, np.ndarray]] = defaultdict(dict)
    shuffled: dict[Names, dict[Layers, np.ndarray]] = defaultdict(dict)
    for first, part in enumerate(parts):
        for name, moments in part.moments().items():
            own_moments[name] += moments
        for found, products in ((cross, part.products), (shuffled, part.nulls)):
            for pair, product in products.items():
                for (i, j), centred in product.centred().items():
                    found[pair][first + i, first + j] = centred
    return own_moments, cross, shuffled


def _add_block(start: int, stop: int, fold_of: np.ndarray, parts: Sequence[_Sums]) -> None:
    """Add stimuli start … stop-1 to all sums; nothing read outlives the call.

    Folds are the outer loop: a source that makes its responses gathers shuffled stimuli of all
    layers at once.
    """
    read = [part.read(start, stop) for part in parts]
    for fold in np.unique(fold_of[start:stop]):
        members = np.flatnonzero(fold_of[start:stop] == fold)
        for part, blocks in zip(parts, read, strict=True):
            part.add(fold, members, blocks, start)


class _Sums:
    """Sums over stimuli of some networks, each with its layers stacked."""

    def __init__(
        self,
        stacks: Mapping[str, _Stack],
        pairs: Sequence[Names],
        learned: bool,
        shuffles: Mapping[str, np.ndarray] | None,
    ):
        self.stacks, self._shuffles = stacks, shuffles or {}
        self.products = {(x, y): _Cross(stacks[x], stacks[y]) for x, y in pairs if learned}
        self.nulls = {(x, y): _Cross(stacks[x], stacks[y]) for x, y in pairs if shuffles}

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


class _Stack:
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
        scratch: _Scratch,
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

    def add(self, fold: int, matrices: _Matrices) -> None:
        for grid, matrix in matrices.items():
            self.sums[grid][fold] += matrix.sum(1)
            if self.own:
                for i, rows in self.slices(grid).items():
                    self.second[i, grid][fold] += gram(_flat(matrix[rows]))

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
                centred = _centred(self.second[i, grid], sums, sums, self.counts)
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


class _Cross:
    """Cross moments of all layer pairs of two networks, each pair on the coarser of its grids.

    On a grid: the native rows of x against all rows of y, and the averaged rows of x against the
    native rows of y. So every pair of layers is met once.
    """

    def __init__(self, x: _Stack, y: _Stack):
        self.x, self.y = x, y
        self.parts: dict[tuple[Grid, bool], torch.Tensor] = {}
        for grid in x.rows:
            if grid not in y.rows:
                continue
            self.parts[grid, True] = x.zeros(x.units(grid, True), y.units(grid))
            self.parts[grid, False] = x.zeros(x.units(grid, False), y.units(grid, True))

    def add(self, fold: int, x: _Matrices, y: _Matrices) -> None:
        for (grid, native), total in self.parts.items():
            if total[fold].numel():
                rows, columns = self._select(grid, native, _flat(x[grid]), _flat(y[grid]), 0)
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
            centred = _centred(total, sums_x, sums_y, self.x.counts).cpu().numpy()
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


def _grid_chain(layers: Iterable[Responses]) -> list[Grid]:
    """Grids from fine to coarse; each must divide the one before."""
    chain = sorted({layer.grid for layer in layers}, key=lambda g: -g[0] * g[1])
    for fine, coarse in itertools.pairwise(chain):
        common_grid(fine, coarse)
    return chain


def _blocks(
    layers: Sequence[Responses], memory: int, shuffles: Mapping[str, np.ndarray] | None
) -> list[tuple[int, int]]:
    """Ranges of stimuli. Arrays in memory are viewed whole; files are read in bounded blocks.

    Larger blocks than `BLOCK` gain nothing, unless stimuli are shuffled: those outside the block
    must be read one by one.
    """
    n = layers[0].n
    if all(layer.in_memory for layer in layers):
        return [(0, n)]
    stimulus = sum(layer.bytes_a_stimulus for layer in layers)
    size = memory // stimulus
    if not shuffles:
        size = min(size, BLOCK[0], BLOCK[1] // stimulus)
    size = max(1, int(size))
    return [(start, min(start + size, n)) for start in range(0, n, size)]


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


def _shift(layer: Responses, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Provisional mean (units, 1, positions) from the first stimuli; need not be accurate."""
    first = layer.block(0, min(SHIFT_STIMULI, layer.n)).to(device).double()
    return first.mean(0).nan_to_num(0.0, 0.0, 0.0)[:, None].to(dtype)


def average(matrix: torch.Tensor, fine: Grid, coarse: Grid) -> torch.Tensor:
    """(a, b, fine positions) -> (a, b, coarse positions): mean over each cell."""
    maps = matrix.reshape(*matrix.shape[:2], *fine)
    kernel = (fine[0] // coarse[0], fine[1] // coarse[1])
    return torch.nn.functional.avg_pool2d(maps, kernel).reshape(*matrix.shape[:2], -1)


def _flat(matrix: torch.Tensor) -> torch.Tensor:
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


def _centred(
    second: torch.Tensor, sums_x: torch.Tensor, sums_y: torch.Tensor, counts: torch.Tensor
) -> torch.Tensor:
    """Fold products (K, p, q) and sums (K, units, positions) -> centred per position, in place."""
    correction = sums_x @ sums_y.transpose(1, 2) / counts[:, None, None]
    return second.sub_(correction).div_(sums_x.shape[2])


class _exact_float32:
    """TF32 and reduced-precision products off, restored afterwards."""

    def __enter__(self) -> None:
        self._precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")

    def __exit__(self, *_: object) -> None:
        torch.set_float32_matmul_precision(self._precision)
