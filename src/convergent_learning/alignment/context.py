"""Context metrics from the same moments: reported, used for no claim.

`cka` and `procrustes_similarity` are those of the held-out split itself and biased upwards when it
has few stimuli (the measure `cka` is that of all). The published debiased CKA, which is the measure
`cka_debiased`, needs Σ_i ‖x_i‖²‖y_i‖², a fourth moment that second moments do not hold. The metric
of that name takes instead each inner product between the held-out and the training split, whose
errors are independent, so that its three terms are unbiased.
"""

from __future__ import annotations

from typing import TypeAlias

from array_api_compat import array_namespace

from .arrays import Array, ratio
from .factors import polar
from .invariances import AFFINE, CORRELATIONS, SHAPE
from .layer_pair import Eigen, Moments
from .maps import linear, procrustes
from .registry import register
from .ridge import Ridge

_Blocks: TypeAlias = tuple[Array, Array, Array]  # xx, yy, xy
CCA_FLOOR = 1e-6  # eigenvalues below this share of the largest are left out of whitening
_NAN = float("nan")


def _pooled(weights: Array, held_out: Moments) -> Array:
    covariance = _sum(weights * held_out.xy)
    variance = _sum(weights * (held_out.xx @ weights))
    return _normalised(covariance, variance, held_out.variance_y.sum(axis=-1))


@register("pooled_r", score=_pooled, context=True, stacked=True, invariant_to=(SHAPE, SHAPE))
def pooled_r(train: Moments) -> Array:
    """tr(ŷ'y)/‖ŷ‖‖y‖ of the Procrustes map: invariant to rotations of both sides."""
    return procrustes(train)


def _explained(weights: Array, held_out: Moments) -> Array:
    xp = array_namespace(weights)
    covariance = xp.sum(weights * held_out.xy, axis=-2)
    variance = xp.sum(weights * (held_out.xx @ weights), axis=-2)
    explained = ratio(2 * covariance - variance, held_out.variance_y, 0.0)
    live = xp.sum(xp.astype(held_out.live_y, explained.dtype), axis=-1)
    return ratio(xp.sum(explained, axis=-1), live, _NAN)


@register("r2", score=_explained, context=True, stacked=True, invariant_to=(AFFINE, CORRELATIONS))
def r2(train: Moments, ridge: Ridge = "cv") -> Array:
    """Mean over target units of the held-out variance that the linear map explains."""
    return linear(train, ridge)


def _cka(_: None, held_out: Moments) -> Array:
    xx, yy, xy = _blocks(held_out)
    return _normalised(_sum(xy**2), _sum(xx**2), _sum(yy**2))


@register(
    "cka", score=_cka, context=True, stacked=True, undirected=True, invariant_to=(SHAPE, SHAPE)
)
def cka(train: Moments) -> None:
    """Linear CKA ‖X'Y‖²/(‖X'X‖‖Y'Y‖) of the held-out split (Kornblith et al. 2019); no fit."""


def _cka_debiased(train: _Blocks, held_out: Moments) -> Array:
    xx, yy, xy = (_sum(a * b) for a, b in zip(train, _blocks(held_out), strict=True))
    xp = array_namespace(xy)
    return _normalised(xy, xp.clip(xx, 0.0), xp.clip(yy, 0.0))


@register(
    "cka_debiased",
    score=_cka_debiased,
    context=True,
    stacked=True,
    undirected=True,
    invariant_to=(SHAPE, SHAPE),
)
def cka_debiased(train: Moments) -> _Blocks:
    """Linear CKA with each inner product taken between training and held-out moments."""
    return _blocks(train)


def _nuclear(_: None, held_out: Moments) -> Array:
    xx, yy, xy = _blocks(held_out)
    xp = array_namespace(xy)
    # The nuclear norm is the inner product of a matrix with its polar factor.
    return _normalised(_sum(polar(xy) * xy), xp.linalg.trace(xx), xp.linalg.trace(yy))


@register(
    "procrustes_similarity",
    score=_nuclear,
    context=True,
    stacked=True,
    undirected=True,
    invariant_to=(SHAPE, SHAPE),
)
def procrustes_similarity(train: Moments) -> None:
    """Nuclear norm of X'Y over the Frobenius norms of X and Y, of the held-out split; no fit."""


def _canonical(variates: tuple[Array, Array, Array], held_out: Moments) -> Array:
    xx, yy, xy = _blocks(held_out)
    a, b, kept = variates
    xp = array_namespace(xy)
    covariance = xp.sum(a * (xy @ b), axis=-2)
    variance_x, variance_y = xp.sum(a * (xx @ a), axis=-2), xp.sum(b * (yy @ b), axis=-2)
    scale = xp.sqrt(xp.clip(variance_x * variance_y, 0.0))
    r = xp.where(kept, ratio(covariance, scale, _NAN), xp.zeros_like(scale))
    return ratio(xp.sum(r, axis=-1), xp.sum(xp.astype(kept, r.dtype), axis=-1), _NAN)


@register("cca", score=_canonical, context=True, stacked=True, invariant_to=(AFFINE, AFFINE))
def cca(train: Moments) -> tuple[Array, Array, Array]:
    """Mean canonical correlation: variates fitted on training moments, correlated held out."""
    (x, kept_x), (y, kept_y) = _whitening(train.eigen_x()), _whitening(train.eigen_y())
    xp = array_namespace(x)
    u, _, vt = xp.linalg.svd(x.mT @ train.xy @ y, full_matrices=False)
    rank = xp.minimum(kept_x, kept_y)[..., None]
    kept = xp.arange(u.shape[-1], device=u.device) < rank
    return x @ u, y @ vt.mT, kept


def _whitening(eigen: Eigen) -> tuple[Array, Array]:
    """Vectors (..., p, p) scaled to unit variance, 0 where left out; how many are kept."""
    xp = array_namespace(eigen.values)
    largest = xp.clip(eigen.values[..., -1:], 0.0)
    kept = eigen.values > CCA_FLOOR * largest
    scale = xp.where(kept, eigen.values, xp.ones_like(eigen.values)) ** -0.5
    scale = xp.where(kept, scale, xp.zeros_like(scale))
    return eigen.vectors * scale[..., None, :], xp.sum(xp.astype(kept, xp.int64), axis=-1)


def _blocks(moments: Moments) -> _Blocks:
    return moments.xx, moments.yy, moments.xy


def _sum(matrices: Array) -> Array:
    return array_namespace(matrices).sum(matrices, axis=(-2, -1))


def _normalised(value: Array, square_x: Array, square_y: Array) -> Array:
    """value/√(square_x square_y); NaN where one of them is 0."""
    xp = array_namespace(value)
    return ratio(value, xp.sqrt(square_x) * xp.sqrt(square_y), _NAN)
