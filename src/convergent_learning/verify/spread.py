"""How far honest runs of an experiment lie apart, and the limits for a rerun.

Training is chaotic: with the sums of another machine, precision or thread count a network ends
elsewhere, so that trained numbers move about as far as with other seeds. The spread of a pool of
numbers (`roles.pools`) is the root mean square difference between two runs that share no network.
How far a rerun lies from its reference is summed up in three statistics for each kind of number:
the root mean square of its differences, in spreads, over all groups and layers of a table's column,
metric and stage, where these are many numbers and where they are few; and the largest of all. Their
limits are what honest runs show.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from convergent_learning.verify import roles
from convergent_learning.verify.rounding import (
    CLAIMS_OF_MATCHES,
    MATCHES,
    STRETCHED,
    rounding,
    rounding_of_claim,
)
from convergent_learning.verify.runs import Run

OF_MANY, OF_FEW, LARGEST = STATISTICS = (
    "root mean square of many",
    "root mean square of few",
    "largest",
)
SUMMED_UP = [each for each in roles.POOL if each not in ("group", "layer")]
# A pool leans on all layers of its kind by the weight of so many runs beside its own.
_PRIOR_RUNS = 4
_COUNT = 0.5
# The share of best matches within one layer is a count, too: in all runs but one it may be exactly
# 1. One match in 54 (three pairs of networks with nine blocks) is 0.019.
_HALF_A_MATCH = 0.01
# Numbers whose root mean square varies little, and those with one at all: fewer, like claims, are
# compared one by one only.
_MANY, _FEW = 100, 20
# A limit is the largest that any two honest runs show times a margin: this, and more where the runs
# are few. What it costs in false alarms is counted on runs that the limits were not fitted on
# (`agreement.false_alarms`).
_MARGIN = 1.5

KEYS = [(statistic, kind) for statistic in STATISTICS for kind in roles.KINDS]
Limits = dict[tuple[str, str], float]  # by these


def disjoint(runs: Iterable[Run]) -> Iterator[tuple[Run, Run]]:
    """Pairs of runs that share no network."""
    for a, b in itertools.combinations(runs, 2):
        if not a.networks & b.networks:
            yield a, b


class Pools:
    """The pools of numbers in a fixed order, and what is summed up over them.

    Parameters
    ----------
    pools : DataFrame
        A row for each number, columns `roles.POOL`.
    """

    def __init__(self, pools: pd.DataFrame):
        self._least = least_spread(pools)
        self._own, self.names = _coded(pools, roles.POOL)
        self._summed, self.sums = _coded(pools, SUMMED_UP)
        self.kinds = pools.column.map(roles.kind).to_numpy()
        self._kinds_of_sums = self.sums.column.map(roles.kind).to_numpy()
        sizes = np.bincount(self._summed, minlength=len(self.sums))
        names = np.select([sizes >= _MANY, sizes >= _FEW], [OF_MANY, OF_FEW], default="")
        self.statistic_of_sums = np.where(self.sums.table == "claims", "", names)

    def spread(self, runs: Sequence[Run]) -> np.ndarray:
        """The spread of each number's pool between `runs`, not below what rounding may do.

        It leans on what the same column, metric and stage show over all groups and layers.
        """
        squares, counted = np.zeros(len(self._own)), np.zeros(len(self._own))
        for a, b in disjoint(runs):
            square = (a.values - b.values) ** 2
            squares += np.nan_to_num(square)
            counted += ~np.isnan(square)
        own, shared = (
            _ratio(np.bincount(codes, squares), np.bincount(codes, counted))[codes]
            for codes in (self._own, self._summed)
        )
        prior = _PRIOR_RUNS / (_PRIOR_RUNS + independent(runs))
        return np.maximum(np.sqrt((1 - prior) * own + prior * shared), self._least)

    def of_names(self, spread: np.ndarray) -> np.ndarray:
        """The spread of each of the pools `names`, from those of their numbers."""
        found = np.empty(len(self.names))
        found[self._own] = spread
        return found

    def root_mean_squares(self, spreads: np.ndarray) -> np.ndarray:
        """The root mean square of the differences for each row of `sums`; 0 for a row without any.

        spreads : differences in spreads, NaN where there is none
        """
        known = ~np.isnan(spreads)
        squares = np.bincount(self._summed[known], spreads[known] ** 2, len(self.sums))
        return np.sqrt(_ratio(squares, np.bincount(self._summed[known], minlength=len(self.sums))))

    def statistics(self, spreads: np.ndarray) -> Limits:
        """The largest of each statistic, by statistic and kind."""
        sums, sizes = self.root_mean_squares(spreads), np.nan_to_num(np.abs(spreads))
        found = {}
        for kind in roles.KINDS:
            for name in (OF_MANY, OF_FEW):
                chosen = (self._kinds_of_sums == kind) & (self.statistic_of_sums == name)
                found[name, kind] = float(np.max(sums, where=chosen, initial=0.0))
            found[LARGEST, kind] = float(np.max(sizes, where=self.kinds == kind, initial=0.0))
        return found


def limits(pools: Pools, runs: Sequence[Run], spread: np.ndarray) -> Limits:
    """For each statistic the largest that any two of the runs show, with a margin."""
    shown = [pools.statistics((a.values - b.values) / spread) for a, b in disjoint(runs)]
    return {key: margin(runs) * max(each[key] for each in shown) for key in shown[0]}


def margin(runs: Sequence[Run]) -> float:
    """The margin of limits: the spread of few runs fits these better than it does another."""
    return _MARGIN * (1 + 1 / (independent(runs) - 1))


def independent(runs: Sequence[Run]) -> int:
    """How many of the runs, taken in turn, share no network with those before them."""
    taken: set[tuple[str, int]] = set()
    count = 0
    for run in runs:
        if not run.networks & taken:
            taken |= run.networks
            count += 1
    return count


def least_spread(pools: pd.DataFrame) -> np.ndarray:
    """What the spread of each number is not below: rounding, but of counts half a unit."""
    least = np.empty(len(pools))
    for (table, column), rows in pools.reset_index(drop=True).groupby(["table", "column"]):
        match = _HALF_A_MATCH * (STRETCHED if roles.kind(column) == roles.INTERVAL_END else 1)
        if table == "claims":
            known = [
                match if claim in CLAIMS_OF_MATCHES else rounding_of_claim(claim, column)
                for claim in rows.metric
            ]
        elif table == MATCHES:
            known = [match] * len(rows)
        else:
            known = np.maximum(rounding(column, rows), _COUNT if column.startswith("n_") else 0)
        least[rows.index] = known
    return least


def _coded(pools: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """For each number the row of its pool in a table of the pools that there are."""
    codes = pools.groupby(columns, sort=False).ngroup().to_numpy()
    return codes, pools[columns].drop_duplicates(ignore_index=True)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)
