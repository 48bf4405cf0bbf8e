"""Context measures from the same moments: reported, used for no claim.

`cka` and `procrustes_similarity` are those of the held-out split itself and biased upwards when it
has few stimuli. The published debiased CKA (Song et al. 2012) needs Σ_i ‖x_i‖²‖y_i‖², a fourth
moment that second moments do not hold; `cka_debiased` takes instead each inner product between the
held-out and the training split, whose errors are independent, so that its three terms are unbiased.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from .layer_pair import Moments
from .maps import linear, procrustes
from .moments import block
from .registry import register
from .ridge import Ridge

_Blocks: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # xx, yy, xy of live units
CCA_FLOOR = 1e-6  # eigenvalues below this share of the largest are left out of whitening


def _pooled(weights: np.ndarray, held_out: Moments) -> float:
    covariance = (weights * held_out.xy).sum()
    variance = (weights * (held_out.xx @ weights)).sum()
    target = held_out.variance_y[held_out.live_y].sum()
    return _ratio(covariance, np.sqrt(variance * target))


@register("pooled_r", score=_pooled, context=True)
def pooled_r(train: Moments) -> np.ndarray:
    """tr(ŷ'y)/‖ŷ‖‖y‖ of the Procrustes map: invariant to rotations of both sides."""
    return procrustes(train)


def _explained(weights: np.ndarray, held_out: Moments) -> float:
    live = held_out.live_y
    if not live.any():
        return np.nan
    covariance = np.einsum("ij,ij->j", weights, held_out.xy)
    variance = np.einsum("ij,ij->j", weights, held_out.xx @ weights)
    return ((2 * covariance - variance)[live] / held_out.variance_y[live]).mean()


@register("r2", score=_explained, context=True)
def r2(train: Moments, ridge: Ridge = "cv") -> np.ndarray:
    """Mean over target units of the held-out variance that the linear map explains."""
    return linear(train, ridge)


def _cka(_: None, held_out: Moments) -> float:
    x, y, xy = _live_blocks(held_out)
    return _ratio((xy**2).sum(), np.linalg.norm(x) * np.linalg.norm(y))


@register("cka", score=_cka, context=True)
def cka(train: Moments) -> None:
    """Linear CKA ‖X'Y‖²/(‖X'X‖‖Y'Y‖) of the held-out split (Kornblith et al. 2019); no fit."""


def _cka_debiased(train: _Blocks, held_out: Moments) -> float:
    terms = [(a * b).sum() for a, b in zip(train, _live_blocks(held_out), strict=True)]
    return _ratio(terms[2], np.sqrt(max(terms[0], 0) * max(terms[1], 0)))


@register("cka_debiased", score=_cka_debiased, context=True)
def cka_debiased(train: Moments) -> _Blocks:
    """Linear CKA with each inner product taken between training and held-out moments."""
    return _live_blocks(train)


def _nuclear(_: None, held_out: Moments) -> float:
    x, y, xy = _live_blocks(held_out)
    return _ratio(np.linalg.svd(xy, compute_uv=False).sum(), np.sqrt(np.trace(x) * np.trace(y)))


@register("procrustes_similarity", score=_nuclear, context=True)
def procrustes_similarity(train: Moments) -> None:
    """Nuclear norm of X'Y over the Frobenius norms of X and Y, of the held-out split; no fit."""


def _canonical(variates: tuple[np.ndarray, np.ndarray], held_out: Moments) -> float:
    x, y, xy = _live_blocks(held_out)
    a, b = variates
    covariance = (a * (xy @ b)).sum(0)
    variance = ((a * (x @ a)).sum(0), (b * (y @ b)).sum(0))
    scale = np.sqrt(variance[0] * variance[1])
    return np.mean(covariance / scale) if len(scale) and (scale > 0).all() else np.nan


@register("cca", score=_canonical, context=True)
def cca(train: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Mean canonical correlation: variates fitted on training moments, correlated held out."""
    x, y = _whitening(*train.eigh()), _whitening(*train.eigh_y())
    xy = block(train.xy, train.live_x, train.live_y)
    u, _, vt = np.linalg.svd(x.T @ xy @ y, full_matrices=False)
    return x @ u, y @ vt.T


def _whitening(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    kept = values > CCA_FLOOR * values.max(initial=0.0)
    return vectors[:, kept] / np.sqrt(values[kept])


def _live_blocks(moments: Moments) -> _Blocks:
    x, y = moments.live_x, moments.live_y
    return block(moments.xx, x, x), block(moments.yy, y, y), block(moments.xy, x, y)


def _ratio(value: float | np.floating, scale: float | np.floating) -> float:
    return float(value / scale) if scale > 0 else np.nan
