"""Maps from source units to target units: linear and Procrustes.

A map is (p, q), zero at dead units, and is scored by the mean over live target units of the
held-out Pearson r between mapped and actual responses. With held-out moments V no prediction is
formed: cov(ŷ, y)_j = (M'V_xy)_jj and var(ŷ)_j = (M'V_xx M)_jj.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from .arrays import Array, like, ratio
from .invariances import AFFINE, BASIS, CORRELATIONS, SHAPE
from .layer_pair import Moments
from .registry import Look, register
from .ridge import RIDGE_GRID, Ridge, chosen_ridge, pearson, penalised

# Here and in `unit_matching`, Okabe & Ito (2008), "Color universal design".
LOOKS = {
    "linear": Look("Linear", "#0072B2"),
    "procrustes": Look("Procrustes", "#D55E00"),
}


def mapped_correlation(weights: Array, held_out: Moments) -> Array:
    """Mean over live target units of the held-out r of maps (..., p, q); NaN if there is none."""
    xy = held_out.xy
    xp = array_namespace(xy)
    weights = like(weights, xy)
    covariance = (weights * xy).sum(axis=-2)
    variance = (weights * (held_out.xx @ weights)).sum(axis=-2)
    r = pearson(covariance, variance, held_out.variance_y)
    live = xp.astype(held_out.live_y, r.dtype)
    return ratio((r * live).sum(axis=-1), live.sum(axis=-1), float("nan"))


@register("linear", score=mapped_correlation, stacked=True, invariant_to=(AFFINE, CORRELATIONS))
def linear(train: Moments, ridge: Ridge = "cv") -> Array:
    """Ridge least squares of y on x, with penalty λ·tr(C)/p on the centred moment C of x.

    ridge : "cv" or float
        λ itself, or "cv": that of ``RIDGE_GRID`` with the best score in an inner cross-validation
        over the training folds. 0 gives the minimum-norm least-squares map.
    """
    if isinstance(ridge, str):
        strengths = np.array(RIDGE_GRID)[chosen_ridge(train)]
    else:
        strengths = np.full(len(train.sets), float(ridge))
    return penalised(train, strengths)


@register("procrustes", score=mapped_correlation, stacked=True, invariant_to=(SHAPE, BASIS))
def procrustes(train: Moments) -> Array:
    """Rotation/reflection that best maps x onto y.

    The polar factor of X'Y; zero-padding the narrower side (Williams et al. 2021) leaves exactly
    the semi-orthogonal (p, q) matrix that maximises tr(M'X'Y) (Schönemann 1966, Psychometrika 31).
    """
    return train.polar()


def check_ridge(ridge: Any, n_folds: int) -> None:
    """Raise ValueError unless `ridge` is "cv" (with at least 3 folds) or a number >= 0."""
    if isinstance(ridge, str) and ridge == "cv":
        if n_folds < 3:
            raise ValueError(
                "ridge='cv' cross-validates inside the training folds: use n_folds >= 3"
            )
    elif (
        isinstance(ridge, bool)
        or not isinstance(ridge, int | float | np.integer | np.floating)
        or not 0 <= ridge < np.inf
    ):
        raise ValueError(f"ridge is {ridge!r}: use 'cv' or a number of at least 0")
