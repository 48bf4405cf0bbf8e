"""Measures of units: what second moments or correlations of all stimuli determine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from .accumulate import accumulate
from .arrays import Device, to_numpy
from .crossvalidation import folds
from .invariances import CORRELATIONS, SHAPE
from .layer_pair import LayerPair, Moments, paired, splits
from .measurement import register_measure, undefined
from .responses import Responses
from .unit_matching import best_partial_transport


@register_measure(
    "angular_procrustes",
    invariant_to=SHAPE,
    values="0 to π/2 in radians, 0 alike",
    source="Williams et al. 2021, NeurIPS",
)
def angular_procrustes(x: Responses, y: Responses, device: Device) -> float:
    """Angle between x and y, centred, under the best rotation: arccos(‖X'Y‖_*/(‖X‖‖Y‖)).

    A distance in the strict sense: symmetric, 0 for rotated copies only, and with the triangle
    inequality. The narrower side is padded with zeros.
    """
    whole = _whole(_layer_pair(x, y, np.zeros(x.n, np.int64), device))
    if (constant := _constant(whole)) is not None:
        return constant
    nuclear = np.linalg.svd(to_numpy(whole.xy), compute_uv=False).sum()
    norms = float(whole.variance_x.sum()), float(whole.variance_y.sum())
    return math.acos(min(1.0, nuclear / math.sqrt(norms[0] * norms[1])))


@register_measure(
    "partial_soft_matching",
    invariant_to=CORRELATIONS,
    values="−1 to 1, 1 alike; chance is above 0 unless n_folds is given",
    source="Kapoor, Williams & Khosla 2026, arXiv 2602.19331",
)
def partial_soft_matching(
    x: Responses,
    y: Responses,
    device: Device,
    mass: float = 0.5,
    n_folds: int | None = None,
    seed: int = 0,
) -> float:
    """Mean correlation of units that the best plan matches, if it may leave a share 1 − mass alone.

    The plan T has marginals of at most 1/p and 1/q and sums to `mass` (`soft_matching` at 1); the
    measure is Σ T_ij r_ij/mass, and mass times 1 less the measure is the cost of transport. Units
    that do not vary are left out. With `n_folds` it is the mean over folds of stimuli (those of
    `score` with this `seed`), with r of the fold and the plan of the other folds.
    """
    _check_mass(mass)
    if n_folds is None:
        whole = _whole(_layer_pair(x, y, np.zeros(x.n, np.int64), device))
        halves = [(whole, whole)]
    else:
        train, held_out = splits(_layer_pair(x, y, folds(x.n, n_folds, seed), device))
        halves = [(train.at(fold), held_out.at(fold)) for fold in range(n_folds)]
    scores = []
    for fitted, scored in halves:
        if (constant := _constant(fitted)) is not None:
            return constant
        live = np.ix_(to_numpy(fitted.live_x), to_numpy(fitted.live_y))
        plan = best_partial_transport(to_numpy(fitted.correlation)[live], mass)
        scores.append((plan * to_numpy(scored.correlation)[live]).sum() / mass)
    return float(np.mean(scores))


def _layer_pair(x: Responses, y: Responses, fold_of: np.ndarray, device: Device) -> LayerPair:
    if x.n < 2:
        raise ValueError(f"correlations of units need 2 stimuli or more, got {x.n}")
    sides = {"x": [x], "y": [y]}
    own, cross, _ = accumulate(sides, fold_of, [("x", "y")], device=device, dtype=torch.float64)
    return paired(own["x"][0], own["y"][0], cross["x", "y"][0, 0])


def _whole(pair: LayerPair) -> Moments:
    """Moments of all stimuli, of a pair with one fold."""
    everything = ((0,),)
    live_x, live_y = pair.live_x(everything), pair.live_y(everything)
    return Moments(pair, everything, live_x, live_y).at(0)


def _constant(moments: Moments) -> float | None:
    """NaN if a side has no unit that varies."""
    for live, side in (
        (moments.live_x, moments.pair.source),
        (moments.live_y, moments.pair.target),
    ):
        if not live.any():
            return undefined(f"no unit of {side.label} varies")
    return None


def _check_mass(mass: Any) -> None:
    if isinstance(mass, (str, bool)) or not (np.isreal(mass) and 0 < mass <= 1):
        raise ValueError(f"mass is {mass!r}: use a share of the units above 0 and at most 1")
