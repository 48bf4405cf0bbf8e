"""Where networks stand in their training: groups may be trained for different numbers of steps."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

UNTRAINED, EPOCH_ONE, TRAINED = "untrained", "epoch 1", "trained"

# Columns that name the groups of a row: of one network or group, or of two.
_SIDES = (("group",), ("group_x", "group_y"), ("source_group", "target_group"))


def with_stage(rows: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Rows with the column `stage`: untrained, epoch 1, trained (the last step), or empty.

    Two networks stand at the last step of the one that is trained for longer.

    rows : of a table with steps; `groups` is the table of groups
    """
    known = [groups_of(rows, groups, side) for side in _sides(rows)]
    last = np.maximum.reduce([each.final_step.to_numpy() for each in known])
    epoch = known[0].steps_per_epoch.to_numpy()
    after_one = (rows.step == epoch) & (epoch > 0)
    stages = {TRAINED: rows.step == last, UNTRAINED: rows.step == 0, EPOCH_ONE: after_one}
    stage = np.select([*stages.values()], [*stages], "")
    return rows.assign(stage=stage)


def with_epoch(rows: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Rows with the column `epoch`, and with no step beyond the last one of their networks.

    At the last step of the experiment each network stands at its own last one. Where the length
    of an epoch is not known, `epoch` counts steps.

    rows : of networks at training steps; `groups` is the table of groups
    """
    known = [groups_of(rows, groups, side) for side in _sides(rows)]
    last = np.maximum.reduce([each.final_step.to_numpy() for each in known])
    step = np.minimum(rows.step.to_numpy(), last)
    return rows.assign(step=step, epoch=step / known[0].steps_per_epoch.to_numpy().clip(1))


def has_stages(rows: pd.DataFrame) -> bool:
    """Whether rows are of networks at training steps."""
    return "step" in rows and any(set(sides) <= set(rows) for sides in _SIDES)


def groups_of(rows: pd.DataFrame, groups: pd.DataFrame, column: str = "group") -> pd.DataFrame:
    """The row of the table of groups for each of `rows`, by its dataset and the group in `column`.

    Raises ValueError for a group that the table lacks.
    """
    known = groups.set_index(["dataset", "group"])
    wanted = pd.MultiIndex.from_frame(rows[["dataset", column]])
    unknown = ~wanted.isin(known.index)
    if unknown.any():
        dataset, group = wanted[unknown.argmax()]
        raise ValueError(f"group {group} of dataset {dataset} is not in groups.csv")
    return known.loc[wanted]


def rows_of(table: pd.DataFrame, groups: Collection[str]) -> pd.DataFrame:
    """Rows of which every group is among `groups`; all rows of a table without groups."""
    sides = next((sides for sides in _SIDES if set(sides) <= set(table)), ())
    return table[table[[*sides]].isin(groups).all(axis=1)]


def _sides(rows: pd.DataFrame) -> tuple[str, ...]:
    return next(sides for sides in _SIDES if set(sides) <= set(rows))
