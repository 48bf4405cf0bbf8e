"""Intervals that treat the network as the unit of replication, and adjusted p-values.

Scores belong to pairs of networks, and pairs that share a network are not independent. The interval
here deletes one network at a time (all its pairs), separately within each group, and adds a
delete-one-family part for statistics that also average over out-of-distribution conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

# Fewer give no interval, and no verdict (methods).
MIN_NETWORKS, MIN_FAMILIES = 3, 2
_CONFIDENCE = 0.95
# What names a pair of networks of one group.
PAIR = ["group", "seed_x", "seed_y"]


class Pairs(NamedTuple):
    """Which two networks each value belongs to: four arrays of length n_pairs."""

    group_x: np.ndarray
    seed_x: np.ndarray
    group_y: np.ndarray
    seed_y: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Pairs:
        """The pairs of a table, which has either one group column or one a side."""
        x = "group_x" if "group_x" in frame else "group"
        y = "group_y" if "group_y" in frame else "group"
        return cls(*(frame[name].to_numpy() for name in (x, "seed_x", y, "seed_y")))


class Interval(NamedTuple):
    """An estimate and its interval; every field has the trailing shape of the values given."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    standard_error: np.ndarray
    dof: np.ndarray
    n_networks: np.ndarray  # those with a value; all where none has one


def jackknife(
    values: np.ndarray,
    pairs: Pairs,
    left_out: Sequence[np.ndarray] | np.ndarray | None = None,
) -> Interval:
    """Mean over pairs with the stratified delete-one-network interval, of 95%.

    The estimate is the mean over groups (pairs of groups) of the mean over their
    pairs, so that a group with more seeds does not weigh more. With S_h networks in stratum
    (group) h, the variance is Σ_h c_h (S_h−1)/S_h Σ_i (θ_(−i) − θ̄_h)², and t has Σ_h (S_h−1)
    degrees of freedom. Miller (1974, Biometrika 61) for the jackknife; c_h is 1 where all networks
    of a group are compared with each other, and less where each has only some partners
    (`graph_factor`). `left_out` adds (F−1)/F Σ_f (θ_(−f) − θ̄)² with F−1 degrees of freedom, and
    the two are joined after Satterthwaite (1946, Biometrics Bulletin 2).

    Parameters
    ----------
    values : (n_pairs, ...) float
        One value per pair; trailing axes are separate statistics. NaN marks a value that is missing
        and is left out of its statistic, and so is a network without any value.
    pairs : Pairs
        The two networks of each value; pairs of a network with itself (a value per network) serve
        too.
    left_out : (n_families, n_pairs, ...) float, optional
        The same values recomputed without each family of conditions.

    Returns
    -------
    Interval
        `low`, `high`, `standard_error` and `dof` are NaN where deleting some network (or family)
        leaves nothing: fewer than 3 networks of a group, or fewer than 2 families.

    Raises
    ------
    ValueError
        If the lengths of values and pairs differ.

    Examples
    --------
    Scores of the three pairs of three networks of one group:

    >>> import numpy as np
    >>> from convergent_learning.tables.intervals import Pairs, jackknife
    >>> group = np.array(["resnet18"] * 3)
    >>> pairs = Pairs(group, np.array([1, 1, 2]), group, np.array([2, 3, 3]))
    >>> interval = jackknife(np.array([0.70, 0.72, 0.74]), pairs)
    >>> f"{interval.estimate:.2f} ({interval.low:.2f} to {interval.high:.2f})"
    '0.72 (0.62 to 0.82)'
    """
    values = np.asarray(values, dtype=float)
    if any(len(side) != len(values) for side in pairs):
        raise ValueError(f"jackknife: {len(values)} values but {len(pairs.seed_x)} pairs")
    shape = values.shape[1:]
    flat = values.reshape(len(values), -1)
    x, y, strata = _networks(pairs)
    group = _codes(pairs.group_x, pairs.group_y)
    keep = np.vstack([np.ones((1, len(flat))), _without_each(x, y, len(strata))])
    means = _pair_means(keep, flat, group)
    estimate = means[0]
    present = (1 - keep[1:]) @ np.isfinite(flat) > 0
    variance, dof = np.zeros_like(estimate), np.zeros_like(estimate)
    for stratum in np.unique(strata):
        mine = strata == stratum
        size = present[mine].sum(axis=0)
        own = mine[x] & mine[y] & (x != y)
        factor = graph_factor(size, _count_pairs(x[own], y[own], flat[own]))
        variance += factor * _variance(means[1:][mine], present[mine], MIN_NETWORKS)
        dof += np.maximum(size - 1, 0)
    if left_out is not None:
        families = np.asarray(left_out, dtype=float).reshape(len(left_out), len(values), -1)
        everyone = np.ones((1, len(flat)))
        replicates = np.array([_pair_means(everyone, each, group)[0] for each in families])
        extra = _variance(replicates, np.ones_like(replicates, dtype=bool), MIN_FAMILIES)
        variance, dof = _satterthwaite(variance, dof, extra, np.full_like(extra, len(families) - 1))
    error = np.sqrt(variance)
    dof = np.where(np.isfinite(error), dof, np.nan)
    half = np.where(error > 0, special.stdtrit(dof, 0.5 + _CONFIDENCE / 2), 0.0) * error
    half = np.where(np.isfinite(error), half, np.nan)
    fields = np.stack([estimate, estimate - half, estimate + half, error, dof])
    estimate, low, high, error, dof = fields.reshape(len(fields), *shape)
    n_networks = np.where(present.any(axis=0), present.sum(axis=0), len(strata))
    return Interval(estimate, low, high, error, dof, n_networks.reshape(shape))


