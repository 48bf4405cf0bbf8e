"""Directed fold scores of one layer pair under one metric."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from .comparison import split

FORWARD, BACKWARD = "x->y", "y->x"


class FoldScore(NamedTuple):
    direction: str
    fold: int
    score: float
    n_dead_x: int
    n_dead_y: int
    fitted: Any


def evaluate(metric, forward, scored_on=None, *, ridge="cv", directions=(FORWARD, BACKWARD)):
    """Fit on the training folds, score on the held-out fold, for both directions.

    Parameters
    ----------
    metric : Metric
    forward : Comparison of x as source with y as target
    scored_on : Comparison, optional
        The same layers on other stimuli: maps fitted on `forward` are scored there (transfer).

    Returns
    -------
    list of FoldScore, folds within directions
    """
    options = {"ridge": ridge} if metric.takes_ridge else {}
    shared = metric.symmetric and forward.same_grid and len(directions) == 2
    forward_fits, scores = {}, []
    for direction in directions:
        flip = direction == BACKWARD
        comparison = forward.reversed() if flip else forward
        target = scored_on.reversed() if flip and scored_on is not None else scored_on
        for fold in comparison.folds:
            train, held_out = split(comparison, fold, target)
            if not (train.live_x.any() and train.live_y.any()):
                _warn_dead(train, fold)
                fitted, value = None, np.nan
            elif flip and shared:
                fitted = forward_fits[fold].T
                value = metric.score(fitted, held_out)
            else:
                fitted = forward_fits[fold] = metric.fit(train, **options)
                value = metric.score(fitted, held_out)
            dead = [int((~train.live_x).sum()), int((~train.live_y).sum())]
            scores.append(
                FoldScore(direction, fold, float(value), *dead[:: -1 if flip else 1], fitted)
            )
    return scores


def _warn_dead(train, fold):
    comparison = train.comparison
    dead = comparison.target if train.live_x.any() else comparison.source
    warnings.warn(
        f"no unit of {dead.label} varies over the stimuli (fold {fold}): its score is NaN",
        RuntimeWarning,
        stacklevel=3,
    )
