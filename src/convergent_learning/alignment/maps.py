"""Maps from source units to target units: linear and Procrustes.

A map is (p, q), zero at dead units, and is scored by the mean over live target units of the
held-out Pearson r between mapped and actual responses. With held-out moments V no prediction is
formed: cov(ŷ, y)_j = (M'V_xy)_jj and var(ŷ)_j = (M'V_xx M)_jj.
"""

from __future__ import annotations

import numpy as np

from .moments import block, inner_splits
from .registry import register

RIDGE_GRID = np.logspace(-6, 2, 9)


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


@register("procrustes", score=mapped_correlation, symmetric=True)
def procrustes(train):
    """Rotation/reflection that best maps x onto y.

    UV' of the SVD of X'Y; zero-padding the narrower side (Williams et al. 2021) leaves exactly the
    semi-orthogonal (p, q) matrix that maximises tr(M'X'Y) (Schönemann 1966, Psychometrika 31).
    """
    u, _, vt = np.linalg.svd(block(train.xy, train.live_x, train.live_y), full_matrices=False)
    return _expand(u @ vt, train)


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
    live_x, live_y, inner = inner_splits(train)
    if not (live_x.any() and live_y.any()):
        return RIDGE_GRID[0]
    shape = (len(RIDGE_GRID), live_x.sum(), live_y.sum())
    weights, mapped = np.empty(shape, np.float32), np.empty(shape, np.float32)
    scores = np.zeros(len(RIDGE_GRID))
    for fitted, held_out in inner:
        values, vectors = fitted.eigh()
        mean = values.mean()
        shrinkage = (mean * _shrinkage(values, RIDGE_GRID[:, None])).astype(np.float32)
        scale = np.sqrt(mean * held_out.variance_y[live_y])
        fit = (vectors.T @ block(fitted.xy, live_x, live_y) / scale).astype(np.float32)
        held = (vectors.T @ block(held_out.xy, live_x, live_y) / scale).astype(np.float32)
        np.multiply(shrinkage[:, :, None], fit, out=weights)
        np.matmul(held_out.in_eigenbasis_of(fitted), weights, out=mapped)
        variance = np.einsum("rij,rij->rj", weights, mapped)
        scores += _pearson(shrinkage @ (fit * held), variance, np.float32(1)).mean(1)
    return RIDGE_GRID[scores.argmax()]


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
