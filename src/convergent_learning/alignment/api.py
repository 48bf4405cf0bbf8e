"""Scores of two arrays of responses to the same stimuli: what a Python prompt needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .array_pair import ArrayPair
from .calibration import against_draws, check_draws
from .crossvalidation import shuffle_within
from .evaluate import evaluate, rotated_scores
from .fold_scores import (
    BACKWARD,
    FORWARD,
    Direction,
    FoldScore,
    by_direction,
    check_directions,
    mean_score,
)
from .moments import Center
from .positions import Positions
from .registry import check_one
from .ridge import Ridge
from .rotation import Rotations, haar

if TYPE_CHECKING:
    from .arrays import Device
    from .responses import Array


@dataclass(frozen=True, eq=False)
class Score:
    """Result of one metric.

    Attributes
    ----------
    mean : float
        Mean over folds and directions.
    folds : float array (n_folds,)
        Mean of the directions, for each fold.
    directions : dict of float arrays (n_folds,)
        The scores of "x->y", which maps x onto y, and of "y->x": those that were asked for.
    n_dead : (int, int)
        Units of x and y that were left out as dead, in the worst fold.
    maps : dict of lists of arrays (p, q), or None
        For each direction the map of every fold, if they were asked for.
    """

    mean: float
    folds: np.ndarray = field(repr=False)
    directions: dict[Direction, np.ndarray] = field(repr=False)
    n_dead: tuple[int, int]
    maps: dict[Direction, list[Any]] | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class RotatedBasis:
    """Learned score against scores with the source's basis rotated.

    Attributes
    ----------
    learned : float
        The score without a rotation.
    draws : float array (n_draws,)
        Scores with rotated bases, each the mean over folds and directions.
    p : float
        (1 + number of draws >= learned) / (n_draws + 1).
    directions : dict of float arrays (n_draws, n_folds)
        The scores of "x->y" and "y->x"; the source of the direction is rotated.
    """

    learned: float
    draws: np.ndarray = field(repr=False)
    p: float
    directions: dict[Direction, np.ndarray] = field(repr=False)


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
    x, y : array (n, p) or (n, c, h, w)
        NumPy array, torch tensor, pandas table or open HDF5 dataset of any real dtype, counts of
        spikes among them; row i of both is stimulus i. Units are channels, positions are samples.
        Products are taken in float64 if an input is (integers of more than 16 bits become float64),
        else in float32; where units outnumber rows (stimuli x positions), in float64.
    metrics : str or sequence of str, optional
        Default: linear, procrustes, permutation (where p = q) and soft_matching; the last two not
        where more than 25 million pairs of units would be matched, which a warning says.
        ``metrics(context=True)`` lists the context metrics. Like the others they are means over
        folds: `cka` is higher than that of all stimuli, which is ``measure(x, y, "cka")``.
    n_folds : int
        Number of folds over stimuli, see `alignment.folds`.
    seed : int
        Seed of the folds.
    folds : int array (n,), optional
        Explicit folds 0 … K-1 in place of those.
    positions : "all", int, "center", "average" or "units"
        Positions of a map that are kept, see `sample_positions`. If the grids of x and
        y differ, the target keeps its own; a coarser source is repeated over its cell, a finer one
        averaged over the target's. One grid must divide the other.
    center : "position" or "unit"
        Each unit centred per position, or by one mean.
    ridge : "cv" or float
        λ of the linear map: a number, or chosen by cross-validation within the training folds.
    device : torch device, optional
        Where products are accumulated; default the device of x.
    keep_maps : bool
        Keep the fitted maps and plans. Scores are then made from second moments, whose memory grows
        with the square of the units, however few rows there are.
    directions : sequence of str
        ``("x->y",)`` maps x onto y only, which is all that is computed then.

    Returns
    -------
    dict of Score
        The result of each metric, by its name.

    Raises
    ------
    ValueError
        Unknown metric; different numbers of stimuli; too few for the folds; NaN or infinite
        responses; `permutation` asked for with p != q; grids that do not divide.

    Warns
    -----
    FewRowsWarning
        A layer has fewer than ``MIN_ROWS_PER_UNIT`` training rows per unit.

    Examples
    --------
    The second layer is the first one rotated, so that a rotation maps one onto the other:

    >>> import numpy as np
    >>> from convergent_learning.alignment import score
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 5))
    >>> rotation, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    >>> result = score(x, x @ rotation, ["procrustes", "permutation"])
    >>> round(result["procrustes"].mean, 3)
    1.0
    >>> result["permutation"].mean < 0.8
    True
    >>> result["procrustes"].directions["x->y"].shape  # a score for each fold
    (5,)
    """
    check_directions(directions)
    pair = ArrayPair(
        *(x, y),
        n_folds=n_folds,
        folds=folds,
        seed=seed,
        positions=positions,
        center=center,
        ridge=ridge,
        device=device,
    )
    chosen = pair.metrics(metrics)
    scores = pair.fold_scores(chosen, directions=directions, keep_maps=keep_maps)
    return {name: collected(entries, keep_maps) for name, entries in scores.items()}


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
    """The null of `score`: stimuli of y permuted within folds (whole images). Same result.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import score, shuffled
    >>> x = np.random.default_rng(0).standard_normal((200, 5))
    >>> abs(shuffled(x, x, "procrustes")["procrustes"].mean) < 0.1
    True
    """
    pair = ArrayPair(
        *(x, y),
        n_folds=n_folds,
        folds=folds,
        seed=seed,
        positions=positions,
        center=center,
        ridge=ridge,
        device=device,
    )
    order = shuffle_within(pair.fold_of, seed)
    scores = pair.fold_scores(pair.metrics(metrics), order=order)
    return {name: collected(entries) for name, entries in scores.items()}


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

    Parameters that are not listed here, and the result, are those of `score`.

    Parameters
    ----------
    onto_x, onto_y : like x and y
        Responses to the same images under the condition, in the same order.

    Examples
    --------
    A map that is fitted on some stimuli holds on others if the layers are related in the same way:

    >>> import numpy as np
    >>> from convergent_learning.alignment import transfer
    >>> rng = np.random.default_rng(0)
    >>> x, onto = rng.standard_normal((2, 200, 5))
    >>> rotation, other = np.linalg.qr(rng.standard_normal((2, 5, 5))).Q
    >>> same = transfer(x, x @ rotation, onto, onto @ rotation, "procrustes")
    >>> round(same["procrustes"].mean, 3)
    1.0
    >>> changed = transfer(x, x @ rotation, onto, onto @ other, "procrustes")
    >>> changed["procrustes"].mean < 0.5
    True
    """
    pair = ArrayPair(
        *(x, y),
        onto=(onto_x, onto_y),
        n_folds=n_folds,
        folds=folds,
        seed=seed,
        positions=positions,
        center=center,
        ridge=ridge,
        device=device,
    )
    scores = pair.fold_scores(pair.metrics(metrics))
    return {name: collected(entries) for name, entries in scores.items()}


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

    Examples
    --------
    Units that correspond one to one lose their match when one side is rotated:

    >>> import numpy as np
    >>> from convergent_learning.alignment import rotated_basis
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((200, 5))
    >>> result = rotated_basis(x, x[:, [4, 2, 0, 1, 3]], n_draws=19)
    >>> round(result.learned, 3), result.p
    (1.0, 0.05)
    >>> bool(result.draws.max() < 1)
    True
    """
    check_one(metric)
    check_draws(n_draws)
    arrays = ArrayPair(
        *(x, y),
        n_folds=n_folds,
        folds=folds,
        seed=seed,
        positions=positions,
        center=center,
        ridge=ridge,
        device=device,
    )
    (chosen,) = arrays.metrics(metric)
    forward = arrays.moments()
    learned = mean_score(evaluate(chosen, forward, ridge=ridge))
    directions: dict[Direction, np.ndarray] = {}
    for direction, pair in ((FORWARD, forward), (BACKWARD, forward.reversed())):
        rotations = Rotations(haar(pair.source.units, n_draws, seed, direction))
        scored = rotated_scores(chosen, pair, rotations, ridge=ridge)
        directions[direction] = np.array([[fold.score for fold in scores] for scores in scored])
    draws = np.mean([values.mean(1) for values in directions.values()], axis=0)
    return RotatedBasis(learned, draws, against_draws(learned, draws).p, directions)


def collected(entries: Sequence[FoldScore], keep_maps: bool = False) -> Score:
    """The result of one metric from its directed fold scores."""
    directions = by_direction(entries)
    folds = np.mean([*directions.values()], axis=0)
    dead = (max(entry.n_dead_x for entry in entries), max(entry.n_dead_y for entry in entries))
    maps = None
    if keep_maps:
        maps = {
            name: [entry.fitted for entry in entries if entry.direction == name]
            for name in directions
        }
    return Score(float(folds.mean()), folds, directions, dead, maps)
