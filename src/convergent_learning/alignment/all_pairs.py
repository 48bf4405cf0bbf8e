"""Every layer of several networks with every layer of the others: the scores of `score`.

Products are made one layer pair at a time, as `score` makes them, so that the numbers are the same
in float32 too. What a layer needs for all its partners is made once and kept, as far as memory
allows: layers are cut into blocks, and pairs are scored block by block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..progress import track
from .api import Score, collected
from .evaluate import evaluate
from .layer_pair import paired
from .moments import Center, Grid, LayerMoments, common_grid
from .registry import Metric
from .ridge import Ridge

if TYPE_CHECKING:
    from .accumulate import Device
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
    kinds : grids and dtypes of x and y
    """

    blocks: tuple[int, int]
    kinds: tuple
    x: int
    y: int


def scored_pairs(
    layers: Sequence[NamedLayer],
    metrics: Sequence[Metric],
    fold_of: np.ndarray,
    *,
    center: Center,
    ridge: Ridge,
    device: Device | None,
    memory: int,
) -> Iterator[ScoredPair]:
    """Score all pairs of layers of different networks, showing progress.

    Parameters
    ----------
    layers : network by network, of the same stimuli and in depth order
    metrics : those that need equal widths are left out where widths differ
    fold_of : int array (n,)
    center, ridge, device : see `api.score`
    memory : int
        Bytes that what is kept of layers may take: responses that are read from files, own moments,
        and what is made of these. One pair of layers is always kept; what scoring a single
        pair takes comes on top.

    Raises
    ------
    ValueError
        Naming both layers, if their grids do not divide.
    """
    steps = _steps(layers, int(fold_of.max()) + 1, memory)
    kept: dict[int, _Kept] = {}
    before = steps[0]
    for step in track(steps, "compare"):
        if step.blocks != before.blocks:
            kept = {}
        elif step.kinds != before.kinds:
            for layer in kept.values():
                layer.moments = None
        before = step
        for i in (step.x, step.y):
            if i not in kept:
                kept[i] = _Kept(layers[i], memory // 2)
        x, y = kept[step.x], kept[step.y]
        yield ScoredPair(x.layer, y.layer, _scores(x, y, metrics, fold_of, center, ridge, device))


class _Kept:
    """A layer while its partners are scored: responses in memory if they fit, and own moments."""

    def __init__(self, layer: NamedLayer, memory: int):
        self.layer = layer
        self.responses = layer.responses
        if _read_again(layer) and _responses_bytes(layer) <= memory:
            self.responses = layer.responses.in_memory_copy()
        self.moments: LayerMoments | None = None


def _scores(
    x: _Kept,
    y: _Kept,
    metrics: Sequence[Metric],
    fold_of: np.ndarray,
    center: Center,
    ridge: Ridge,
    device: Device | None,
) -> dict[str, Score]:
    # Imported here: torch takes seconds to load, and scores of stored moments do without.
    from .accumulate import accumulate

    widths = x.responses.units, y.responses.units
    chosen = [metric for metric in metrics if widths[0] == widths[1] or not metric.equal_widths]
    if not chosen:
        return {}
    own, cross, _ = accumulate(
        {"x": [x.responses], "y": [y.responses]},
        fold_of,
        [("x", "y")],
        own=[side for side, kept in (("x", x), ("y", y)) if kept.moments is None],
        device=device,
    )
    for side, kept in (("x", x), ("y", y)):
        if side in own:
            [kept.moments] = own[side]
    assert x.moments is not None
    assert y.moments is not None
    pair = paired(x.moments, y.moments, cross["x", "y"][0, 0], center)
    return {metric.name: collected(evaluate(metric, pair, ridge=ridge)) for metric in chosen}


def _steps(layers: Sequence[NamedLayer], n_folds: int, memory: int) -> list[_Step]:
    """All pairs, so ordered that what is kept of layers serves as many partners as memory allows.

    How the own moments of a layer are rounded depends on grid and dtype of its partner: they are
    kept for pairs that agree in these.
    """
    block = _blocks([_bytes_kept(layer, n_folds) for layer in layers], memory // 2)
    steps = []
    for i, j in itertools.combinations(range(len(layers)), 2):
        x, y = layers[i], layers[j]
        if x.network != y.network:
            _check_grids(x, y)
            dtypes = str(x.responses.dtype), str(y.responses.dtype)
            steps.append(_Step((block[i], block[j]), (x.grid, y.grid, *dtypes), i, j))
    return sorted(steps)


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


def _bytes_kept(layer: NamedLayer, n_folds: int) -> int:
    """Bytes of what is kept of a layer.

    In float64, K matrices (p, p) of products and K each of: sums, products of both kinds of splits,
    eigenvectors. In float32, for each two folds, a basis (p, p) and held-out products (2p, p) of
    the choice of λ.
    """
    held = _responses_bytes(layer) if _read_again(layer) else 0
    matrices = 5 * n_folds * 8 + 3 * (n_folds * (n_folds - 1) // 2) * 4
    return held + matrices * layer.responses.units**2


def _read_again(layer: NamedLayer) -> bool:
    """Whether each partner would make its responses be read, or averaged, anew."""
    return not layer.responses.in_memory or layer.responses.positions == "average"


def _responses_bytes(layer: NamedLayer) -> int:
    rows, columns = layer.grid
    responses = layer.responses
    return responses.n * responses.units * rows * columns * responses.dtype.itemsize
