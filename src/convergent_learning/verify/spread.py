"""How far runs of the same experiment lie apart, and the factor that makes it a tolerance.

Training is chaotic: with the sums of another machine or thread count a network ends elsewhere, so
that trained numbers move about as far as with other seeds. Their spread is the root mean square
difference between all runs, networks paired in the order of their seeds. Untrained networks are
the same on any machine: only runs with the same seeds count for them.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from convergent_learning.claims.entries import NUMBERS, is_whole, read_claims
from convergent_learning.tables.schema import TABLES
from convergent_learning.tables.storage import read_tables
from convergent_learning.verify import roles
from convergent_learning.verify.tolerances import KINDS, POOL, SPREAD_COLUMNS, floors, kind

# An honest rerun should fail once in a thousand verifications, over all of its numbers.
FALSE_ALARMS = 0.001
# Weight of its column's mean square beside a pool's own. Rows of a pool are not independent (draws,
# layers and conditions share networks), so that many rows do not make the own mean certain.
_PRIOR = 0.5


def measure_spread(runs: Sequence[Path]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Spread of every pool of numbers, and the calibration of the factor.

    A factor is the larger of two: the two-sided normal quantile at which one of all numbers
    exceeds its tolerance with probability `FALSE_ALARMS`; and the largest deviation, in spreads,
    that a run shows when the spread is measured without it (median over the runs): tails are
    heavier than normal, and a spread from few runs is uncertain. Each kind of number
    (`tolerances.kind`) has its own.

    Parameters
    ----------
    runs : sequence of path
        Results folders; the first is the reference. One alone has no spread: the floors hold.

    Returns
    -------
    spread : DataFrame
        `SPREAD_COLUMNS`.
    calibration : dict
        factors by kind, what they come from, and for each run left out its largest deviations.
    """
    loaded = [Run(path) for path in runs]
    differences = _all_differences(loaded)
    numbers = loaded[0].size
    normal = float(stats.norm.isf(FALSE_ALARMS / (2 * numbers)))
    left_out = []
    if len(loaded) > 2:
        left_out = [_left_out(run.name, differences, loaded[0]) for run in loaded]
    largest = {each: [run["largest"][each]["spreads"] for run in left_out] for each in KINDS}
    calibration = {
        "factors": {
            each: round(max(normal, statistics.median(found or [0.0])), 2)
            for each, found in largest.items()
        },
        "normal_quantile": round(normal, 2),
        "numbers": numbers,
        "runs": [{"experiment": run.name, "seeds": run.seeds} for run in loaded],
        "left_out": left_out,
    }
    return _pooled(differences, loaded[0]), calibration


class Run:
    """Tables and claims of a run, seeds replaced by their rank within the group."""

    def __init__(self, folder: Path):
        self.tables = read_tables(folder / "tables", TABLES)
        self.claims = read_claims(folder / "claims.json")
        accuracy = self.tables["accuracy"]
        self.seeds = {
            str(name): sorted(map(int, rows.seed.unique()))
            for name, rows in accuracy.groupby("group")
        }
        self.name = folder.name
        self.tables = {
            name: roles.with_contrasts(name, self._ranked(table))
            for name, table in self.tables.items()
        }

    @property
    def size(self) -> int:
        """How many measured numbers there are."""
        return sum(
            int(table[roles.measured(name, table)].notna().sum().sum())
            for name, table in self.tables.items()
        )

    def _ranked(self, table: pd.DataFrame) -> pd.DataFrame:
        ranks = {
            (name, seed): rank
            for name, seeds in self.seeds.items()
            for rank, seed in enumerate(seeds)
        }
        ranked = table.copy()
        for column in table:
            if column == "seed" or column.startswith("seed_") or column.endswith("_seed"):
                side = column.replace("seed", "group")
                side = side if side in table else "group"
                pairs = zip(table[side], table[column], strict=True)
                ranked[column] = [ranks[pair] for pair in pairs]
        return ranked


