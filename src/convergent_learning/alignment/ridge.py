"""The ridge penalty, and its choice by cross-validation inside the training folds. numpy only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from .layer_pair import LayerPair, Moments
from .moments import Folds, block

Ridge: TypeAlias = float | Literal["cv"]

RIDGE_GRID = np.logspace(-6, 2, 9)
# Target units that choose λ: more of them cost time and hardly change the choice.
WIDE = 256
_TINY = np.finfo(np.float64).tiny


def ridge_scores(train: Moments) -> np.ndarray:
    """Score of each λ of ``RIDGE_GRID``, by leaving out each fold of the training split in turn.

    Rotating the source changes no prediction, hence not the choice: it is made once, unrotated.
    Scores of all outer folds are made together and kept.
    """
    pair = train.pair.unrotated
    rotated = pair is not train.pair
    live_x = pair.live_x(train.folds) if rotated else train.live_x
    live_x = live_x & pair.source.inner_live(pair.grid, pair.center, train.folds)
    target = pair.target
    live_y = train.live_y & target.inner_live(target.grid, pair.center, train.folds)
    scores = pair.kept(
        ("ridge", live_x.tobytes(), live_y.tobytes()),
        lambda: inner_scores(pair, live_x, live_y),
    )
    [outer] = set(pair.folds) - set(train.folds)
    return scores[outer]


def inner_scores(pair: LayerPair, live_x: np.ndarray, live_y: np.ndarray) -> np.ndarray:
    """Inner cross-validated score of each λ of ``RIDGE_GRID``, summed, for every outer fold.

    With the eigenvectors U of a fitted moment, a = U'X'Y and the held-out V = U'X'XU, the fit of
    every λ is U d_λ a, and the variance of its predictions the diagonal of a'd_λ V d_λ a. A fit
    without folds j and k serves both as outer fold: fold k is scored on j, and j on k. What does
    not depend on the target is kept by the source. Of a target with more than ``WIDE`` units, so
    many are drawn at random.

    Only the choice of λ comes from here, so products are float32, in units of the layers' variances
    (correlations do not depend on them).

    Returns
    -------
    float array, ``(K, len(RIDGE_GRID))``
        Meaningless for outer folds where a unit of `live_x` or `live_y` varies in some splits only.
    """
    folds = pair.folds
    scores = np.zeros((len(folds), len(RIDGE_GRID)))
    live_y = _some(live_y)
    if not (live_x.any() and live_y.any()):
        return scores
    left_out = list(itertools.combinations(folds, 2))
    fitted_on = [tuple(k for k in folds if k not in two) for two in left_out]
    basis, shrinkages, held_out_xx = pair.source.kept(
        ("ridge", pair.grid, pair.center, live_x.tobytes()),
        lambda: _source_side(pair, left_out, fitted_on, live_x),
    )
    spread = np.stack([pair.variance_y((k,))[live_y] for k in folds])
    spread = np.sqrt(np.maximum(spread, _TINY))[:, None]
    held_out = np.stack([block(pair.xy((k,)), live_x, live_y) for k in folds]) / spread
    fitted = block(pair.xy_each(fitted_on), live_x, live_y) / spread.mean(0)
    fitted, held_out = basis @ fitted.astype(np.float32), held_out.astype(np.float32)
    for i, (j, k) in enumerate(left_out):
        weights = shrinkages[i].T[:, :, None] * fitted[i][:, None]  # (p, λ, q): one wide product
        weights = weights.reshape(len(weights), -1)
        predicted = (held_out_xx[i] @ weights).reshape(2, *weights.shape)
        variance = np.einsum("hpc,pc->hc", predicted, weights)
        covariance = shrinkages[i] @ (fitted[i] * (basis[i] @ held_out[[j, k]]))
        r = pearson(covariance, variance.reshape(covariance.shape), np.float32(1))
        scores[[k, j]] += r.mean(2)
    return scores


def _some(live_y: np.ndarray) -> np.ndarray:
    """The live target units, or a random `WIDE` of them: the same for as many on every machine."""
    units = np.flatnonzero(live_y)
    if len(units) <= WIDE:
        return live_y
    chosen = np.zeros_like(live_y)
    chosen[np.random.default_rng(len(units)).choice(units, WIDE, replace=False)] = True
    return chosen


def shrinkage(values: np.ndarray, ridge: float | np.ndarray) -> np.ndarray:
    """1/(eigenvalue + penalty); directions without variance get no weight."""
    penalised = values + ridge * values.mean()
    floor = len(values) * np.finfo(np.float64).eps * values[-1]
    return np.divide(1.0, penalised, out=np.zeros_like(penalised), where=penalised > floor)


def pearson(
    covariance: np.ndarray, variance_x: np.ndarray, variance_y: np.ndarray | np.float32
) -> np.ndarray:
    """r, and 0 where a side does not vary (a zero map predicts a constant)."""
    scale = np.sqrt(np.maximum(variance_x, 0) * np.maximum(variance_y, 0))
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def _source_side(
    pair: LayerPair, left_out: Sequence[Folds], fitted_on: Sequence[Folds], live_x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pair of folds left out, in float32 and in units of the mean eigenvalue.

    basis (p, p) is U', shrinkages (λ, p), held-out xx of both folds (2p, p), one above the
    other.
    """
    basis, shrinkages, held_out = [], [], []
    for two, folds in zip(left_out, fitted_on, strict=True):
        values, vectors = pair.eigh(folds, live_x)
        mean = max(values.mean(), _TINY)
        basis.append(vectors.T / np.sqrt(mean))
        shrinkages.append(mean * shrinkage(values, RIDGE_GRID[:, None]))
        rotated = [vectors.T @ block(pair.xx((k,)), live_x, live_x) @ vectors / mean for k in two]
        held_out.append(np.concatenate(rotated))
    return _stacked(basis), _stacked(shrinkages), _stacked(held_out)


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(parts).astype(np.float32)
