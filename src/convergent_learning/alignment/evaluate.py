"""Directed fold scores of one layer pair under one metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore, fold_score
from .layer_pair import LayerPair, Moments, split
from .plans import plan_scores, rotated_plan_scores
from .registry import Metric
from .ridge import Ridge
from .rotation import Rotations, rotated


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
    if metric.plan is not None:
        return plan_scores(metric, forward, scored_on, directions)
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
                pair.warn_dead(fold, train.live_x)
                fitted, value = None, np.nan
            elif flip and shared:
                fitted = forward_fits[fold].T
                value = metric.score(fitted, held_out)
            else:
                fitted = forward_fits[fold] = _fitted(metric, train, options, target is not None)
                value = metric.score(fitted, held_out)
            scores.append(fold_score(direction, fold, value, train.live_x, train.live_y, fitted))
    return scores


def rotated_scores(
    metric: Metric, pair: LayerPair, rotations: Rotations, *, ridge: Ridge = "cv"
) -> Iterator[list[FoldScore]]:
    """Fold scores of x->y with the source rotated, once for each of `rotations`."""
    if metric.plan is not None:
        yield from rotated_plan_scores(metric, pair, rotations)
        return
    for turned in rotated(pair, rotations.matrices):
        yield evaluate(metric, turned, ridge=ridge, directions=(FORWARD,))


def _fitted(metric: Metric, train: Moments, options: dict[str, Any], again: bool) -> Any:
    """The fit; kept by the pair where it is scored on other stimuli, of which more may follow."""
    if not again:
        return metric.fit(train, **options)
    live = train.live_x.tobytes(), train.live_y.tobytes()
    key = ("fit", metric.name, train.folds, *live, *options.values())
    return train.pair.kept(key, lambda: metric.fit(train, **options))
