"""Scores of two arrays of responses to the same stimuli: what a Python prompt needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import registry
from .crossvalidation import check_folds, shuffle_within
from .crossvalidation import folds as make_folds
from .evaluate import evaluate, rotated_scores
from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore
from .layer_pair import LayerPair, paired
from .maps import check_ridge
from .moments import Center
from .positions import Positions, check_positions
from .registry import Metric
from .ridge import Ridge
from .rotation import Rotations, haar

if TYPE_CHECKING:
    from .accumulate import Device
    from .responses import Array

CLAIMED = ("linear", "procrustes", "permutation", "soft_matching")


@dataclass(frozen=True, eq=False)
class Score:
    """Result of one metric.

    mean : float, over folds and directions
    folds : (n_folds,) mean of the directions
    directions : {"x->y": (n_folds,), "y->x": (n_folds,)}, those asked for; x->y maps x onto y
    n_dead : (x, y) units left out as dead, in the worst fold
    maps : {"x->y": list of arrays (p, q), one a fold, "y->x": …} if asked for, else None
    """

    mean: float
    folds: np.ndarray
    directions: dict[Direction, np.ndarray]
    n_dead: tuple[int, int]
    maps: dict[Direction, list[Any]] | None = None


@dataclass(frozen=True, eq=False)
class RotatedBasis:
    """Learned score against scores with the source's basis rotated.

    learned : float
    draws : (n_draws,) mean over folds and directions
    p : (1 + number of draws >= learned) / (n_draws + 1)
    directions : {"x->y": (n_draws, n_folds), "y->x": …}; the source of the direction is rotated
    """

    learned: float
    draws: np.ndarray
    p: float
    directions: dict[Direction, np.ndarray]


def score(
    x: Array,
    y: Array,
    metrics: str | Sequence[str] | None = None,
    n_folds: int = 5,
    folds: npt.ArrayLike | None = None,
    seed: int = 0,
    positions: Positions = "all",
    center: Center = "position",
    ridge: Ridge = "cv",
    device: Device | None = None,
    *,
    keep_maps: bool = False,
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
) -> dict[str, Score]:
    """Cross-validated alignment of two sets of responses to the same stimuli.

    Parameters
    ----------
    x, y : numpy array, torch tensor or open HDF5 dataset, ``(n, p)`` or ``(n, c, h, w)``
        float16, bfloat16, float32 or float64; row i of both is stimulus i. Units are channels,
        positions are samples. Products are taken in float64 if an input is, else in float32.
    metrics : str or sequence of str, optional
        Default: linear, procrustes, permutation (where p = q) and soft_matching.
        ``metrics(context=True)`` lists the context metrics. Like the others they are means over
        folds: `cka` is higher than that of all stimuli, which is ``measure(x, y, "cka")``.
    n_folds, seed : int
        Folds over stimuli, see ``folds``.
    folds : int array ``(n,)``, optional
        Explicit folds 0 … K-1 instead.
    positions : "all", int, "center", "average" or "units"
        Positions of a map that are kept, see ``positions.sample_positions``. If the grids of x and
        y differ, the target keeps its own; a coarser source is repeated over its cell, a finer one
        averaged over the target's. One grid must divide the other.
    center : "position" or "unit"
        Each unit centred per position, or by one mean.
    ridge : "cv" or float
        λ of the linear map, see ``maps.linear``.
    device : torch device, optional
        Where products are accumulated; default the device of x.
    keep_maps : bool
        Keep the fitted maps and plans.
    directions : sequence of str
        ``("x->y",)`` maps x onto y only, which is all that is computed then.

    Returns
    -------
    dict metric -> Score

    Raises
    ------
    ValueError
        Unknown metric; different numbers of stimuli; too few for the folds; NaN or infinite
        responses; `permutation` asked for with p != q; grids that do not divide.
    """
    forward = _layer_pair(x, y, n_folds, folds, seed, positions, center, ridge, device)
    return _scores(forward, metrics, ridge, keep_maps, directions=directions)


def shuffled(
    x: Array,
    y: Array,
    metrics: str | Sequence[str] | None = None,
    n_folds: int = 5,
    folds: npt.ArrayLike | None = None,
    seed: int = 0,
    positions: Positions = "all",
    center: Center = "position",
    ridge: Ridge = "cv",
    device: Device | None = None,
) -> dict[str, Score]:
    """The null of `score`: stimuli of y permuted within folds (whole images). Same result."""
    forward = _layer_pair(
        x, y, n_folds, folds, seed, positions, center, ridge, device, shuffle=True
    )
    return _scores(forward, metrics, ridge)


def transfer(
    x: Array,
    y: Array,
    onto_x: Array,
    onto_y: Array,
    metrics: str | Sequence[str] | None = None,
    n_folds: int = 5,
    folds: npt.ArrayLike | None = None,
    seed: int = 0,
    positions: Positions = "all",
    center: Center = "position",
    ridge: Ridge = "cv",
    device: Device | None = None,
) -> dict[str, Score]:
    """Maps fitted on (x, y), scored on the held-out images of another condition.

    Parameters
    ----------
    onto_x, onto_y : like x and y
        Responses to the same images under the condition, in the same order.

    Other parameters and the result are those of `score`.
    """
    common = (n_folds, folds, seed, positions, center, ridge, device)
    forward = _layer_pair(x, y, *common)
    onto = _layer_pair(onto_x, onto_y, *common, names=("onto_x", "onto_y"))
    for side, fitted, scored in (
        ("x", forward.source, onto.source),
        ("y", forward.target, onto.target),
    ):
        if (fitted.units, fitted.grid) != (scored.units, scored.grid):
            raise ValueError(
                f"onto_{side} has {scored.units} units on a {scored.grid} grid where {side} has "
                f"{fitted.units} on {fitted.grid}: pass the same layer's responses"
            )
        if (fitted.counts != scored.counts).any():
            raise ValueError(
                f"onto_{side} has {onto.source.counts.sum()} stimuli and {side} has "
                f"{forward.source.counts.sum()}: pass the same images in the same order"
            )
    return _scores(forward, metrics, ridge, scored_on=onto)


def rotated_basis(
    x: Array,
    y: Array,
    metric: str = "permutation",
    n_draws: int = 99,
    seed: int = 0,
    n_folds: int = 5,
    folds: npt.ArrayLike | None = None,
    positions: Positions = "all",
    center: Center = "position",
    ridge: Ridge = "cv",
    device: Device | None = None,
) -> RotatedBasis:
    """Is the basis of the units special? Learned score against Haar-rotated sources.

    `seed` seeds folds and rotations; the other parameters are those of `score`.

    Returns
    -------
    RotatedBasis
    """
    forward = _layer_pair(x, y, n_folds, folds, seed, positions, center, ridge, device)
    chosen = registry.metric(metric)
    learned = _scores(forward, metric, ridge)[metric].mean
    directions: dict[Direction, np.ndarray] = {}
    for direction, pair in ((FORWARD, forward), (BACKWARD, forward.reversed())):
        rotations = Rotations(haar(pair.source.units, n_draws, seed, direction))
        scored = rotated_scores(chosen, pair, rotations, ridge=ridge)
        directions[direction] = np.array([[fold.score for fold in scores] for scores in scored])
    draws = np.mean([values.mean(1) for values in directions.values()], axis=0)
    p = (1 + int((draws >= learned).sum())) / (n_draws + 1)
    return RotatedBasis(learned, draws, p, directions)


def _layer_pair(
    x: Array,
    y: Array,
    n_folds: int,
    folds: npt.ArrayLike | None,
    seed: int,
    positions: Positions,
    center: Center,
    ridge: Ridge,
    device: Device | None,
    shuffle: bool = False,
    names: tuple[str, str] = ("x", "y"),
) -> LayerPair:
    # Imported here: torch takes seconds to load, and scores of stored moments do without.
    from .accumulate import accumulate
    from .responses import paired_responses

    check_positions(positions)
    source, target = paired_responses(x, y, positions, names)
    fold_of = make_folds(source.n, n_folds, seed) if folds is None else check_folds(folds, source.n)
    check_ridge(ridge, fold_of.max() + 1)
    own, cross, null = accumulate(
        {"x": [source], "y": [target]},
        fold_of,
        [("x", "y")],
        learned=not shuffle,
        shuffles={"y": shuffle_within(fold_of, seed)} if shuffle else None,
        device=device,
    )
    products = (null if shuffle else cross)["x", "y"][0, 0]
    return paired(own["x"][0], own["y"][0], products, center)


def _scores(
    forward: LayerPair,
    metrics: str | Sequence[str] | None,
    ridge: Ridge,
    keep_maps: bool = False,
    scored_on: LayerPair | None = None,
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
) -> dict[str, Score]:
    how: dict[str, Any] = {"ridge": ridge, "directions": directions}
    return {
        metric.name: collected(evaluate(metric, forward, scored_on, **how), keep_maps)
        for metric in _chosen(metrics, forward)
    }


def _chosen(metrics: str | Sequence[str] | None, forward: LayerPair) -> list[Metric]:
    """Metrics by name, after refusing what these widths do not allow."""
    p, q = forward.source.units, forward.target.units
    if metrics is None:
        named = [registry.metric(name) for name in CLAIMED]
        return [metric for metric in named if p == q or not metric.equal_widths]
    named = [registry.metric(n) for n in ([metrics] if isinstance(metrics, str) else metrics)]
    for metric in named:
        if metric.equal_widths and p != q:
            raise ValueError(
                f"{metric.name} needs as many units on both sides, but x has {p} and y has {q}: "
                "leave it out, or use soft_matching"
            )
    return named


def collected(entries: Sequence[FoldScore], keep_maps: bool = False) -> Score:
    """The result of one metric from its directed fold scores."""
    directions = {
        name: np.array([entry.score for entry in entries if entry.direction == name])
        for name in dict.fromkeys(entry.direction for entry in entries)
    }
    folds = np.mean([*directions.values()], axis=0)
    dead = (max(entry.n_dead_x for entry in entries), max(entry.n_dead_y for entry in entries))
    maps = None
    if keep_maps:
        maps = {
            name: [entry.fitted for entry in entries if entry.direction == name]
            for name in directions
        }
    return Score(float(folds.mean()), folds, directions, dead, maps)
