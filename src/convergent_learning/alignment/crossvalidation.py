"""Cross-validation over stimuli: who is in which fold, and the shuffled null. numpy only."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

# Training rows (stimuli x positions) per unit from which a score says how well layers align: with
# fewer, linear maps overfit.
MIN_ROWS_PER_UNIT = 10


def folds(n: int, n_folds: int = 5, seed: int = 0) -> np.ndarray:
    """Fold of each stimulus: one seeded shuffle, sizes equal to within one.

    Folds are over stimuli, so all positions of an image fall in the same fold. They depend on the
    three arguments only: every pair, layer, checkpoint and stimulus set of n images shares them.

    Returns
    -------
    int64 array, ``(n,)``
        Values 0 … n_folds-1.

    Raises
    ------
    ValueError
        If there are fewer than two folds, or fewer than two stimuli a fold: the held-out split is
        centred with its own mean, which a single stimulus equals.

    Examples
    --------
    >>> from convergent_learning.alignment import folds
    >>> folds(8, n_folds=2)
    array([...])
    """
    if n_folds < 2:
        raise ValueError(f"n_folds is {n_folds}: cross-validation needs at least 2")
    if n < 2 * n_folds:
        raise ValueError(
            f"{n} stimuli cannot make {n_folds} folds of at least 2: "
            "give more stimuli or fewer folds"
        )
    fold_of = np.empty(n, dtype=np.int64)
    fold_of[np.random.default_rng(seed).permutation(n)] = np.arange(n) % n_folds
    return fold_of


def check_folds(fold_of: npt.ArrayLike, n: int) -> np.ndarray:
    """Return an explicit fold array as int64 ``(n,)`` with values 0 … K-1, or raise ValueError."""
    fold_of = np.asarray(fold_of)
    if fold_of.shape != (n,) or not np.issubdtype(fold_of.dtype, np.integer):
        raise ValueError(
            f"folds must be an integer array with one entry per stimulus, shape ({n},); "
            f"got {fold_of.dtype} of shape {fold_of.shape}"
        )
    sizes = np.bincount(fold_of) if n and fold_of.min() >= 0 else np.zeros(0)
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError(
            "folds must number 0 … K-1 with K of at least 2 and at least 2 stimuli in each"
        )
    return fold_of.astype(np.int64)


def shuffle_within(fold_of: np.ndarray, seed: int, name: str = "") -> np.ndarray:
    """Permutation of the stimuli that stays within folds, reproducible from (seed, name).

    Returns
    -------
    int64 array, ``(n,)``
        Stimulus ``i`` is replaced by stimulus ``permutation[i]`` of the same fold.
    """
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])])
    permutation = np.empty(len(fold_of), dtype=np.int64)
    for fold in np.unique(fold_of):
        members = np.flatnonzero(fold_of == fold)
        permutation[members] = rng.permutation(members)
    return permutation
