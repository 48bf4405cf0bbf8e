"""The score of a fold in one direction."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

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


def fold_score(
    direction: Direction,
    fold: int,
    value: float,
    live_source: np.ndarray,
    live_target: np.ndarray,
    fitted: Any,
) -> FoldScore:
    """A score with the numbers of dead units of x and y, whichever of them is the source."""
    dead = int((~live_source).sum()), int((~live_target).sum())
    n_dead_x, n_dead_y = dead if direction == FORWARD else dead[::-1]
    return FoldScore(direction, fold, float(value), n_dead_x, n_dead_y, fitted)
