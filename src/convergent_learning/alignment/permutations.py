"""Permutation tests of the scores of two arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .array_pair import ArrayPair
from .calibration import ALPHA, PermutationTest, against_draws, check_draws, fewest_draws
from .crossvalidation import shuffle_within
from .fold_scores import BACKWARD, FORWARD, Direction, check_directions, mean_score
from .moments import Center
from .positions import Positions
from .registry import check_one
from .ridge import Ridge

if TYPE_CHECKING:
    from .arrays import Device
    from .responses import Array


def permutation_test(
    x: Array,
    y: Array,
    metric: str = "procrustes",
    n_draws: int = 99,
    alpha: float = ALPHA,
    seed: int = 0,
    n_folds: int = 5,
    folds: npt.ArrayLike | None = None,
    positions: Positions = "all",
    center: Center = "position",
    ridge: Ridge = "cv",
    device: Device | None = None,
    *,
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
) -> PermutationTest:
    """Is a score higher than that of layers that respond to the stimuli independently?

    Stimuli of y are permuted within folds `n_draws` times, each time as whole images, and scored
    anew. The permutations depend on the folds and on `seed`, not on the layers, so that tests of
    several layers with the same stimuli share them: see `max_over_layers`. Parameters that are not
    listed here are those of `score`; `seed` seeds folds and permutations.

    Parameters
    ----------
    metric : str
    n_draws : int
        At least 1/alpha - 1: with fewer, no score could reach p <= alpha.
    alpha : float
        Share of unrelated layers that may have a calibrated score above 0.

    Returns
    -------
    PermutationTest

    Raises
    ------
    ValueError
        As `score`; more than one metric; too few draws.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import permutation_test
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.standard_normal((2, 100, 5))
    >>> result = permutation_test(x, x + noise, "procrustes", n_draws=19)
    >>> result.p, result.calibrated > 0.5
    (0.05, True)
    """
    check_one(metric)
    check_draws(n_draws)
    check_directions(directions)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha!r}: use a share between 0 and 1, such as 0.05")
    if n_draws < fewest_draws(alpha):
        raise ValueError(
            f"n_draws is {n_draws}, with which no p is as low as {alpha}: use at least "
            f"{fewest_draws(alpha)}"
        )
    pair = ArrayPair(
        *(x, y),
        n_folds=n_folds,
        folds=folds,
        seed=seed,
        positions=positions,
        center=center,
        ridge=ridge,
        device=device,
    )
    chosen = pair.metrics(metric)

    def scored(order: np.ndarray | None) -> float:
        return mean_score(pair.fold_scores(chosen, directions=directions, order=order)[metric])

    orders = [shuffle_within(pair.fold_of, seed, f"draw {draw}") for draw in range(n_draws)]
    draws = np.array([scored(order) for order in orders])
    digest = hashlib.sha256(np.stack(orders).tobytes()).hexdigest()
    return against_draws(scored(None), draws, alpha, digest)
