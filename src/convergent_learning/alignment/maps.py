"""Maps from source units to target units: linear and Procrustes.

A map is (p, q), zero at dead units, and is scored by the mean over live target units of the
held-out Pearson r between mapped and actual responses. With held-out moments V no prediction is
formed: cov(ŷ, y)_j = (M'V_xy)_jj and var(ŷ)_j = (M'V_xx M)_jj.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .layer_pair import Moments
from .moments import block
from .registry import register
from .ridge import RIDGE_GRID, Ridge, pearson, ridge_scores, shrinkage

RANK = 1e-6  # float32 products hold no smaller singular values


def mapped_correlation(weights: np.ndarray, held_out: Moments) -> float:
    """Mean over live target units of the held-out r; NaN if there is none."""
    if not (held_out.live_x.any() and held_out.live_y.any()):
        return np.nan
    covariance = np.einsum("ij,ij->j", weights, held_out.xy)
    variance = np.einsum("ij,ij->j", weights, held_out.xx @ weights)
    return pearson(covariance, variance, held_out.variance_y)[held_out.live_y].mean()


@register("linear", score=mapped_correlation)
def linear(train: Moments, ridge: Ridge = "cv") -> np.ndarray:
    """Ridge least squares of y on x, with penalty λ·tr(C)/p on the centred moment C of x.

    ridge : "cv" or float
        λ itself, or "cv": that of ``RIDGE_GRID`` with the best score in an inner cross-validation
        over the training folds. 0 gives the minimum-norm least-squares map.
    """
    strength = RIDGE_GRID[ridge_scores(train).argmax()] if isinstance(ridge, str) else ridge
    values, vectors = train.eigh()
    projected = vectors.T @ block(train.xy, train.live_x, train.live_y)
    return _expand(vectors @ (shrinkage(values, strength)[:, None] * projected), train)


@register("procrustes", score=mapped_correlation)
def procrustes(train: Moments) -> np.ndarray:
    """Rotation/reflection that best maps x onto y.

    UV' of the SVD of X'Y; zero-padding the narrower side (Williams et al. 2021) leaves exactly the
    semi-orthogonal (p, q) matrix that maximises tr(M'X'Y) (Schönemann 1966, Psychometrika 31).
    Directions in which X'Y has no rank (singular values below ``RANK`` of the largest) map to zero:
    any rotation of them is equally good, and the score must not depend on which one is taken.
    """
    u, s, vt = train.svd()
    rank = int((s > RANK * s[0]).sum())
    return _expand(u[:, :rank] @ vt[:rank], train)


def check_ridge(ridge: Any, n_folds: int) -> None:
    """Raise ValueError unless `ridge` is "cv" (with at least 3 folds) or a number >= 0."""
    if ridge == "cv":
        if n_folds < 3:
            raise ValueError(
                "ridge='cv' cross-validates inside the training folds: use n_folds >= 3"
            )
    elif isinstance(ridge, (str, bool)) or not (np.isreal(ridge) and 0 <= ridge < np.inf):
        raise ValueError(f"ridge is {ridge!r}: use 'cv' or a number of at least 0")


def _expand(weights: np.ndarray, train: Moments) -> np.ndarray:
    """Live block -> (p, q) with zeros at dead units."""
    if train.live_x.all() and train.live_y.all():
        return weights
    full = np.zeros((len(train.live_x), len(train.live_y)))
    full[np.ix_(train.live_x, train.live_y)] = weights
    return full
