"""What changes along depth: slopes, thirds of the layers, and which layer matches which."""

from __future__ import annotations

import numpy as np

# Scores are averages of float32 sums: differences below this are ties, not matches.
TIE = 1e-9


def slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares slope of y on x along the last axis.

    Parameters
    ----------
    x : (..., n) float
        NaN where a point is left out (there or in y).
    y : (..., n) float

    Returns
    -------
    (...) float
        NaN where fewer than two points remain or all x are equal.
    """
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    known = np.isfinite(x) & np.isfinite(y)
    count = known.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        dx = np.where(known, x - np.where(known, x, 0).sum(-1, keepdims=True) / count, 0)
        dy = np.where(known, y - np.where(known, y, 0).sum(-1, keepdims=True) / count, 0)
        return np.where((dx**2).sum(-1) > 1e-15, (dx * dy).sum(-1) / (dx**2).sum(-1), np.nan)


def thirds(depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the first and the last third of layers (at least one layer each), by depth rank."""
    rank = np.argsort(np.argsort(depth, kind="stable"), kind="stable")
    size = max(1, round(len(depth) / 3))
    return rank < size, rank >= len(depth) - size


def best_matches(scores: np.ndarray, counterpart: np.ndarray) -> np.ndarray:
    """Source layer that best matches each target layer; ties go to the one nearest its counterpart.

    Parameters
    ----------
    scores : (..., n_source, n_target) float
    counterpart : (n_target,) int
        The source layer that each target layer should match.

    Returns
    -------
    (..., n_target) int
        Index of the best source layer; −1 where the column holds a NaN.
    """
    scores = np.asarray(scores, dtype=float)
    best = scores.max(axis=-2, keepdims=True)
    distance = np.abs(np.arange(scores.shape[-2])[:, None] - np.asarray(counterpart)[None, :])
    candidates = np.where(scores >= best - TIE, distance, np.iinfo(int).max)
    return np.where(np.isnan(best[..., 0, :]), -1, candidates.argmin(axis=-2))


def share_within_one(scores: np.ndarray) -> np.ndarray:
    """Share of target layers whose best match lies within one layer of the counterpart.

    Parameters
    ----------
    scores : (..., n_layers, n_layers) float
        Source by target, the same layers on both axes.

    Returns
    -------
    (...) float
        NaN where any score is NaN.
    """
    scores = np.asarray(scores, dtype=float)
    counterpart = np.arange(scores.shape[-1])
    near = np.abs(best_matches(scores, counterpart) - counterpart) <= 1
    return np.where(np.isnan(scores).any(axis=(-1, -2)), np.nan, near.mean(axis=-1))


def chance_within_one(n_layers: int) -> float:
    """What `share_within_one` would be on average if every layer matched at random."""
    return (3 * n_layers - 2) / n_layers**2 if n_layers > 1 else 1.0


def nearest_depth(depth: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Index into `other` of the layer of nearest depth, for each of `depth`."""
    return np.abs(np.asarray(depth)[:, None] - np.asarray(other)[None, :]).argmin(axis=1)
