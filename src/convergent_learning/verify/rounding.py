"""How far numbers may lie apart that were computed from the same weights, on any machine.

docs/rounding.md has what was seen when anchors were scored with other kernels and instruction sets
(`benchmarks/agreement/rounding.py`).
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from convergent_learning.alignment.registry import metric, metrics
from convergent_learning.verify.roles import CONTRAST, INTERVAL_END, kind

# One unit assigned otherwise, of few units, moves a matching score by more than rounding does.
_MATCHING = ("permutation", "soft_matching")
_SCORE, _MATCHED, _SHUFFLED = 2e-4, 5e-3, 2e-3
# The λ of a fold is one of nine. Where two of them do equally well inside the training folds,
# rounding decides which is taken, and the score of that fold moves: three times what was seen.
_CHOSEN = 1e-3
# An interval from three networks ends t(2 degrees of freedom) = 4.3 standard errors away.
STRETCHED = 5
# A share of best matches is a count. Where two sources score nearly the same, rounding decides
# which is best: one match of 18 or more (of three pairs of networks with three blocks).
_MATCH = 0.06
MATCHES, CLAIMS_OF_MATCHES = "fig4_matches", ("C3", "C3a", "C3b")
_OTHERS = {
    # Of 2,000 images: predictions of an untrained network are near ties.
    "accuracy": 2e-3,
    # Training may evaluate in bfloat16.
    "test_accuracy": 0.01,
    "train_accuracy": 0.01,
    "test_loss": 0.05,
    "n_dead_x": 0.0,
    "n_dead_y": 0.0,
    "n_conditions": 0.0,
    "n_families": 0.0,
    # A draw more or less beyond the score.
    "p": 0.05,
    "p_adjusted": 0.05,
    "p_highest": 0.05,
}
_OF_SHUFFLED = ("shuffled", "threshold", "calibrated")
# Tables and claims are written with eight digits.
_WRITTEN = 1e-7


def rounding(column: str, numbers: pd.DataFrame, table: str = "") -> np.ndarray:
    """The largest difference of each number of a column of a table.

    numbers : with the columns ``metric`` and ``baseline``, if it has metrics
    """
    if column in _OTHERS:
        return np.full(len(numbers), max(_OTHERS[column], _WRITTEN))
    stretched = STRETCHED if kind(column) == INTERVAL_END else 1
    if table == MATCHES:
        return np.full(len(numbers), stretched * _MATCH)
    if "metric" not in numbers:
        return np.full(len(numbers), stretched * _SCORE)
    # A contrast is with the mean of all metrics, those among them that match units.
    matched = numbers.metric.isin(_MATCHING) | (kind(column) == CONTRAST)
    shuffled = (numbers.baseline == "shuffled") | (column in _OF_SHUFFLED)
    kinds = [matched, shuffled, numbers.metric.isin(with_ridge())]
    return stretched * np.select(kinds, [_MATCHED, _SHUFFLED, _CHOSEN], default=_SCORE)


@functools.cache
def with_ridge() -> frozenset[str]:
    """Names of the metrics that choose a penalty."""
    known = (*metrics(), *metrics(context=True))
    return frozenset(name for name in known if metric(name).takes_ridge)


def rounding_of_claim(claim: str, column: str) -> float:
    """How far a claim's estimate, or an end of its interval, may move by rounding."""
    allowed = _MATCH if claim in CLAIMS_OF_MATCHES else _MATCHED
    return allowed * (STRETCHED if kind(column) == INTERVAL_END else 1)
