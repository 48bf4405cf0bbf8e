"""Whether results agree with themselves: summaries with the pairs they are of, claims with both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convergent_learning.claims.entries import Entry, claim_key
from convergent_learning.claims.evaluation import evaluate_claims
from convergent_learning.figures import figures
from convergent_learning.tables.storage import Tables, read_tables, tables_in
from convergent_learning.verify import roles

# Tables are written with eight digits, claims with six decimals; a t quantile stretches rounding.
_RELATIVE, _ABSOLUTE = 1e-5, 5e-6


def contradicted_summaries(tables: Path) -> dict[str, list[str]]:
    """For each summary table in the folder `tables`, sentences on what its pairs do not give.

    Raises ValueError if a table is missing or lacks a column.
    """
    there = tables_in(tables)
    frames = read_tables(tables, there)
    expected: Tables = {}
    for module in figures().values():
        data = module.DATA
        if data.summaries is not None and {*data.names(calibrated=False)} <= {*there}:
            expected |= data.summaries(frames, frames)
    return {name: [*_contradictions(name, frames[name], table)] for name, table in expected.items()}


def contradicted_claims(tables: Path, claims: list[Entry]) -> dict[tuple[str, str], str]:
    """For each claim that the tables do not give, by dataset and id, a sentence on it.

    Raises ValueError if a table is missing or lacks a column.
    """
    decided = {claim_key(claim): claim for claim in evaluate_claims(tables)}
    problems = {}
    for claim in claims:
        # Each is taken once: what is left over was decided and is not there.
        expected = decided.pop(claim_key(claim), {})
        wrong = [field for field in claim if not _agree(expected.get(field), claim[field])]
        if wrong:
            given = expected.get(wrong[0], "no such claim")
            problems[claim_key(claim)] = (
                f"{wrong[0]} is {claim[wrong[0]]!r}, the tables give {given!r}"
            )
    return problems | dict.fromkeys(decided, "the tables give it, claims.json does not")


def _contradictions(name: str, found: pd.DataFrame, expected: pd.DataFrame) -> Iterator[str]:
    if found.empty and expected.empty:  # whose columns have no types
        return
    keys = roles.keys(name)
    both = found.merge(expected, on=keys, how="outer", suffixes=("", " expected"))
    # What does not follow from the pairs alone is not in both.
    shared = expected.columns.intersection(found.columns, sort=False)
    for column in shared.difference(keys, sort=False):
        wrong = ~_equal(both[column], both[f"{column} expected"])
        if wrong.any():
            row = both[wrong].iloc[0]
            yield (
                f"{name}: {column} of {int(wrong.sum())} rows does not follow from the pairs, first"
                f" {row[column]} for {row[f'{column} expected']} in {roles.row_name(row[keys])}"
            )


def _equal(found: pd.Series, expected: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(expected) and pd.api.types.is_numeric_dtype(found):
        a, b = found.astype(float), expected.astype(float)
        return np.isclose(a, b, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    return ((found == expected) | (found.isna() & expected.isna())).to_numpy()


def _agree(expected: Any, found: Any) -> bool:
    """Whether two fields are equal but for rounding, in texts too."""
    if isinstance(expected, float) and isinstance(found, int | float):
        return abs(expected - found) <= _ABSOLUTE
    if isinstance(expected, str) and isinstance(found, str):
        return re.sub(r"\d+", "0", expected) == re.sub(r"\d+", "0", found)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_agree, expected, found))
    return expected == found
