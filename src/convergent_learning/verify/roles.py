"""What the columns of a table are to a comparison: keys, measured numbers, flags, exact values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from convergent_learning.alignment.registry import metrics
from convergent_learning.tables.schema import COLUMNS, read_csv

DUPLICATES = "duplicate_conditions"
TABLES = [*COLUMNS, DUPLICATES]
TILES = "fig1_stimuli.png"

# Columns that together name a row, wherever a table has them.
_KEY_COLUMNS = """
dataset group seed group_x seed_x group_y seed_y source_group
source_seed target_group target_seed step layer layer_x layer_y source_layer target_layer
metric center baseline stimuli condition duplicate_of third draw tile
"""

# Numbers that training decides, so that another machine moves them.
_MEASURED_COLUMNS = """
accuracy train_loss train_accuracy test_loss test_accuracy score n_dead_x n_dead_y mean low high
learned learned_low learned_high rotated rotated_low rotated_high difference difference_low
difference_high p p_adjusted id ood drop drop_low drop_high transfer transfer_drop shuffled
accuracy_id accuracy_drop accuracy_drop_low accuracy_drop_high slope slope_low slope_high intercept
early early_low early_high late late_low late_high n_conditions n_families
"""

# Of those, what metrics share the noise of: their differences are known more closely.
_SHARED_COLUMNS = """
score mean learned rotated difference id ood drop transfer transfer_drop shuffled slope early late
"""

_KEYS, _MEASURED = _KEY_COLUMNS.split(), _MEASURED_COLUMNS.split()
_SHARED = _SHARED_COLUMNS.split()
AMONG_METRICS = " among metrics"

# Yes or no, decided by a measured number: `near_chance` is compared by that number's distance from
# the boundary, `best` must follow from the pairs (`consistency`).
FLAGS = ("best", "near_chance")
# Columns by which tolerances are pooled, besides table, column, stage and band.
POOLED_BY = ("metric", "center", "baseline")


def keys(name: str, table: pd.DataFrame) -> list[str]:
    """Columns that name a row of table `name`."""
    if name == "datasets":  # whose `stimuli` is how many there are
        return ["dataset"]
    return [column for column in _KEYS if column in table]


def measured(name: str, table: pd.DataFrame) -> list[str]:
    """Columns compared within a tolerance."""
    if name == "datasets":
        return []
    named = [column for column in _MEASURED if column in table]
    return named + [column for column in table if column.endswith(AMONG_METRICS)]


def with_contrasts(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Table `name` with columns for what each metric gives beyond the mean of all that map.

    All metrics see the same networks, so that training moves them together: a number of one metric
    that moved alone, or a metric in another's place, shows here.
    """
    maps = table[~table.metric.isin(metrics(context=True))] if "metric" in table else table[:0]
    if maps.empty:
        return table
    shared = [column for column in measured(name, table) if column in _SHARED]
    row = [key for key in keys(name, table) if key != "metric"]
    contrasts = maps[shared] - maps.groupby(row, dropna=False)[shared].transform("mean")
    return table.join(contrasts.add_suffix(AMONG_METRICS))


def exact(name: str, table: pd.DataFrame) -> list[str]:
    """Columns that must be equal: counts, digests, and what no training changes."""
    others = {*keys(name, table), *measured(name, table), *FLAGS}
    return [column for column in table if column not in others]


def groups(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """For each row the pool that its tolerances come from: metric, center, baseline, stage, band.

    Stage is `untrained` at step 0, where the weights are the same on any machine, `first epoch`
    within it, where numbers move most, `final` at the last step of the table, else `trained`.
    Band is the third of the network (`early`, `middle`, `late`), `readout` for layers that are no
    block, the name of a mean over layers, or for accuracies `id` or `ood`.
    """
    pooled = {column: table[column].astype(str) if column in table else "" for column in POOLED_BY}
    stage = pd.Series("trained", index=table.index)
    if "epoch" in table:
        stage[table.epoch < 1] = "first epoch"
    if "step" in table:
        stage[table.step == table.groupby("dataset").step.transform("max")] = "final"
        stage[table.step == 0] = "untrained"
    return pd.DataFrame({**pooled, "stage": stage, "band": _band(name, table)}, index=table.index)


def read(folder: Path, name: str) -> pd.DataFrame:
    """Table `name` of `folder`, plain or compressed."""
    path = Path(folder) / f"{name}.csv"
    compressed = path.with_name(f"{path.name}.gz")
    path = compressed if compressed.exists() and not path.exists() else path
    if name == DUPLICATES:
        return pd.read_csv(path, dtype={"condition": str, "duplicate_of": str})
    return read_csv(path, name)


def figure_of(name: str) -> str:
    """The line of the summary that a table belongs to."""
    if name.startswith("fig"):
        return f"figure {name[3]}"
    return name if name == "accuracy" else "setting"


def row_name(row: pd.Series) -> str:
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
