"""The scores of the folds in one direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from array_api_compat import array_namespace

from .arrays import Array, to_numpy

Direction: TypeAlias = Literal["x->y", "y->x"]
FORWARD: Direction = "x->y"
BACKWARD: Direction = "y->x"


class FoldScore(NamedTuple):
    direction: Direction
    fold: int
    score: float
    n_dead_x: int
    n_dead_y: int
    fitted: Any


def fold_scores(
    direction: Direction, values: Array, live_source: Array, live_target: Array, fitted: Any
) -> list[FoldScore]:
    """Scores with the numbers of dead units of x and y, whichever of them is the source.

    values : (K,), a score for each fold
    live_source, live_target : (K, p) and (K, q) masks
    fitted : None, or what was fitted for all folds: an array or a list, or a tuple of them
    """
    dead = [_dead(live_source), _dead(live_target)]
    if direction == BACKWARD:
        dead.reverse()
    return [
        FoldScore(direction, fold, float(value), x, y, _of_fold(fitted, fold))
        for fold, (value, x, y) in enumerate(zip(to_numpy(values), *dead, strict=True))
    ]


def by_direction(entries: Sequence[FoldScore]) -> dict[Direction, np.ndarray]:
    """Scores (K,) of each direction."""
    return {
        name: np.array([entry.score for entry in entries if entry.direction == name])
        for name in dict.fromkeys(entry.direction for entry in entries)
    }


def mean_score(entries: Sequence[FoldScore]) -> float:
    """The mean over folds and directions."""
    return float(np.mean([*by_direction(entries).values()]))


def check_directions(directions: object) -> None:
    """Raise ValueError unless these are some of the two directions, in a sequence."""
    known = (FORWARD, BACKWARD)
    if (
        not isinstance(directions, list | tuple)
        or not directions
        or not all(direction in known for direction in directions)
        or len({*directions}) < len(directions)
    ):
        raise ValueError(f"directions is {directions!r}: use ('x->y',), ('y->x',) or both")


def _of_fold(fitted: Any, fold: int) -> Any:
    if isinstance(fitted, tuple):
        return tuple(each[fold] for each in fitted)
    return None if fitted is None else fitted[fold]


def _dead(live: Array) -> list[int]:
    xp = array_namespace(live)
    return to_numpy(xp.sum(xp.astype(~live, xp.int64), axis=-1)).tolist()
