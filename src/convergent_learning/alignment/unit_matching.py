"""Matchings of units: permutation and soft matching (optimal transport).

A plan T is (p, q) and is scored by Σ T_ij r_ij with r held out, over the mass on live targets. Dead
units stay in the plan with r = 0.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from scipy.optimize import linear_sum_assignment

from .arrays import WIDE, Array, like, ratio, to_numpy
from .invariances import CORRELATIONS
from .layer_pair import Moments
from .registry import Look, register

_STEPS = 10_000_000  # of the network simplex: its own limit stops short of large optima
_UNEQUAL = 8  # times as many units on one side: network simplex then finds the plan in less time

LOOKS = {
    "permutation": Look("Permutation", "#009E73"),
    "soft_matching": Look("Soft matching", "#CC79A7"),
}


def matched_correlation(plan: Array, held_out: Moments) -> Array:
    """Mean held-out r under plans (..., p, q), over their mass on live targets."""
    return planned_correlation(plan, held_out.correlation, held_out.live_y)


def planned_correlation(plan: Array, correlation: Array, live_y: Array) -> Array:
    """Mean of correlations (..., p, q) under plans, over their mass on live targets (..., q)."""
    xp = array_namespace(correlation)
    plan = like(plan, correlation)
    live = xp.astype(live_y, correlation.dtype)
    mass = xp.sum(xp.sum(plan, axis=-2) * live, axis=-1)
    return ratio(xp.sum(plan * correlation, axis=(-2, -1)), mass, float("nan"))


def best_permutation(correlation: np.ndarray) -> np.ndarray:
    """0/1 matrix (p, p) of the unit order with the highest summed correlation."""
    if correlation.shape[0] != correlation.shape[1]:
        raise ValueError(
            f"permutation needs as many units on both sides, got {correlation.shape[0]} and "
            f"{correlation.shape[1]}: use soft_matching"
        )
    return _assignment(correlation)


def best_transport(correlation: np.ndarray) -> np.ndarray:
    """Optimal transport plan (p, q) on 1 - r with marginals 1/p, 1/q.

    If one width divides the other, the extreme points of the plans are assignments in which each
    unit of the narrower side appears q/p times (Birkhoff), so the exact plan is an assignment.
    That is found faster, unless it repeats the units of the narrower side many times.
    """
    p, q = correlation.shape
    if max(p, q) >= WIDE and max(p, q) >= _UNEQUAL * min(p, q):
        return _transport(1 - correlation)
    if p % q == 0:
        return _repeated_assignment(correlation)
    if q % p == 0:
        return _repeated_assignment(correlation.T).T
    return _transport(1 - correlation)


def best_partial_transport(correlation: np.ndarray, mass: float) -> np.ndarray:
    """Optimal plan (p, q) on 1 - r that moves a share `mass` of the units of either side.

    Marginals are at most 1/p and 1/q and the plan sums to `mass`; what is dearest to move stays
    (Caffarelli & McCann 2010, as POT solves it with a dummy unit on either side).
    """
    if mass == 1:
        return best_transport(correlation)
    p, q = correlation.shape
    cost = np.ascontiguousarray(1 - correlation)
    partial = _pot("ot.partial").partial_wasserstein
    return partial(np.full(p, 1 / p), np.full(q, 1 / q), cost, m=mass, numItermax=_STEPS)


@register(
    "permutation",
    score=matched_correlation,
    symmetric=True,
    equal_widths=True,
    plan=best_permutation,
    invariant_to=(CORRELATIONS, CORRELATIONS),
)
def permutation(train: Moments) -> np.ndarray:
    """`best_permutation` of the training correlations (Li et al. 2015)."""
    return best_permutation(to_numpy(train.correlation))


@register(
    "soft_matching",
    score=matched_correlation,
    symmetric=True,
    plan=best_transport,
    invariant_to=(CORRELATIONS, CORRELATIONS),
)
def soft_matching(train: Moments) -> np.ndarray:
    """`best_transport` by the training correlations (Khosla & Williams 2024)."""
    return best_transport(to_numpy(train.correlation))


def _assignment(correlation: np.ndarray) -> np.ndarray:
    rows, columns = linear_sum_assignment(correlation, maximize=True)
    matrix = np.zeros(correlation.shape, correlation.dtype)
    matrix[rows, columns] = 1.0
    return matrix


def _repeated_assignment(correlation: np.ndarray) -> np.ndarray:
    """Plan (p, q) with q dividing p. The solver is faster with repeated columns than rows."""
    p, q = correlation.shape
    assigned = _assignment(np.repeat(correlation, p // q, axis=1))
    return assigned.reshape(p, q, p // q).sum(2) / p


def _transport(cost: np.ndarray) -> np.ndarray:
    p, q = cost.shape
    emd = _pot("ot.lp").emd
    return emd(np.full(p, 1 / p), np.full(q, 1 / q), np.ascontiguousarray(cost))


def _pot(module: str) -> Any:
    # POT imports every array library it finds; a scoring job must not pay for torch.
    if "torch" not in sys.modules:
        os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")
    return importlib.import_module(module)
