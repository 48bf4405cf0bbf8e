"""What the columns of a table are to a comparison: keys, measured numbers, flags, exact values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from convergent_learning.alignment.registry import metrics
from convergent_learning.tables.schema import COLUMNS, Role, column, with_role

TILES = "fig1_stimuli.png"
AMONG_METRICS = " among metrics"
# Columns by which tolerances are pooled, besides table, column, stage and band.
POOLED_BY = ("metric", "center", "baseline")


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
    """For each row the pool that its tolerances come from: metric, center, baseline, stage, band.

    Stage is `untrained` at step 0, where the weights are the same on any machine, `first epoch`
    within it, where numbers move most, `final` at the last step of the table, else `trained`.
    Band is the third of the network (`early`, `middle`, `late`), `readout` for layers that are no
    block, the name of a mean over layers, or for accuracies `id` or `ood`.
    """
    pooled = {each: table[each].astype(str) if each in table else "" for each in POOLED_BY}
    stage = pd.Series("trained", index=table.index)
    if "epoch" in table:
        stage[table.epoch < 1] = "first epoch"
    if "step" in table:
        stage[table.step == table.groupby("dataset").step.transform("max")] = "final"
        stage[table.step == 0] = "untrained"
    return pd.DataFrame({**pooled, "stage": stage, "band": _band(name, table)}, index=table.index)


def figure_of(name: str) -> str:
    """The line of the summary that a table belongs to."""
    if name.startswith("fig"):
        return f"figure {name[3]}"
    return name if name in ("accuracy", "anchors") else "setting"


def row_name(row: Iterable[object]) -> str:
    """A row's keys as text, empty ones left out."""
    return " ".join(str(value) for value in row if str(value))


def _band(name: str, table: pd.DataFrame) -> pd.Series:
    if "role" not in table and "target_role" not in table:
        if "third" in table:
            return table.third
        identity = table.stimuli == "id" if "stimuli" in table else pd.Series(True, table.index)
        return identity.map({True: "id", False: "ood"})
    side = "" if "role" in table else "target_"
    return pd.Series(
        list(_bands(table, f"{side}role", f"{side}depth", f"{side}layer")), index=table.index
    )


def _bands(table: pd.DataFrame, role: str, depth: str, layer: str) -> Iterator[str]:
    # Means over layers have no depth; `layer` is layer_x where a table has two sides.
    names = table[layer] if layer in table else table["layer_x"]
    for own_role, own_depth, name in zip(table[role], table[depth], names, strict=True):
        if pd.isna(own_depth):
            yield name
        elif own_role != "block":
            yield "readout"
        else:
            yield ("early", "middle", "late")[min(int(own_depth * 3), 2)]
