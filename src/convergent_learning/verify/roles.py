"""What the columns of a table are to a comparison: keys, measured numbers, flags, exact values."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd
from pandas.api.types import is_numeric_dtype

from convergent_learning.alignment.registry import metrics
from convergent_learning.figures import schema
from convergent_learning.tables.schema import COLUMNS, Role, column, with_role
from convergent_learning.tables.stages import UNTRAINED

TILES = "fig1_stimuli.png"
AMONG_METRICS = " among metrics"
# What the rows of a pool share, besides table and column: their spread is measured together.
POOLED_BY = ("metric", "center", "baseline", "stage", "group", "layer")
POOL = ["table", "column", *POOLED_BY]
NUMBER, INTERVAL_END, CONTRAST = KINDS = "number", "interval end", "contrast"
_TABLES = schema()
_GROUPS = ("group", "group_x", "group_y", "source_group", "target_group")
_ENDS = {"ci_low", "ci_high", *(end for table in _TABLES for end in with_role(table, Role.END))}


def keys(name: str) -> list[str]:
    """Columns that together name a row of table `name`."""
    return with_role(name, Role.KEY)


def measured(name: str, table: pd.DataFrame) -> list[str]:
    """Columns of `table` compared within a tolerance."""
    named = [each for each in COLUMNS[name] if column(name, each).measured]
    return named + [each for each in table if each.endswith(AMONG_METRICS)]


def with_contrasts(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Table `name` with columns for what each metric gives beyond the mean of all that map.

    All metrics see the same networks, so that training moves them together: a number of one metric
    that moved alone, or a metric in another's place, shows here.
    """
    maps = table[~table.metric.isin(metrics(context=True))] if "metric" in table else table[:0]
    if maps.empty:
        return table
    shared = with_role(name, Role.SHARED)
    row = [key for key in keys(name) if key != "metric"]
    contrasts = maps[shared] - maps.groupby(row, dropna=False)[shared].transform("mean")
    return table.join(contrasts.add_suffix(AMONG_METRICS))


def exact(name: str, table: pd.DataFrame) -> list[str]:
    """Columns that must be equal: counts, digests, and what no training changes.

    Of the flags, `near_chance` is compared by its number's distance from the boundary, and `best`
    must follow from the pairs (`consistency`).
    """
    others = {*keys(name), *measured(name, table), *with_role(name, Role.FLAG)}
    return [each for each in table if each not in others]


def pools(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """For each row the pool that it belongs to: the columns `POOLED_BY`, empty where it has none.

    Stage is `untrained` at step 0, where the weights are the same on any machine, `first epoch`
    within it, where numbers move most, `final` at the last step of its groups, else `trained`.
    Of two groups, or two layers, the group is named by both and the layer is the second one's if
    the first is mapped onto it; rows without layers are pooled by third or family of stimuli.
    """
    pooled = {each: table[each].astype(str) if each in table else "" for each in POOLED_BY}
    stage = pd.Series("trained", index=table.index)
    if "epoch" in table:
        stage[table.epoch < 1] = "first epoch"
    if "step" in table:
        named = [each for each in _GROUPS if each in table]
        stage[table.step == table.groupby(["dataset", *named]).step.transform("max")] = "final"
        stage[table.step == 0] = UNTRAINED
    pooled |= {"stage": stage, "group": _group(table), "layer": _layer(table)}
    return pd.DataFrame(pooled, index=table.index)


def kind(column: str) -> str:
    """`interval end`, `contrast` (of a metric with the others) or `number`.

    The ends of an interval from three networks move by up to t(2 degrees of freedom) = 4.3 standard
    errors, whose own error is large: their tails are much heavier than those of other numbers.
    """
    if column.endswith(AMONG_METRICS):
        return CONTRAST
    return INTERVAL_END if column in _ENDS else NUMBER


def figure_of(name: str) -> str:
    """The line of the summary that a table belongs to."""
    if name.startswith("fig"):
        number = re.match(r"fig(\d+)", name)
        return f"figure {number[1]}" if number else "setting"
    return name if name in ("accuracy", "anchors") else "setting"


def row_name(row: Iterable[object]) -> str:
    """A row's keys as text, empty ones left out."""
    return " ".join(str(value) for value in row if str(value))


def _group(table: pd.DataFrame) -> pd.Series | str:
    for x, y in (("group_x", "group_y"), ("source_group", "target_group")):
        if x in table:
            return table[x].where(table[x] == table[y], table[x] + "–" + table[y])
    return table.group if "group" in table else ""


def _layer(table: pd.DataFrame) -> pd.Series | str:
    for name in ("target_layer", "layer_x", "layer", "third", "family", "stimuli"):
        if name in table and not is_numeric_dtype(table[name]):
            return table[name]
    return ""
