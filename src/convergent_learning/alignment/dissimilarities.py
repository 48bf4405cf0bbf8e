"""Dissimilarities of stimuli, and correlations of their ranks.

Kriegeskorte, Mur & Bandettini (2008, Front. Syst. Neurosci. 2). Spearman correlations are Pearson
correlations of ranks, and are kept as such: resamples of the stimuli then cost a product each,
where a library that ranks anew takes seconds (benchmarks/recordings.py).
"""

from __future__ import annotations

import numpy as np
import torch

_PRODUCTS_AT_ONCE = 1 << 25  # of two patterns


def dissimilarities(patterns: torch.Tensor, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """1 − Pearson r between the patterns (n, units) of n stimuli, all pairs: (n(n−1)/2,) float64.

    In the order of `scipy.spatial.distance.squareform`. NaN for a stimulus whose pattern is
    constant. `dtype` is that of the products.
    """
    centred = patterns.to(dtype)
    centred = centred - centred.mean(dim=1, keepdim=True)
    norm = centred.norm(dim=1, keepdim=True)
    centred = centred / torch.where(norm > 0, norm, torch.nan)
    n = len(centred)
    found = np.empty(n * (n - 1) // 2)
    filled, size = 0, max(1, _PRODUCTS_AT_ONCE // n)
    for start in range(0, n, size):
        correlations = (centred[start : start + size] @ centred.T).cpu().numpy()
        for row, of_stimulus in enumerate(correlations, start):
            after = of_stimulus[row + 1 :]
            found[filled : filled + len(after)] = after
            filled += len(after)
    return np.subtract(1, found, out=found)


def standard_ranks(dissimilarities: np.ndarray) -> np.ndarray:
    """Ranks (…, m) with mean 0 and mean square 1, ties at their average; NaN if all are equal."""
    ranks = np.empty(dissimilarities.shape)
    for row in np.ndindex(dissimilarities.shape[:-1]):
        values = dissimilarities[row]
        ranks[row] = np.nan if np.isnan(values).any() else _ranks(values)
    ranks -= ranks.mean(-1, keepdims=True)
    size = np.sqrt(np.square(ranks).mean(-1, keepdims=True))
    ranks /= np.where(size > 0, size, np.nan)
    return ranks


def _ranks(values: np.ndarray) -> np.ndarray:
    """`scipy.stats.rankdata` (m,), which sorts twice and takes twice the memory."""
    order = np.argsort(values)
    ordered = values[order]
    again = np.append(False, ordered[1:] == ordered[:-1])  # the value before it once more
    del ordered
    ascending = np.arange(1.0, len(values) + 1)
    first = np.flatnonzero(again[1:] & ~again[:-1])  # of each run of equal values
    if len(first):
        last = np.flatnonzero(again & ~np.append(again[1:], False))
        mean = (first + last) / 2 + 1
        ascending[again] = np.repeat(mean, last - first)
        ascending[first] = mean
    ranks = np.empty(len(values))
    ranks[order] = ascending
    return ranks


def spearman(layers: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """Correlations (k, s) of standard ranks (k, m) with standard ranks (s, m)."""
    return layers @ subjects.T / layers.shape[1]
