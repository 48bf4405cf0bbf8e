"""The ridge penalty, and its choice by cross-validation inside the training folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from array_api_compat import array_namespace

from .arrays import WIDE, Array, like, on_gpu, to_numpy
from .factors import solve_positive
from .layer_pair import LayerPair, Moments
from .moments import Sets, held_out, two_left_out

Ridge: TypeAlias = float | Literal["cv"]

RIDGE_GRID = np.logspace(-6, 2, 9)
# Target units that choose λ: more of them cost time and hardly change the choice.
TARGETS = 256
# A penalty is trusted in float32 if it is this many times the rounding of the eigenvalues.
_ROUNDING = 32
_TINY = float(np.finfo(np.float64).tiny)


def penalised(train: Moments, strengths: np.ndarray) -> Array:
    """Ridge maps (..., p, q) of y on x, for λ of each split.

    Directions without variance get no weight.
    """
    xy = train.xy
    strength = like(strengths, xy)[:, None]
    if on_gpu(xy) and (strengths > 0).all():
        xx, xp = train.xx, array_namespace(xy)
        live = xp.sum(xp.astype(train.live_x, xy.dtype), axis=-1, keepdims=True)
        mean = xp.linalg.trace(xx)[:, None] / xp.clip(live, 1.0)
        penalty = xp.clip(strength * mean, _TINY)
        return solve_positive(_with_penalty(xx, penalty), xy)
    values, vectors = train.eigen_x()
    shrunk = shrinkage(values, strength, train.live_x)
    return vectors @ (shrunk[..., None] * (vectors.mT @ xy))


def chosen_ridge(train: Moments) -> np.ndarray:
    """Index in ``RIDGE_GRID`` of the λ of each split, by leaving out each training fold in turn."""
    pair = train.pair
    target = pair.target
    live_x = train.live_x & pair.source.inner_live(pair.grid, pair.center)
    live_y = train.live_y & target.inner_live(target.grid, pair.center)
    chosen = []
    for outer in range(pair.n_folds):
        masks = live_x[outer], live_y[outer]
        best = pair.kept(
            ("ridge", *(to_numpy(mask).tobytes() for mask in masks)),
            lambda masks=masks: _best(pair, *masks),  # type: ignore[misc]
        )
        chosen.append(best[outer])
    return np.array(chosen)


def _best(pair: LayerPair, live_x: Array, live_y: Array) -> np.ndarray:
    """Index of the best λ for every outer fold.

    Wide layers are decomposed in float32 first, whose rounding drowns the smallest penalties: if
    the smallest of the others is the best one, a smaller one may be better, and float64 decides.

    Meaningless for outer folds where a unit of the masks varies in some splits only.
    """
    if not (live_x.any() and live_y.any()):
        return np.zeros(pair.n_folds, dtype=int)
    if len(live_x) >= WIDE and not on_gpu(live_x):
        scores, trusted = inner_scores(pair, live_x, live_y, "float32")
        best = trusted + scores[:, trusted:].argmax(1)
        if trusted == 0 or (best > trusted).all():
            return best
    return inner_scores(pair, live_x, live_y, "float64")[0].argmax(1)


def inner_scores(
    pair: LayerPair, live_x: Array, live_y: Array, precision: str
) -> tuple[np.ndarray, int]:
    """Inner cross-validated score of each λ of ``RIDGE_GRID``, summed, for every outer fold.

    With the eigenvectors U of a fitted moment, a = U'X'Y and the held-out V = U'X'XU, the fit of
    every λ is U d_λ a, and the variance of its predictions the diagonal of a'd_λ V d_λ a. A fit
    without folds j and k serves both as outer fold: fold k is scored on j, and j on k. What does
    not depend on the target is kept by the source. Of a target with more than ``TARGETS`` units, so
    many are drawn at random. On a GPU a Cholesky factor for each λ takes the place of eigenvectors.

    Only the choice of λ comes from here, so products are float32, in units of the layers' variances
    (correlations do not depend on them).

    Returns
    -------
    scores : float array, ``(K, len(RIDGE_GRID))``
    trusted : index of the first λ that rounding leaves unharmed
    """
    two, rest = two_left_out(pair.n_folds)
    alone = held_out(pair.n_folds)
    scores = np.zeros((pair.n_folds, len(RIDGE_GRID)))
    targets = some_targets(live_y)
    sources = np.flatnonzero(to_numpy(live_x))
    side = pair.source.kept(
        ("ridge", pair.grid, pair.center, precision, sources.tobytes()),
        lambda: _source_side(pair, two, rest, sources, precision),
    )
    xp = array_namespace(side.held_out)
    spread = xp.sqrt(xp.clip(pair.variance_y(alone)[:, targets], _TINY))[:, None, :]
    left_out = _block(pair.xy(alone), sources, targets) / spread
    fitted = _block(pair.xy(rest), sources, targets) / xp.mean(spread, axis=0)
    fitted, left_out = (xp.astype(each, xp.float32) for each in (fitted, left_out))
    for i, (j, k) in enumerate(two):
        actual = xp.stack([left_out[j], left_out[k]])
        weights, covariance = side.fits(i, fitted[i], actual)
        predicted = xp.reshape(side.held_out[i] @ weights, (2, *weights.shape))
        predicted *= weights
        variance = xp.reshape(predicted.sum(axis=1), covariance.shape)
        r = pearson(covariance, variance, side.scale[i] ** 2)
        scores[[k, j]] += to_numpy(r.mean(axis=2))
    return scores, side.trusted


def shrinkage(values: Array, ridge: Array, live: Array) -> Array:
    """1/(eigenvalue + penalty) for λ (..., 1); directions without variance get no weight.

    live : (..., p) mask: penalties are in units of the mean eigenvalue of so many units
    """
    xp = array_namespace(values)
    units = xp.sum(xp.astype(live, values.dtype), axis=-1, keepdims=True)
    mean = xp.sum(values, axis=-1, keepdims=True) / xp.clip(units, 1.0)
    penalised = values + ridge * mean
    floor = units * float(xp.finfo(values.dtype).eps) * values[..., -1:]
    kept = penalised > floor
    inverse = 1 / xp.where(kept, penalised, xp.ones_like(penalised))
    return xp.where(kept, inverse, xp.zeros_like(inverse))


def pearson(covariance: Array, variance_x: Array, variance_y: Array) -> Array:
    """r, and 0 where a side does not vary (a zero map predicts a constant)."""
    xp = array_namespace(covariance)
    square = variance_x * variance_y
    varies = square > 0
    return covariance * varies / xp.sqrt(xp.where(varies, square, xp.ones_like(square)))


class _SourceSide(NamedTuple):
    """For each two folds left out, in float32 and in units of the mean eigenvalue.

    basis (n, p, p) is U', shrunk (n, λ, p); on a GPU they are None and the fitted moments
    (n, p, p), in float64, stand for them. held_out (n, 2p, p) is xx of both folds, one above the
    other. scale (n,) is the deviation of x in these units. trusted is the first λ that
    rounding leaves unharmed.
    """

    basis: Array | None
    shrunk: Array | None
    moments: Array | None
    held_out: Array
    scale: Array
    trusted: int

    def fits(self, i: int, fitted: Array, actual: Array) -> tuple[Array, Array]:
        """Of the i-th two folds: maps of all λ, and the covariances of their predictions.

        fitted : (p, q) products of the other folds
        actual : (2, p, q) products of both folds

        Returns (p, λ·q), in the basis that `held_out` is in, and (2, λ, q).
        """
        xp = array_namespace(fitted)
        if self.moments is None:
            assert self.basis is not None
            assert self.shrunk is not None
            fitted = self.basis[i] @ fitted
            weights = self.shrunk[i].mT[:, :, None] * fitted[:, None]
            covariance = self.shrunk[i] @ (fitted * (self.basis[i] @ actual))
        else:
            right = xp.astype(fitted, self.moments.dtype)
            solved = [
                solve_positive(_with_penalty(self.moments[i], penalty), right)
                for penalty in like(RIDGE_GRID, right)
            ]
            weights = xp.astype(xp.stack(solved, axis=1), fitted.dtype)
            covariance = (weights * actual[:, :, None]).sum(axis=1)
        return xp.reshape(weights, (len(weights), -1)), covariance


def _source_side(
    pair: LayerPair,
    two: Sequence[tuple[int, int]],
    rest: Sets,
    sources: np.ndarray,
    precision: str,
) -> _SourceSide:
    moments = _block(pair.xx(rest), sources, sources)
    alone = _block(pair.xx(held_out(pair.n_folds)), sources, sources)
    xp = array_namespace(moments)
    mean = xp.clip(xp.linalg.trace(moments) / len(sources), _TINY)[:, None, None]
    moments = moments / mean
    pairs = [xp.concat([alone[j], alone[k]]) / mean[i] for i, (j, k) in enumerate(two)]
    scale = xp.astype(mean[:, 0, 0] ** 0.5, xp.float32)
    if on_gpu(moments):
        return _SourceSide(None, None, moments, xp.astype(xp.stack(pairs), xp.float32), scale, 0)
    dtype = getattr(xp, precision)
    values, vectors = xp.linalg.eigh(xp.astype(moments, dtype))
    live = xp.ones_like(values, dtype=xp.bool)
    shrunk = [shrinkage(values, float(ridge), live) for ridge in RIDGE_GRID]
    rounding = _ROUNDING * float(xp.finfo(dtype).eps) * float(xp.max(values))
    turned = []
    for i, above in enumerate(pairs):
        both = xp.reshape(xp.astype(above, dtype) @ vectors[i], (2, len(sources), -1))
        turned.append(xp.astype(xp.reshape(vectors[i].mT @ both, above.shape), xp.float32))
    return _SourceSide(
        xp.astype(vectors.mT, xp.float32),
        xp.astype(xp.stack(shrunk, axis=1), xp.float32),
        None,
        xp.stack(turned),
        scale,
        int((rounding > RIDGE_GRID).sum()) if precision == "float32" else 0,
    )


def _with_penalty(matrices: Array, penalty: Array) -> Array:
    """Matrices (..., p, p) with penalties (..., 1) or () on their diagonals."""
    xp = array_namespace(matrices)
    identity = xp.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
    return matrices + (penalty[..., None] if penalty.ndim else penalty) * identity


def some_targets(live_y: Array) -> np.ndarray:
    """Indices of the live target units, or of ``TARGETS`` of them: the same on every machine."""
    units = np.flatnonzero(to_numpy(live_y))
    if len(units) <= TARGETS:
        return units
    return np.sort(np.random.default_rng(len(units)).choice(units, TARGETS, replace=False))


def _block(matrices: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """matrices[..., rows, columns]; the matrices themselves if that is all of them."""
    if len(rows) < matrices.shape[-2]:
        matrices = matrices[..., rows, :]
    return matrices if len(columns) == matrices.shape[-1] else matrices[..., columns]
