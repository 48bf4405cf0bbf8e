"""Kinds of groups: what is pooled, over groups or over tests, is of one kind.

Groups of a kind learn the same from the same, or were all followed over a training elsewhere, or
are all given as they are. A mean over groups of different kinds would be of nothing in particular.
"""

from __future__ import annotations

import pandas as pd

from convergent_learning.tables.stages import rows_of
from convergent_learning.tables.storage import Tables

_LEARNED = ["labels", "images", "objective"]
SUPERVISED = ("true", "natural", "supervised")  # of these
_ORDINARY = (*SUPERVISED, True)  # and followed


def kinds(groups: pd.DataFrame) -> pd.Series:
    """The kind of each row of the table of groups."""
    about = groups[_LEARNED].assign(followed=groups.final_step > 0)
    return pd.Series([*about.itertuples(index=False, name=None)], index=groups.index, dtype=object)


def supervised_groups(groups: pd.DataFrame) -> list[str]:
    """The groups that learn the true labels of natural images, of the table of groups."""
    return [*groups.group[(groups[_LEARNED] == [*SUPERVISED]).all(axis=1)]]


def of_one_kind(tables: Tables) -> Tables:
    """The rows of groups of one kind.

    Networks that learn the true labels of natural images, if there are any; else those that are
    trained here on the first other task; else those that were followed over a training elsewhere;
    else those that are given as they are.

    tables : with the table of groups, whose kinds are the same in all datasets
    """
    groups = tables["groups"]
    kind = kinds(groups)
    here = [each for each in kind if each[2] not in ("", "none")]
    elsewhere = [each for each in kind if each[2] == "" and each[3]]
    chosen = _ORDINARY if _ORDINARY in here else [*here, *elsewhere, *kind][0]
    kept = set(groups.group[kind == chosen])
    return {name: rows_of(frame, kept) for name, frame in tables.items()}
