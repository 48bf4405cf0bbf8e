"""Directed fold scores of one layer pair under one metric."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from .layer_pair import LayerPair, Moments, split
from .registry import Metric
from .ridge import Ridge

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


def evaluate(
    metric: Metric,
    forward: LayerPair,
    scored_on: LayerPair | None = None,
    *,
    ridge: Ridge = "cv",
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
) -> list[FoldScore]:
    """Fit on the training folds, score on the held-out fold, for both directions.

    Parameters
    ----------
    metric
    forward : x as source with y as target
    scored_on : optional
        The same layers on other stimuli: maps fitted on `forward` are scored there (transfer).

    Returns
    -------
    folds within directions
    """
    options = {"ridge": ridge} if metric.takes_ridge else {}
    shared = metric.symmetric and forward.same_grid and len(directions) == 2
    forward_fits: dict[int, Any] = {}
    scores = []
    for direction in directions:
        flip = direction == BACKWARD
        pair = forward.reversed() if flip else forward
        target = scored_on.reversed() if flip and scored_on is not None else scored_on
        for fold in pair.folds:
            train, held_out = split(pair, fold, target)
            if not (train.live_x.any() and train.live_y.any()):
                _warn_dead(train, fold)
                fitted, value = None, np.nan
            elif flip and shared:
                fitted = forward_fits[fold].T
                value = metric.score(fitted, held_out)
            else:
                fitted = forward_fits[fold] = metric.fit(train, **options)
                value = metric.score(fitted, held_out)
            n_dead_x, n_dead_y = int((~train.live_x).sum()), int((~train.live_y).sum())
            if flip:
                n_dead_x, n_dead_y = n_dead_y, n_dead_x
            scores.append(FoldScore(direction, fold, float(value), n_dead_x, n_dead_y, fitted))
    return scores


def _warn_dead(train: Moments, fold: int) -> None:
    pair = train.pair
    dead = pair.target if train.live_x.any() else pair.source
    warnings.warn(
        f"no unit of {dead.label} varies over the stimuli (fold {fold}): its score is NaN",
        RuntimeWarning,
        stacklevel=3,
    )
