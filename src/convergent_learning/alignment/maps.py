"""Maps from source units to target units: linear and Procrustes.

A map is (p, q), zero at dead units, and is scored by the mean over live target units of the
held-out Pearson r between mapped and actual responses. With held-out moments V no prediction is
formed: cov(ŷ, y)_j = (M'V_xy)_jj and var(ŷ)_j = (M'V_xx M)_jj.
"""

from __future__ import annotations

import numpy as np

from .moments import block
from .registry import register

RIDGE_GRID = np.logspace(-6, 2, 9)
RANK = 1e-6  # float32 products hold no smaller singular values


def mapped_correlation(weights, held_out):
    """Mean over live target units of the held-out r; NaN if there is none."""
    if not (held_out.live_x.any() and held_out.live_y.any()):
        return np.nan
    covariance = np.einsum("ij,ij->j", weights, held_out.xy)
    variance = np.einsum("ij,ij->j", weights, held_out.xx @ weights)
    return _pearson(covariance, variance, held_out.variance_y)[held_out.live_y].mean()


@register("linear", score=mapped_correlation)
def linear(train, ridge="cv"):
    """Ridge least squares of y on x, with penalty λ·tr(C)/p on the centred moment C of x.

    ridge : "cv" or float
        λ itself, or "cv": the λ of ``RIDGE_GRID`` with the best score in an inner cross-validation
        over the training folds. 0 gives the minimum-norm least-squares map.
    """
    if ridge == "cv":
        ridge = _best_ridge(train)
    values, vectors = train.eigh()
    projected = vectors.T @ block(train.xy, train.live_x, train.live_y)
    return _expand(vectors @ (_shrinkage(values, ridge)[:, None] * projected), train)


@register("procrustes", score=mapped_correlation)
def procrustes(train):
    """Rotation/reflection that best maps x onto y.

    UV' of the SVD of X'Y; zero-padding the narrower side (Williams et al. 2021) leaves exactly the
    semi-orthogonal (p, q) matrix that maximises tr(M'X'Y) (Schönemann 1966, Psychometrika 31).
    Directions in which X'Y has no rank (singular values below ``RANK`` of the largest) map to zero:
    any rotation of them is equally good, and the score must not depend on which one is taken.
    """
    u, s, vt = train.svd()
    rank = int((s > RANK * s[0]).sum())
    return _expand(u[:, :rank] @ vt[:rank], train)


def check_ridge(ridge, n_folds):
    """Raise ValueError unless `ridge` is "cv" (with at least 3 folds) or a number >= 0."""
    if ridge == "cv":
        if n_folds < 3:
            raise ValueError(
                "ridge='cv' cross-validates inside the training folds: use n_folds >= 3"
            )
    elif isinstance(ridge, (str, bool)) or not (np.isreal(ridge) and 0 <= ridge < np.inf):
        raise ValueError(f"ridge is {ridge!r}: use 'cv' or a number of at least 0")


def _best_ridge(train):
    """λ with the best mean held-out score over the inner folds.

    With the eigenvectors U of a training moment and a = U'X'Y, the fit of every λ is U d_λ a. Only
    the choice of λ comes from here, so products are float32, in units of the layers' variances.
    """
    inner = train.inner()
    if not (inner.values.size and inner.variance_y.size):
        return RIDGE_GRID[0]
    mean = inner.values.mean(1)[:, None]
    scale = np.sqrt(mean * inner.variance_y)[:, None]
    basis = inner.vectors.transpose(0, 2, 1)
    fitted = basis @ (inner.fitted_xy / scale).astype(np.float32)
    held_out = basis @ (inner.held_out_xy / scale).astype(np.float32)
    shrinkage = np.stack([_shrinkage(values, RIDGE_GRID[:, None]) for values in inner.values])
    shrinkage = (shrinkage * mean[:, :, None]).astype(np.float32)
    variance = np.empty((len(fitted), len(RIDGE_GRID), fitted.shape[2]), np.float32)
    for j, product in enumerate(inner.held_out_xx):  # one split at a time stays in the cache
        weights = shrinkage[j, :, :, None] * fitted[j]
        np.einsum("rpq,rpq->rq", weights, product @ weights, out=variance[j])
    scores = _pearson(shrinkage @ (fitted * held_out), variance, np.float32(1))
    return RIDGE_GRID[scores.mean((0, 2)).argmax()]


def _shrinkage(values, ridge):
    """1/(eigenvalue + penalty); directions without variance get no weight."""
    penalised = values + ridge * values.mean()
    floor = len(values) * np.finfo(np.float64).eps * values[-1]
    return np.divide(1.0, penalised, out=np.zeros_like(penalised), where=penalised > floor)


def _pearson(covariance, variance_x, variance_y):
    """r, and 0 where a side does not vary (a zero map predicts a constant)."""
    scale = np.sqrt(np.maximum(variance_x, 0) * np.maximum(variance_y, 0))
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def _expand(weights, train):
    """Live block -> (p, q) with zeros at dead units."""
    if train.live_x.all() and train.live_y.all():
        return weights
    full = np.zeros((len(train.live_x), len(train.live_y)))
    full[np.ix_(train.live_x, train.live_y)] = weights
    return full
