"""How far a number may lie from the reference: read from the reference's `tolerances.csv`.

A tolerance is the larger of a floor and a factor times the measured spread: the root mean square
difference between runs, pooled over the rows of a table that share metric, centring, baseline,
stage and band (`roles.pools`). Each `kind` of number has a factor of its own.
`verify.spread` measures both.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.tables.schema import TABLES, Role, with_role
from convergent_learning.verify import roles

POOL = ["table", "column", *roles.POOLED_BY, "stage", "band"]
SPREAD_COLUMNS = [*POOL, "spread", "differences"]

NUMBER, INTERVAL_END, CONTRAST = KINDS = "number", "interval end", "contrast"
_ENDS = {"ci_low", "ci_high", *(end for table in TABLES for end in with_role(table, Role.END))}

# What rounding may move where nothing was trained: more than storing activations in float32 in
# place of float16 does to the smoke experiment.
_FLOOR = 0.005
_INTERVAL_FLOOR = 0.02
# One unit assigned otherwise, of few units, moves a matching score by more.
_MATCHING = ("permutation", "soft_matching")
_MATCHING_FACTOR = 3
# What rounding moves the same weights' numbers by: other kernels, instruction sets and threads.
_ROUNDING, _ROUNDING_MATCHED, _ROUNDING_SHUFFLED = 1e-4, 5e-3, 2e-3
_ROUNDINGS = {"accuracy": 0.002, "n_dead_x": 0.0, "n_dead_y": 0.0}
_FLOORS = {
    # Predictions of an untrained network are near ties, and training may evaluate in bfloat16.
    "accuracy": 0.005,
    "test_accuracy": 0.01,
    "test_loss": 0.05,
    "n_dead_x": 1.0,
    "n_dead_y": 1.0,
    "n_conditions": 1.0,
    "n_families": 1.0,
    "p": 0.05,
    "p_adjusted": 0.05,
}


class Tolerances:
    """Tolerances of one reference; without a measured spread only the floors hold.

    Parameters
    ----------
    spread : DataFrame
        `SPREAD_COLUMNS`: a pool of rows, its spread, and from how many differences.
    factors : dict
        Tolerance over spread, by `kind` of number.
    """

    def __init__(self, spread: pd.DataFrame, factors: dict[str, float]):
        self._factors = factors
        self._spread = spread.set_index(POOL).spread.to_dict()

    @classmethod
    def read(cls, reference: Path) -> Tolerances:
        """Those of the reference folder `reference`."""
        about = json.loads((reference / "spread.json").read_text(encoding="utf-8"))
        text = dict.fromkeys(POOL, str)
        spread = pd.read_csv(reference / "tolerances.csv", dtype=text, keep_default_na=False)
        return cls(spread, about["factors"])

    def of(self, name: str, column: str, pools: pd.DataFrame) -> np.ndarray:
        """Tolerance of each row of `column` in table `name`; `pools` is `roles.pools`."""
        rows = pools.itertuples(index=False)
        spread = np.array([self._spread.get((name, column, *pool), 0.0) for pool in rows])
        factor = self._factors[kind(column)]
        return np.maximum(factor * spread, floors(pools.assign(column=column)))

    def of_claim(self, claim: str, column: str) -> float:
        """Tolerance of `column` (estimate, ci_low, ci_high) of the claim with the id `claim`."""
        empty = [""] * len(roles.POOLED_BY)
        spread = self._spread.get(("claims", column, *empty, "trained", claim), 0.0)
        return max(self._factors[kind(column)] * spread, _floor(column))


def kind(column: str) -> str:
    """`interval end`, `contrast` (of a metric with the others) or `number`.

    Contrasts are those of `roles.with_contrasts`. The ends of an interval from three networks move
    by up to t(2 degrees of freedom) = 4.3 standard errors, whose own error is large: their tails
    are much heavier than those of other numbers.
    """
    if column.endswith(roles.AMONG_METRICS):
        return CONTRAST
    return INTERVAL_END if column in _ENDS else NUMBER


def floors(numbers: pd.DataFrame) -> np.ndarray:
    """The smallest tolerance of each number, by its `column` and `metric`."""
    least = numbers.column.map(_floor)
    matched = numbers.metric.isin(_MATCHING) & ~numbers.column.isin(_FLOORS)
    return np.where(matched, _MATCHING_FACTOR * least, least)


def rounding(column: str, numbers: pd.DataFrame) -> np.ndarray:
    """How far the numbers of a column may lie apart that come from the same weights.

    numbers : with the columns ``metric`` and ``baseline``, if it has metrics
    """
    if column in _ROUNDINGS or "metric" not in numbers:
        return np.full(len(numbers), _ROUNDINGS.get(column, _ROUNDING))
    matched = numbers.metric.isin(_MATCHING)
    shuffled = numbers.baseline == "shuffled"
    return np.select(
        [matched, shuffled], [_ROUNDING_MATCHED, _ROUNDING_SHUFFLED], default=_ROUNDING
    )


def _floor(column: str) -> float:
    return _INTERVAL_FLOOR if kind(column) == INTERVAL_END else _FLOORS.get(column, _FLOOR)
