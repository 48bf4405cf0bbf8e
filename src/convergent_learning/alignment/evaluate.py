"""Directed fold scores of one layer pair under one metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from .arrays import Array, like, to_numpy
from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore, fold_scores
from .layer_pair import LayerPair, Moments, deviations, splits, warn_dead
from .moments import held_out, live, training
from .registry import Metric
from .ridge import Ridge
from .rotation import Rotations, rotated_pair
from .unit_matching import planned_correlation

Plan = Callable[[np.ndarray], np.ndarray]


def evaluate(
    metric: Metric,
    forward: LayerPair,
    scored_on: LayerPair | None = None,
    *,
    ridge: Ridge = "cv",
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
    workers: Executor | None = None,
) -> list[FoldScore]:
    """Fit on the training folds, score on the held-out fold, for both directions.

    Parameters
    ----------
    metric
    forward : x as source with y as target
    scored_on : optional
        The same layers on other stimuli: maps fitted on `forward` are scored there (transfer).
    workers : optional
        Plans of several folds are found side by side.

    Returns
    -------
    folds within directions
    """
    options = {"ridge": ridge} if metric.takes_ridge else {}
    both = forward.same_grid and len(directions) == 2
    scores: list[FoldScore] = []
    values: np.ndarray | None = None
    fitted: Any = None
    for turn, direction in enumerate(directions):
        flip = direction == BACKWARD
        pair = forward.reversed() if flip else forward
        target = scored_on.reversed() if flip and scored_on is not None else scored_on
        train, left_out = splits(pair, target)
        again = both and turn == 1
        if again and metric.symmetric:
            fitted = _transposed(fitted)
        elif not (again and metric.undirected):
            fitted = _fitted(metric, train, options, target is not None, workers)
        if values is None or not (again and metric.undirected):
            values = _scored(metric, fitted, left_out)
        for fold, scored in enumerate(to_numpy(train.scored)):
            if not scored:
                warn_dead(pair.source.label, pair.target.label, fold, train.live_x[fold])
        scores += fold_scores(direction, values, train.live_x, train.live_y, fitted)
    return scores


def rotated_scores(
    metric: Metric,
    pair: LayerPair,
    rotations: Rotations,
    *,
    ridge: Ridge = "cv",
    workers: Executor | None = None,
) -> Iterator[list[FoldScore]]:
    """Fold scores of x->y with the source rotated, once for each of `rotations`."""
    if metric.plan is None:
        for matrix in rotations.matrices:
            turned = rotated_pair(pair, like(matrix, pair.products.raw))
            yield evaluate(metric, turned, ridge=ridge, directions=(FORWARD,))
        return
    fitted, left_out = training(pair.n_folds), held_out(pair.n_folds)
    both = fitted + left_out
    live_y = pair.live_y(fitted) & pair.live_y(left_out)
    xp = array_namespace(live_y)
    scale_y = deviations(pair.variance_y(both), xp.concat([live_y, live_y]))
    for rotated in rotations.rotated(pair, both):
        live_each = live(rotated.variance_x)
        live_x = live_each[:, : pair.n_folds] & live_each[:, pair.n_folds :]
        scale_x = deviations(rotated.variance_x, xp.concat([live_x, live_x], axis=1))
        correlation = rotated.xy * scale_x[..., None]
        correlation *= xp.astype(scale_y, correlation.dtype)[:, None, :]
        plans = _plans(metric.plan, correlation[:, : pair.n_folds], workers)
        values = planned_correlation(plans, correlation[:, pair.n_folds :], live_y)
        scored = xp.any(live_x, axis=-1) & xp.any(live_y, axis=-1)
        values = xp.where(scored, values, xp.full_like(values, float("nan")))
        for draw, of_draw in enumerate(values):
            yield fold_scores(FORWARD, of_draw, live_x[draw], live_y, None)


def _fitted(
    metric: Metric,
    train: Moments,
    options: dict[str, Any],
    again: bool,
    workers: Executor | None,
) -> Any:
    """The fits; kept by the pair where they are scored on other stimuli, of which more may follow.

    Those of all splits at once if the metric is `stacked`, else a list of them.
    """

    def fit() -> Any:
        if metric.plan is not None:
            return _plans(metric.plan, train.correlation, workers)
        if metric.stacked:
            return metric.fit(train, **options)
        scored = to_numpy(train.scored)
        return [
            metric.fit(train.at(fold), **options) if scored[fold] else None
            for fold in range(len(train.sets))
        ]

    if not again:
        return fit()
    masks = (to_numpy(mask).tobytes() for mask in (train.live_x, train.live_y))
    return train.pair.kept(("fit", metric.name, *masks, *options.values()), fit)


def _transposed(fitted: Any) -> Any:
    if isinstance(fitted, list):
        return [None if plan is None else plan.T for plan in fitted]
    return fitted.mT


def _scored(metric: Metric, fitted: Any, left_out: Moments) -> np.ndarray:
    """(K,) scores, NaN where a side has no live unit."""
    scored = to_numpy(left_out.scored)
    if metric.stacked or metric.plan is not None:
        return np.where(scored, to_numpy(metric.score(fitted, left_out)), np.nan)
    return np.array(
        [
            float(metric.score(fitted[fold], left_out.at(fold))) if scored[fold] else np.nan
            for fold in range(len(scored))
        ]
    )


def _plans(plan: Plan, correlations: Array, workers: Executor | None) -> Array:
    """Plans (..., p, q) of correlations (..., p, q), found on the processor."""
    stacked = to_numpy(correlations)
    flat = stacked.reshape(-1, *stacked.shape[-2:])
    found = (map if workers is None else workers.map)(plan, flat)
    return like(np.stack(list(found)).reshape(stacked.shape), correlations)
