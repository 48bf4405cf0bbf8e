"""How far a number may lie from the reference.

Where the weights are the reference's, by rounding (`rounding`). Where networks were trained anew,
by the spread of its pool times the limit of the largest deviation, both in the reference (`SPREAD`
and `AGREEMENT`, see `agreement`).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.verify import roles
from convergent_learning.verify.rounding import rounding, rounding_of_claim
from convergent_learning.verify.spread import LARGEST, Limits, least_spread

SPREAD = "spread.csv.gz"
AGREEMENT = "agreement.json"


class Tolerances:
    """Tolerances of one reference; without honest runs it has those of rounding only.

    Parameters
    ----------
    spread : Series
        The spread of each pool, indexed by `roles.POOL`; empty where it was not measured.
    limits : dict
        By statistic and kind (`spread.limits`).
    same_weights : bool
        Whether the rerun's networks have the reference's weights.
    """

    def __init__(self, spread: pd.Series, limits: Limits, same_weights: bool = False):
        self._spread = spread.to_dict()
        self.limits = limits
        self.same_weights = same_weights

    @classmethod
    def read(cls, reference: Path, same_weights: bool) -> Tolerances:
        """Those of the reference folder `reference`."""
        if not (reference / SPREAD).exists():
            return cls(pd.Series(dtype=float), {}, same_weights)
        table = pd.read_csv(
            reference / SPREAD, dtype=dict.fromkeys(roles.POOL, str), keep_default_na=False
        )
        about = json.loads((reference / AGREEMENT).read_text(encoding="utf-8"))
        limits = {(each["statistic"], each["kind"]): each["limit"] for each in about["limits"]}
        return cls(table.set_index(roles.POOL).spread, limits, same_weights)

    @property
    def by_rounding(self) -> bool:
        """Whether only rounding may move a number: so it is where no honest run tells otherwise."""
        return self.same_weights or not self._spread

    def of(self, name: str, column: str, pools: pd.DataFrame) -> np.ndarray:
        """Tolerance of each row of `column` in table `name`; `pools` is `roles.pools`."""
        rounded = rounding(column, pools, name)
        if self.by_rounding:
            return rounded
        rows = pools[list(roles.POOLED_BY)].itertuples(index=False)
        least = least_spread(pools.assign(table=name, column=column))
        spread = [
            self._spread.get((name, column, *pool), low)
            for pool, low in zip(rows, least, strict=True)
        ]
        allowed = self.limits[LARGEST, roles.kind(column)] * np.array(spread)
        return np.where(pools.stage == roles.UNTRAINED, rounded, allowed)

    def of_claim(self, claim: str, column: str) -> float:
        """Tolerance of `column` (estimate, ci_low, ci_high) of the claim with the id `claim`."""
        rounded = rounding_of_claim(claim, column)
        if self.by_rounding:
            return rounded
        pool = dict.fromkeys(roles.POOL, "") | {
            "table": "claims",
            "column": column,
            "metric": claim,
        }
        return self.limits[LARGEST, roles.kind(column)] * self._spread.get(
            tuple(pool.values()), rounded
        )
