"""Every layer of several networks with every layer of the others: the scores of `score`.

Layer pairs are scored one at a time, as `score` does it, so that the numbers are the same in
float32 too. What a layer needs for all its partners is made once and kept, as far as memory
allows: layers are cut into blocks, and pairs are scored block by block.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..progress import track
from .api import Score, collected
from .moments import Grid, common_grid
from .pair_scores import PreparedLayer, Setting, from_rows, is_wide, pair_scores
from .registry import Metric

if TYPE_CHECKING:
    from .responses import Responses


@dataclass(frozen=True, eq=False)
class NamedLayer:
    """A layer of one of the networks."""

    network: str
    name: str
    responses: Responses

    @property
    def grid(self) -> Grid:
        return self.responses.grid


class ScoredPair(NamedTuple):
    """Scores of a layer x of one network with a layer y of a later one, by metric."""

    x: NamedLayer
    y: NamedLayer
    scores: Mapping[str, Score]


class _Step(NamedTuple):
    """A pair of layers, by index.

    blocks : of x and y
    kinds : whether the pair is wide; grids and dtypes of x and y
    """

    blocks: tuple[int, int]
    kinds: tuple
    x: int
    y: int


def scored_pairs(
    layers: Sequence[NamedLayer],
    metrics_for: Callable[[int, int], Sequence[Metric]],
    setting: Setting,
    memory: int,
) -> Iterator[ScoredPair]:
    """Score all pairs of layers of different networks, showing progress.

    Parameters
    ----------
    layers : network by network, of the same stimuli and in depth order
    metrics_for : metrics of two layers, by their numbers of units
    setting : how they are compared
    memory : int
        Bytes that what is kept of layers may take: responses that are copied, and what is made of
        them for all partners. One pair of layers is always kept; what scoring a single pair takes
        comes on top.

    Raises
    ------
    ValueError
        Naming both layers, if their grids do not divide.
    """
    steps, block_of = _steps(layers, metrics_for, setting, memory)
    kept: dict[int, PreparedLayer] = {}
    before = steps[0]
    for step in track(steps, "compare"):
        if step.blocks != before.blocks:
            kept = {i: layer for i, layer in kept.items() if block_of[i] in step.blocks}
        if step.kinds != before.kinds:
            for layer in kept.values():
                layer.forget()
        before = step
        for i in (step.x, step.y):
            if i not in kept:
                kept[i] = PreparedLayer(_at_hand(layers[i], memory // 2))
        x, y = kept[step.x], kept[step.y]
        metrics = metrics_for(x.responses.units, y.responses.units)
        found = pair_scores(metrics, x, y, setting) if metrics else {}
        scores = {name: collected(entries) for name, entries in found.items()}
        yield ScoredPair(layers[step.x], layers[step.y], scores)


def layers_compared(layers: Sequence[NamedLayer]) -> Iterator[tuple[int, int]]:
    """Indices of each two layers of different networks."""
    for i, j in itertools.combinations(range(len(layers)), 2):
        if layers[i].network != layers[j].network:
            yield i, j


def _at_hand(layer: NamedLayer, memory: int) -> Responses:
    """The responses, in memory if they fit there."""
    if _read_again(layer) and _responses_bytes(layer) <= memory:
        return layer.responses.in_memory_copy()
    return layer.responses


def _steps(
    layers: Sequence[NamedLayer],
    metrics_for: Callable[[int, int], Sequence[Metric]],
    setting: Setting,
    memory: int,
) -> tuple[list[_Step], list[int]]:
    """All pairs, so ordered that what is kept of layers serves as many partners as memory allows.

    How the own moments of a layer are rounded depends on grid and dtype of its partner: they are
    kept for pairs that agree in these. Returns the block of each layer, too.
    """
    n_folds = int(setting.fold_of.max()) + 1
    kinds: dict[tuple[int, int], tuple] = {}
    sizes = [0] * len(layers)
    for i, j in layers_compared(layers):
        pair = layers[i], layers[j]
        _check_grids(*pair)
        x, y = pair[0].responses, pair[1].responses
        kinds[i, j] = is_wide(x, y), x.grid, y.grid, str(x.dtype), str(y.dtype)
        metrics = metrics_for(x.units, y.units)
        by_rows = len(from_rows(metrics, x, y))
        for k, layer in zip((i, j), pair, strict=True):
            size = _bytes_of_moments(layer, n_folds) if by_rows < len(metrics) else 0
            if by_rows:
                size += _bytes_of_rows(layer, common_grid(x.grid, y.grid), n_folds)
            sizes[k] = max(sizes[k], size)
    block = _blocks(sizes, memory // 2)
    steps = [_Step((block[i], block[j]), kind, i, j) for (i, j), kind in kinds.items()]
    return sorted(steps), block


def _check_grids(x: NamedLayer, y: NamedLayer) -> None:
    try:
        common_grid(x.grid, y.grid)
    except ValueError as error:
        raise ValueError(f"{x.responses.label} and {y.responses.label}: {error}") from None


def _blocks(sizes: Sequence[int], memory: int) -> list[int]:
    """Number of the block of each layer: consecutive ones that fit, or a single one."""
    blocks, number, taken = [], 0, 0
    for size in sizes:
        if taken and taken + size > memory:
            number, taken = number + 1, 0
        blocks.append(number)
        taken += size
    return blocks


def _bytes_of_moments(layer: NamedLayer, n_folds: int) -> int:
    """Bytes of what is kept of a layer that is scored from second moments.

    In float64, K matrices (p, p) of products and K each of: sums, products of both kinds of splits,
    eigenvectors. In float32, for each two folds, a basis (p, p) and held-out products (2p, p) of
    the choice of λ.
    """
    held = _responses_bytes(layer) if _read_again(layer) else 0
    matrices = 5 * n_folds * 8 + 3 * (n_folds * (n_folds - 1) // 2) * 4
    return held + matrices * layer.responses.units**2


def _bytes_of_rows(layer: NamedLayer, grid: Grid, n_folds: int) -> int:
    """Bytes at most of what is kept of a layer that is scored from its rows on a grid.

    The responses, and in float64: products of rows over the units that live in every split, and
    over those of the last mask, each a matrix (rows, rows) at most; of each split the axes on which
    all rows stand, of rank (K-1)/K of the rows, and for the choice of λ of each split those of K-1
    splits of its training rows, of rank (K-2)/K, as the units that are left out as dead may differ.
    For each unit: fold means, and variances.
    """
    responses = layer.responses
    rows = responses.n * grid[0] * grid[1]
    positions = layer.grid[0] * layer.grid[1]
    rank = min(rows, responses.units)
    axes = n_folds * (min(rank, rows * (n_folds - 1) // n_folds))
    axes += n_folds * (n_folds - 1) * min(rank, rows * (n_folds - 2) // n_folds)
    of_units = 4 * n_folds * positions + n_folds * (n_folds + 8)
    matrices = rows * (rows + rank + axes) + of_units * responses.units
    return _responses_bytes(layer) + 8 * matrices


def _read_again(layer: NamedLayer) -> bool:
    """Whether each partner would make its responses be read, or averaged, anew."""
    return not layer.responses.in_memory or layer.responses.positions == "average"


def _responses_bytes(layer: NamedLayer) -> int:
    rows, columns = layer.grid
    responses = layer.responses
    return responses.n * responses.units * rows * columns * responses.dtype.itemsize
