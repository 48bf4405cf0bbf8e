"""How high scores are where x and y have nothing in common: scores against those of draws.

Scores of unrelated layers grow with their widths, and the best of many layers grows with their
number. Both are judged against the same scores with the stimuli of y permuted within folds, as
Gröger, Wen & Brbić (2026, arXiv:2602.14486) do for similarities of whole representations. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# p at or below this counts; the share of unrelated layers with a calibrated score above 0.
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """A score against those of permuted stimuli.

    All numbers but `observed` and `draws` are NaN where one of these is: a layer has no live unit.

    Attributes
    ----------
    observed : float
        Mean over folds and directions.
    draws : float array (n_draws,)
        The same with the stimuli of y permuted.
    p : float
        (1 + number of draws >= observed) / (n_draws + 1).
    threshold : float
        The (1 - alpha) quantile of `observed` and `draws` together: the lowest of them that at
        most a share `alpha` of them exceeds.
    calibrated : float
        max((observed - threshold)/(1 - threshold), 0), which is above 0 only where p <= alpha.
    alpha : float
        Share of unrelated layers that may have a calibrated score above 0.
    permutations : str
        Digest of the permutations; tests that share it can be compared draw by draw.
    """

    observed: float
    draws: np.ndarray = field(repr=False)
    p: float
    threshold: float
    calibrated: float
    alpha: float
    permutations: str = field(repr=False)


@dataclass(frozen=True, eq=False)
class MaxOverLayers:
    """The best of several layers, judged against the best of as many permuted ones.

    Attributes
    ----------
    best : str
        The layer with the highest score.
    test : PermutationTest
        The test of that score; its draws are the highest over layers.
    p : dict of float
        The p value of each layer against the same draws, which holds for all layers at once.
    """

    best: str
    test: PermutationTest
    p: dict[str, float]


def against_draws(
    observed: float, draws: np.ndarray, alpha: float = ALPHA, permutations: str = ""
) -> PermutationTest:
    """Judge a score by the same score of permuted stimuli.

    Parameters
    ----------
    observed : float
    draws : float array, ``(n_draws,)``
        At least ``fewest_draws(alpha)``, or no score is calibrated above 0.
    alpha : float
        Share of unrelated layers that may have a calibrated score above 0.
    permutations : str
        What the draws have in common with those of other tests, see `max_over_layers`.

    Returns
    -------
    PermutationTest
    """
    if np.isnan(observed) or np.isnan(draws).any():
        return PermutationTest(observed, draws, *(np.nan,) * 3, alpha, permutations)
    p = float(rank_p_values(observed, draws))
    together = np.sort([observed, *draws])[::-1]
    threshold = float(together[_exceeding(alpha, len(draws))])
    calibrated = max((observed - threshold) / (1 - threshold), 0.0) if threshold < 1 else 0.0
    return PermutationTest(observed, draws, p, threshold, calibrated, alpha, permutations)


def rank_p_values(learned: npt.ArrayLike, draws: np.ndarray) -> np.ndarray:
    """One-sided p-values of scores against draws from the null.

    p = (1 + #{draw ≥ learned}) / (R + 1) (Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9).

    Parameters
    ----------
    learned : (...) float
    draws : (R, ...) float

    Returns
    -------
    (...) float
        NaN where the learned score or any draw is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment.calibration import rank_p_values
    >>> float(rank_p_values(0.9, np.linspace(0, 0.8, 19)))
    0.05
    """
    learned, draws = np.asarray(learned, dtype=float), np.asarray(draws, dtype=float)
    p = (1 + (draws >= learned).sum(axis=0)) / (len(draws) + 1)
    return np.where(np.isnan(learned) | np.isnan(draws).any(axis=0), np.nan, p)


def max_over_layers(tests: Mapping[str, PermutationTest]) -> MaxOverLayers:
    """Judge the best of several layers by maxT (Westfall & Young 1993).

    The highest score over layers is compared with the highest over layers in each draw, which
    takes account both of how many layers there are and of how alike they are.

    Parameters
    ----------
    tests : dict of PermutationTest
        Tests of layers, or of pairs of layers, by their names; all on the same stimuli, with the
        same folds, seed, `n_draws` and `alpha`. Layers whose score is NaN are passed over.

    Returns
    -------
    MaxOverLayers

    Raises
    ------
    ValueError
        No layer has a score, or the tests do not share their permutations or alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import max_over_layers, permutation_test
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.standard_normal((2, 100, 5))
    >>> layers = {"conv1": noise, "conv2": x + noise}
    >>> tests = {name: permutation_test(x, y, n_draws=19) for name, y in layers.items()}
    >>> result = max_over_layers(tests)
    >>> result.best, result.p["conv2"]
    ('conv2', 0.05)
    """
    scored = {name: test for name, test in tests.items() if not np.isnan(test.observed)}
    if not scored:
        raise ValueError("no layer has a score: pass the permutation_test of at least one")
    (first, reference), *others = scored.items()
    for name, test in others:
        if (test.permutations, test.alpha) != (reference.permutations, reference.alpha):
            raise ValueError(
                f"the tests of {first} and {name} do not share their permutations and alpha: make "
                "both with the same stimuli, folds, seed, n_draws and alpha"
            )
    best = max(scored, key=lambda name: scored[name].observed)
    draws = np.max([test.draws for test in scored.values()], axis=0)
    against = {
        name: against_draws(test.observed, draws, test.alpha, test.permutations)
        for name, test in scored.items()
    }
    return MaxOverLayers(best, against[best], {name: test.p for name, test in against.items()})


def fewest_draws(alpha: float = ALPHA) -> int:
    """The smallest number of draws with which p = 1/(draws + 1) is as low as `alpha`."""
    return int(np.ceil(1 / alpha - 1e-9)) - 1


def check_draws(n_draws: object) -> None:
    """Raise ValueError unless `n_draws` is a positive integer."""
    if isinstance(n_draws, bool) or not isinstance(n_draws, int | np.integer) or n_draws < 1:
        raise ValueError(f"n_draws is {n_draws!r}: use a whole number of at least 1, such as 99")


def _exceeding(alpha: float, n_draws: int) -> int:
    """How many of n_draws + 1 scores may exceed the threshold; alpha = 1/20 of 20 is one."""
    return int(alpha * (n_draws + 1) + 1e-9)
