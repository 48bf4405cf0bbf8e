"""Words for captions and text alternatives, with numbers taken from the tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from convergent_learning.figures import style
from convergent_learning.tables.kinds import of_one_kind as groups_of_one_kind
from convergent_learning.tables.storage import (
    Tables,
    read_table,
    read_tables,
    tables_in,
    with_stages,
)
from convergent_learning.words import counted

INTERVAL = (
    "Bands and bars are 95% intervals of the mean over pairs (delete-one-network jackknife, "
    "stratified by group); one that reaches the frame goes on beyond it."
)


def finished(groups: pd.DataFrame) -> str:
    """What networks of these rows of the table of groups are called at their last step."""
    given = groups.final_step == 0
    if given.all():
        return "as given"
    return "trained or as given" if given.any() else "trained"


def sizes(frame: pd.DataFrame, by: str = "group") -> str:
    """How many networks and pairs of each group a figure rests on, in words."""
    alike: dict[str, list[str]] = {}
    for name, rows in frame.groupby(by, sort=False):
        networks, pairs = int(rows.n_networks.max()), int(rows.n_pairs.max())
        n = f"{counted(networks, 'network')} ({counted(pairs, 'pair')})"
        alike.setdefault(n, []).append(style.group(str(name)))
    said = (f"{', '.join(names)}, {n}{' each' * (len(names) > 1)}" for n, names in alike.items())
    return f"n of each group, whose networks differ in their seed alone: {'; '.join(said)}."


def probe_sentence(folder: str | Path) -> str:
    """Whose accuracies are those of a linear probe, with a space before; "" if nobody's are."""
    groups = read_table(folder, "groups")
    names = groups.group[~groups.objective.isin(("supervised", "none", ""))].unique()
    if not len(names):
        return ""
    printed = ", ".join(style.group(name) for name in names)
    return f" Of {printed}, which learned without labels, accuracies are those of a linear probe."


def calibration_sentence(folder: str | Path, table: str, what: str) -> str:
    """Whether scores of a figure are judged against permuted stimuli, and how many chance reaches.

    what : the rows of `table`, one of those of calibrated scores
    """
    judged = read_table(folder, table) if table in tables_in(folder) else pd.DataFrame({"p": []})
    judged = judged.dropna(subset="p")
    if judged.empty:
        return " No score is calibrated."
    passing = int((judged.calibrated > 0).sum())
    return (
        f" Calibrated scores, against {judged.n_draws.max():.0f} permutations of the stimuli, are "
        f"in {table}.csv, and above 0 in {passing} of {len(judged)} {what}; those drawn are not "
        "calibrated."
    )


def interval_sentence(frame: pd.DataFrame, low: str = "low") -> str:
    """What the intervals are, or why there are none."""
    if frame[low].notna().any():
        return INTERVAL
    return "No intervals: they need 3 networks of each group."


def by_third(rows: pd.DataFrame, value: str) -> str:
    """A value of each group in each third of the blocks; "" if there is none."""
    known = rows[rows[value].notna()]
    said = zip(known.group, known[value], known.third, strict=True)
    return "; ".join(f"{style.group(g)} {v:.2f} in the {third} third" for g, v, third in said)


def when(finished: bool, groups: pd.DataFrame) -> str:
    """The stage of networks of the groups: `finished`, at their last step, or untrained."""
    if (groups.final_step == 0).all():
        return "as given"
    return f"{'after' if finished else 'before'} training"


def of_one_kind(tables: str | Path, *names: str) -> tuple[Tables, str]:
    """Tables of the groups that claims are judged on, and which these are if there are others."""
    every = with_stages(read_tables(tables, ("groups", *names)))
    kept = groups_of_one_kind(every)
    groups = kept["groups"].group.unique()
    others = every["groups"].group.nunique() - len(groups)
    return kept, f" of {', '.join(map(style.group, groups))}" if others else ""