def _all_differences(runs: list[Run]) -> pd.DataFrame:
    """Differences of every two runs, whose names are in columns `a` and `b`."""
    parts = [
        _differences(a, b).assign(a=a.name, b=b.name) for a, b in itertools.combinations(runs, 2)
    ]
    return pd.concat(parts or [pd.DataFrame(columns=[*POOL, "difference"])], ignore_index=True)


def _differences(a: Run, b: Run) -> pd.DataFrame:
    """Every number's difference between two runs, with its pool."""
    parts = [
        part
        for name in TABLES
        for part in _table_differences(name, a.tables[name], b.tables[name], a.seeds == b.seeds)
    ]
    return pd.concat([*parts, _claim_differences(a, b)], ignore_index=True)


def _table_differences(
    name: str, a: pd.DataFrame, b: pd.DataFrame, same_seeds: bool
) -> Iterator[pd.DataFrame]:
    both = a.merge(b, on=roles.keys(name), suffixes=("", "_b"))
    pools = roles.pools(name, both)
    counted = (pools.stage != "untrained") | same_seeds
    for column in roles.measured(name, a):
        difference = both[column].astype(float) - both[f"{column}_b"].astype(float)
        part = pools.assign(table=name, column=column, difference=difference)
        yield part[counted & difference.notna()]


def _claim_differences(a: Run, b: Run) -> pd.DataFrame:
    other = {(claim["dataset"], claim["id"]): claim for claim in b.claims}
    rows = []
    for claim in itertools.filterfalse(is_whole, a.claims):
        match = other[claim["dataset"], claim["id"]]
        for column in NUMBERS:
            if claim[column] is not None and match[column] is not None:
                rows.append((column, claim["id"], claim[column] - match[column]))
    frame = pd.DataFrame(rows, columns=["column", "band", "difference"])
    return frame.assign(table="claims", stage="trained", **dict.fromkeys(roles.POOLED_BY, ""))


def _pooled(differences: pd.DataFrame, reference: Run) -> pd.DataFrame:
    """Spread of each pool, which leans on that of its column and stage; a claim on all claims.

    A claim has few differences of its own scale: its spread is not below its half interval times
    the root mean square, over all claims, of difference over half interval.
    """
    squares = differences.assign(square=differences.difference.astype(float) ** 2)
    pools = squares.groupby(POOL).square.agg(["sum", "size"]).reset_index()
    column = ["table", "column", "stage"]
    pools = pools.merge(squares.groupby(column).square.mean().rename("prior"), on=column)
    prior = pools.prior.where(pools.table != "claims", pools["sum"] / pools["size"])
    pools["spread"] = ((1 - _PRIOR) * pools["sum"] / pools["size"] + _PRIOR * prior) ** 0.5
    claims = squares[squares.table == "claims"]
    half = {
        claim["id"]: (claim["ci_high"] - claim["ci_low"]) / 2
        for claim in itertools.filterfalse(is_whole, reference.claims)
        if claim["ci_low"] is not None
    }
    shares = (claims.square / claims.band.map(half) ** 2).groupby(claims.column).mean() ** 0.5
    own = pools[pools.table == "claims"]
    least = (own.column.map(shares) * own.band.map(half)).fillna(0)
    pools.loc[own.index, "spread"] = np.maximum(own.spread, least)
    return pools.rename(columns={"size": "differences"})[SPREAD_COLUMNS]


def _left_out(name: str, differences: pd.DataFrame, reference: Run) -> dict[str, Any]:
    """How far the run `name` lies from the others, by the spread of the others alone."""
    its = (differences.a == name) | (differences.b == name)
    # Numbers that the other runs lack, or agree on, have no spread to be compared with.
    own = differences[its].merge(_pooled(differences[~its], reference), on=POOL)
    size = own.difference.abs().astype(float)
    beyond_floor = size > floors(own)
    own["spreads"] = (size / own.spread.where(own.spread > 0)).where(beyond_floor, 0.0).fillna(0.0)
    largest = {}
    for each, rows in own.groupby(own.column.map(kind)):
        worst = rows.loc[rows.spreads.idxmax()]
        where = " ".join(str(worst[column]) for column in POOL if worst[column])
        largest[each] = {"spreads": round(float(worst.spreads), 2), "at": where}
    return {"run": name, "largest": largest}