def graph_factor(networks: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """What makes the jackknife variance right for additive effects where pairs are missing.

    Let k of the S networks of a group be the partners of each, and values be µ + a_i + a_j with
    independent a of variance σ². Their mean has the variance 4σ²/S. Deleting network i
    leaves θ_(−i) − θ̂ = (k θ̂ − T_i)/(M − k), with M = Sk/2 pairs and T_i the sum of those of i, and
    E Σ_i (T_i − k θ̂)² = σ² k (Sk + S − 4k). So (S−1)/S Σ_i (θ_(−i) − θ̂)² is too large by the
    factor (S−1)(Sk + S − 4k)/(k(S−2)²), whose inverse this is: exactly 1 for k = S−1. Values that
    differ by pair alone have a variance that is overestimated with every k, as with all pairs.

    Parameters
    ----------
    networks, pairs : (...) int
        S and M; unequal numbers of partners count as their mean. Without pairs, as for values of
        single networks or across groups, the factor is 1.
    """
    s, m = np.asarray(networks), np.asarray(pairs)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = (s - 2) ** 2 * 2 * m / ((s - 1) * (2 * m * s + s**2 - 8 * m))
    return np.where(m > 0, factor, 1.0)


def adjust_p_values(p: np.ndarray) -> np.ndarray:
    """Benjamini–Hochberg adjusted p-values of a vector; NaN stays NaN and is not counted.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.tables.intervals import adjust_p_values
    >>> adjust_p_values(np.array([0.01, 0.02, 0.5]))
    array([0.03, 0.03, 0.5 ])
    """
    from scipy import stats  # which takes half a second: parsing the workflow need not wait

    p = np.asarray(p, dtype=float)
    adjusted = np.full_like(p, np.nan)
    known = np.isfinite(p)
    if known.any():
        adjusted[known] = stats.false_discovery_control(p[known], method="bh")
    return adjusted


def _networks(pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of each pair's two networks, and the stratum of every network."""
    group = np.concatenate([pairs.group_x, pairs.group_y])
    seed = np.concatenate([pairs.seed_x, pairs.seed_y])
    code = _codes(group, seed)
    strata = np.empty(code.max(initial=-1) + 1, dtype=int)
    strata[code] = _codes(group)
    return code[: len(pairs.seed_x)], code[len(pairs.seed_x) :], strata


def _codes(*columns: np.ndarray) -> np.ndarray:
    keys = pd.MultiIndex.from_arrays(columns) if len(columns) > 1 else columns[0]
    return pd.factorize(keys)[0]


def _without_each(x: np.ndarray, y: np.ndarray, n_networks: int) -> np.ndarray:
    """(n_networks, n_pairs) of 0 and 1: the pairs that remain when each network is deleted."""
    network = np.arange(n_networks)[:, None]
    return ((x != network) & (y != network)).astype(float)


def _pair_means(keep: np.ndarray, values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(n_replicates, n_statistics) mean over groups of the mean over the pairs kept."""
    finite = np.isfinite(values)
    filled = np.where(finite, values, 0.0)
    groups = np.unique(group)
    total = np.zeros((len(keep), values.shape[1]))
    with np.errstate(invalid="ignore"):
        for g in groups:
            kept, member = keep[:, group == g], group == g
            total += (kept @ filled[member]) / (kept @ finite[member].astype(float))
    return total / max(len(groups), 1)


def _count_pairs(x: np.ndarray, y: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n_statistics,) how many pairs have a value, both orders of a pair being the same."""
    pair = _codes(np.minimum(x, y), np.maximum(x, y))
    of_pair = pair == np.arange(pair.max(initial=-1) + 1)[:, None]
    return (of_pair.astype(float) @ np.isfinite(values) > 0).sum(axis=0)


def _variance(replicates: np.ndarray, present: np.ndarray, fewest: int) -> np.ndarray:
    """Jackknife variance over the replicates that are present; NaN if they are too few."""
    size = present.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, replicates, 0.0).sum(axis=0) / size
        squares = np.where(present, (replicates - mean) ** 2, 0.0).sum(axis=0)
        variance = (size - 1) / size * squares
    return np.where(size < fewest, np.nan, variance)


def _satterthwaite(
    first: np.ndarray, first_dof: np.ndarray, second: np.ndarray, second_dof: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    both = first + second
    with np.errstate(invalid="ignore", divide="ignore"):
        dof = both**2 / (first**2 / first_dof + second**2 / second_dof)
    return both, np.where(both > 0, dof, first_dof)
