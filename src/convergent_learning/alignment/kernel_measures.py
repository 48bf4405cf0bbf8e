"""Measures of the inner products of stimuli: centred kernel alignment, nearest neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from .invariances import COSINES, SHAPE
from .kernels import Kernel
from .measurement import register_measure, undefined

_ROUNDING = 1e-12  # of cosines, and of differences of sums, relative to them


@register_measure(
    "cka",
    kernel=True,
    invariant_to=SHAPE,
    values="0 to 1, 1 alike",
    source="Kornblith et al. 2019, ICML",
)
def cka(x: Kernel, y: Kernel) -> float:
    """Centred kernel alignment, tr(KL)/√(tr(KK) tr(LL)) of centred kernels K and L.

    Biased upwards where units are not far fewer than stimuli: unrelated layers score above 0.
    """
    if x.n < 2:
        raise ValueError(f"cka needs 2 stimuli or more, got {x.n}")
    x, y = x.centred(), y.centred()
    if (undefined_score := _constant(x, y)) is not None:
        return undefined_score
    xy, xx, yy = _products(x, y)
    return xy / math.sqrt(xx * yy)


@register_measure(
    "cka_debiased",
    kernel=True,
    invariant_to=SHAPE,
    values="up to 1, 1 alike, 0 on average where unrelated",
    source="Song et al. 2012, JMLR 13, eq. 5; Nguyen, Raghu & Kornblith 2021; Murphy et al. 2024",
)
def cka_debiased(x: Kernel, y: Kernel) -> float:
    """CKA with the unbiased estimator of each HSIC, which leaves out the diagonals.

    With centred kernels whose diagonals are k and l, row sums without the diagonal are −k and −l.
    """
    n = x.n
    if n < 4:
        raise ValueError(f"cka_debiased needs 4 stimuli or more, got {n}")
    x, y = x.centred(), y.centred()
    if (undefined_score := _constant(x, y)) is not None:
        return undefined_score
    hsic = []
    for product, (a, b) in zip(_products(x, y), ((x, y), (x, x), (y, y)), strict=True):
        diagonals = float(a.norms @ b.norms)
        sums = float(a.norms.sum() * b.norms.sum())
        hsic.append(product - diagonals + sums / ((n - 1) * (n - 2)) - 2 * diagonals / (n - 2))
        if a is b and hsic[-1] <= _ROUNDING * product:
            return undefined(f"the units of {a.label} respond alike to all stimuli but one")
    xy, xx, yy = hsic
    return xy / math.sqrt(xx * yy)


@register_measure(
    "mutual_knn",
    kernel=True,
    invariant_to=COSINES,
    values="0 to 1, 1 alike, k/(n − 1) on average where unrelated",
    source="Huh et al. 2024, The Platonic Representation Hypothesis, ICML",
)
def mutual_knn(x: Kernel, y: Kernel, k: int = 10) -> float:
    """Share of the k nearest neighbours of a stimulus, by cosine, that x and y have in common."""
    _check_neighbours("mutual_knn", k, x.n)
    if (undefined_score := _without_cosines(x, y)) is not None:
        return undefined_score
    shared = sum(int((near_x & near_y).sum()) for _, near_x, _, near_y in _neighbourhoods(x, y, k))
    return shared / (k * x.n)


@register_measure(
    "cknna",
    kernel=True,
    invariant_to=COSINES,
    values="up to 1, 1 alike",
    source="Huh et al. 2024, The Platonic Representation Hypothesis, ICML, appendix",
)
def cknna(x: Kernel, y: Kernel, k: int = 10) -> float:
    """Kernel alignment of each stimulus with its neighbours alone, of cosines less their row means.

    A(K, L)/√(A(K, K) A(L, L)); A(K, L) is the sum of K_ij L_ij over the stimuli j that are among
    the k nearest neighbours of i in both. The authors' program takes the unbiased HSIC of kernels
    that are 0 elsewhere instead, which has other values.
    """
    _check_neighbours("cknna", k, x.n)
    if (undefined_score := _without_cosines(x, y)) is not None:
        return undefined_score
    xy = xx = yy = 0.0
    for of_x, near_x, of_y, near_y in _neighbourhoods(x, y, k):
        of_x, of_y = (rows - rows.mean(1, keepdim=True) for rows in (of_x, of_y))
        xy += float((of_x * of_y)[near_x & near_y].sum())
        xx += float((of_x[near_x] ** 2).sum())
        yy += float((of_y[near_y] ** 2).sum())
    return xy / math.sqrt(xx * yy)


def _products(x: Kernel, y: Kernel) -> tuple[float, float, float]:
    """Sums of the entries of K∘L, K∘K and L∘L."""
    xy = xx = yy = 0.0
    for (_, of_x), (_, of_y) in zip(x.blocks(), y.blocks(), strict=True):
        of_x, of_y = of_x.flatten(), of_y.flatten()
        xy += float(of_x @ of_y)
        xx += float(of_x @ of_x)
        yy += float(of_y @ of_y)
    return xy, xx, yy


def _neighbourhoods(x: Kernel, y: Kernel, k: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """Cosines (m, n) of consecutive stimuli and a mask of the k nearest, for x and for y."""
    blocks = zip(x.normalised().blocks(), y.normalised().blocks(), strict=True)
    for (start, of_x), (_, of_y) in blocks:
        yield of_x, _nearest(of_x, start, k), of_y, _nearest(of_y, start, k)


def _nearest(rows: torch.Tensor, start: int, k: int) -> torch.Tensor:
    """Mask of the k largest of each of the rows (m, n) that begin at `start`, but of itself."""
    own = torch.arange(len(rows), device=rows.device)
    others = rows.index_put((own, start + own), rows.new_tensor(-math.inf))
    nearest = torch.topk(others, int(k), dim=1).indices
    return torch.zeros_like(rows, dtype=torch.bool).scatter_(1, nearest, True)


def _check_neighbours(name: str, k: Any, n: int) -> None:
    if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or not 1 <= k < n:
        raise ValueError(f"{name}: k is {k!r}: use a number of neighbours from 1 to {n - 1}")


def _constant(*centred: Kernel) -> float | None:
    """NaN if the patterns of a side are all alike."""
    for side in centred:
        if not side.norms.any():
            return undefined(f"no unit of {side.label} varies")
    return None


def _without_cosines(*sides: Kernel) -> float | None:
    """NaN if a stimulus has no cosine with others, or all of them are 1."""
    for side in sides:
        silent = torch.nonzero(~(side.norms > 0)).flatten()
        if len(silent):
            return undefined(
                f"no unit of {side.label} responds to {len(silent)} of the stimuli, the first of "
                f"which is stimulus {int(silent[0])}"
            )
        _, rows = next(side.normalised().blocks())
        if (rows[0] > 1 - _ROUNDING).all():
            return undefined(f"the units of {side.label} respond to all stimuli in proportion")
    return None
