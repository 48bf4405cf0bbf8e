"""Rebuilt tables against reference tables: every number, and what is missing or must not differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from PIL import Image

from convergent_learning.tables.drops import NEAR_CHANCE
from convergent_learning.tables.schema import DECLARED
from convergent_learning.tables.storage import read_table, tables_in
from convergent_learning.verify import roles
from convergent_learning.verify.tolerances import Tolerances
from convergent_learning.words import counted

NUMBERS = [*roles.POOL, "row", "reference", "rebuilt", "tolerance", "deviation"]
# Rounding on other hardware can move a pixel of a condition by one level.
_PIXEL_LEVELS = 1
_SHOWN = 3


@dataclass
class ComparedTable:
    """A table compared.

    `numbers` (columns `NUMBERS`) has a row for each measured number with its pool, its deviation in
    units of its tolerance; `problems` are sentences on what is missing, extra, empty or unequal.
    """

    name: str
    rows: int = 0
    numbers: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=NUMBERS))
    problems: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.problems) or bool((self.numbers.deviation > 1).any())


def compare_tables(reference: Path, rebuilt: Path, tolerances: Tolerances) -> list[ComparedTable]:
    """Compare every table of the folder `rebuilt` with its namesake in `reference`."""
    tables = {}
    found = {}
    known = tables_in(reference)
    for name in dict.fromkeys([*known, *tables_in(rebuilt)]):
        if name in DECLARED and name not in known:
            continue  # of a figure that the reference is older than
        try:
            tables[name] = read_table(reference, name), read_table(rebuilt, name)
            found[name] = compare(name, *tables[name], tolerances)
        except (OSError, EOFError, ValueError) as error:
            found[name] = ComparedTable(name, problems=[f"{name}: {error}"])
    for name in ("fig6_conditions", "fig6_pairs"):
        if name in tables and "datasets" in tables:
            chance = tables["datasets"][0].set_index("dataset").chance
            found[name].problems += _near_chance(name, *tables[name], chance, tolerances)
    return [*found.values(), _compare_tiles(reference / roles.TILES, rebuilt / roles.TILES)]


def compare(
    name: str, reference: pd.DataFrame, rebuilt: pd.DataFrame, tolerances: Tolerances
) -> ComparedTable:
    """Compare table `name` row by row: keys and counts exactly, measured numbers by tolerance."""
    result = ComparedTable(name, rows=len(reference))
    keys = roles.keys(name)
    result.problems += _shape_problems(name, keys, reference, rebuilt)
    if result.problems:
        return result
    old, new = (table.set_index(keys) for table in (reference, rebuilt))
    if len(lost := old.index.difference(new.index, sort=False)):
        result.problems.append(f"{name}: {counted(len(lost), 'row')} missing: {_listed(lost)}")
    if len(more := new.index.difference(old.index, sort=False)):
        result.problems.append(f"{name}: {counted(len(more), 'row')} too many: {_listed(more)}")
    both = old.index.intersection(new.index, sort=False)
    old, new = (table.loc[both].reset_index() for table in (old, new))
    for column in roles.exact(name, reference):
        if (unequal := _unequal(old[column], new[column])).any():
            result.problems.append(_exact_problem(name, column, keys, old, new, unequal))
    pools = roles.pools(name, old)
    old, new = (roles.with_contrasts(name, table) for table in (old, new))
    parts = []
    for column in roles.measured(name, old):
        tolerance = tolerances.of(name, column, pools)
        numbers, empty = side_by_side(name, column, old, new, tolerance)
        if empty.any():
            result.problems.append(_exact_problem(name, column, keys, old, new, empty))
        numbers["row"] = [roles.row_name(row) for row in old.loc[numbers.index, keys].to_numpy()]
        parts.append(numbers.join(pools))
    if parts:
        result.numbers = pd.concat(parts, ignore_index=True)[NUMBERS]
    return result


def _shape_problems(
    name: str, keys: list[str], reference: pd.DataFrame, rebuilt: pd.DataFrame
) -> list[str]:
    """Why two tables cannot be compared row by row."""
    if list(reference) != list(rebuilt):
        columns, expected = ", ".join(rebuilt), ", ".join(reference)
        return [f"{name}: columns are {columns}, in the reference {expected}"]
    problems = []
    for column in reference:
        if is_numeric_dtype(reference[column]) and not is_numeric_dtype(rebuilt[column]):
            text = rebuilt[column][pd.to_numeric(rebuilt[column], errors="coerce").isna()]
            problems.append(f"{name}: {column} holds {text.iloc[0]!r}, which is no number")
    for table, whose in ((reference, "the reference"), (rebuilt, "the rebuilt table")):
        rows = pd.MultiIndex.from_frame(table[keys])
        if not problems and rows.has_duplicates:
            problems.append(f"{name}: {whose} has rows twice: {_listed(rows[rows.duplicated()])}")
    return problems


def side_by_side(
    name: str, column: str, old: pd.DataFrame, new: pd.DataFrame, tolerance: np.ndarray
) -> tuple[pd.DataFrame, pd.Series]:
    """The numbers of a column side by side, and where only one of the two has one.

    Rows are those of `old` that both have; columns as `NUMBERS`, without pools and rows' names.
    """
    a, b = old[column].astype(float), new[column].astype(float)
    numbers = pd.DataFrame({"reference": a, "rebuilt": b, "tolerance": tolerance})
    # Rounded, so that exactly the tolerance is within it.
    numbers["deviation"] = ((a - b).abs() / tolerance).round(6)
    numbers.insert(0, "table", name)
    numbers.insert(1, "column", column)
    return numbers[a.notna() & b.notna()].copy(), a.isna() != b.isna()


def _unequal(old: pd.Series, new: pd.Series) -> pd.Series:
    """Where two columns differ; numbers agree to the eight digits that tables are written with."""
    if old.dtype.kind == new.dtype.kind == "f" or {old.dtype.kind, new.dtype.kind} == {"i", "f"}:
        return pd.Series(~np.isclose(old, new, rtol=1e-7, atol=0, equal_nan=True), old.index)
    return (old != new) & ~(old.isna() & new.isna())


def _exact_problem(
    name: str, column: str, keys: list[str], old: pd.DataFrame, new: pd.DataFrame, where: pd.Series
) -> str:
    first = where.idxmax()
    return (
        f"{name}: {column} differs in {int(where.sum())} rows, first in"
        f" {roles.row_name(old.loc[first, keys])}: {new[column][first]},"
        f" in the reference {old[column][first]}"
    )


def _listed(rows: pd.Index) -> str:
    shown = [
        roles.row_name(pd.Series(row if isinstance(row, tuple) else [row])) for row in rows[:_SHOWN]
    ]
    return "; ".join(shown) + (" …" if len(rows) > _SHOWN else "")


def _near_chance(
    name: str,
    reference: pd.DataFrame,
    rebuilt: pd.DataFrame,
    chance: pd.Series,
    tolerances: Tolerances,
) -> list[str]:
    """Rows whose flag changed though their mean accuracy is too far from chance for that."""
    keys = roles.keys(name)
    both = reference.merge(rebuilt, on=keys, suffixes=("", "_rebuilt"))
    tolerance = tolerances.of(name, "accuracy", roles.pools(name, both))
    condition = ["dataset", "group", "stimuli", "condition"]
    mean = both.groupby(condition).accuracy.transform("mean")
    margin = (mean - both.dataset.map(chance) - NEAR_CHANCE).abs()
    changed = (both.near_chance != both.near_chance_rebuilt) & ~(margin <= tolerance)
    if not changed.any():
        return []
    first = roles.row_name(both.loc[changed.idxmax(), keys])
    return [
        f"{name}: near_chance changed in {int(changed.sum())} rows beyond what the tolerance of"
        f" accuracy explains, first in {first}"
    ]


def _compare_tiles(reference: Path, rebuilt: Path) -> ComparedTable:
    result = ComparedTable(roles.TILES, rows=1)
    try:
        old, new = (
            np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (reference, rebuilt)
        )
    except OSError as error:
        result.problems.append(f"{roles.TILES}: {error}")
        return result
    if old.shape != new.shape:
        result.problems.append(f"{roles.TILES}: {new.shape} pixels, in the reference {old.shape}")
    elif (levels := int(np.abs(old - new).max())) > _PIXEL_LEVELS:
        result.problems.append(f"{roles.TILES}: pixels differ by up to {levels} of 255")
    return result
