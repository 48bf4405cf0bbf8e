"""What a network is taught to call each image, by the name that `training.labels` gives it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convergent_learning.randomness import derived_seed


def true(labels: np.ndarray, experiment_seed: int) -> np.ndarray:
    """The labels of the data set."""
    return labels


def shuffled(labels: np.ndarray, experiment_seed: int) -> np.ndarray:
    """The same labels, permuted over the images once, alike for all networks: no task is left."""
    rng = np.random.default_rng(derived_seed("shuffled labels", experiment_seed))
    return rng.permutation(labels)


LABELS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"true": true, "shuffled": shuffled}
"""Labels (n,) int64 of the training subset, and the experiment's seed, to labels (n,) int64."""
