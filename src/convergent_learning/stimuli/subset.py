"""A class-balanced, seeded subset of labelled images."""

from __future__ import annotations

import numpy as np


def balanced_subset(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Indices of n images, ascending, classes filled in turn from one seeded shuffle.

    Class sizes differ by one at most, as far as the classes have images; the subset of a smaller n
    is part of that of a larger one.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = labels[shuffled] == label
        turn[members] = np.arange(members.sum())
    # Stable: within a turn, the shuffle decides which classes come first.
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:n]])
