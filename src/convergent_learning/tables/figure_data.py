"""What a figure is drawn from: the scores behind it, its tables, and how they follow from these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pandas as pd

from convergent_learning.tables.pairs import with_facts
from convergent_learning.tables.schema import COLUMNS, Table, declare
from convergent_learning.tables.storage import Tables

FACTS = ("datasets", "groups", "layers")


class Scores(Enum):
    """Scores that the tables of a figure are made from."""

    NONE = "none: other rules make its tables"
    ENDS = "of the unaltered images, at step 0 and the last"
    TRAINING = "of the unaltered images, at every checkpoint"
    CONDITIONS = "of the unaltered images and of every condition, at the last step"
    RECORDINGS = "of networks with recordings"


class Needs(Enum):
    """What an experiment must have for a figure to be part of it."""

    NOTHING = "nothing"
    GROUPS_ALIKE = "a group of the supervised group's architecture beside it"
    RECORDINGS = "recordings"


@dataclass(frozen=True, kw_only=True)
class FigureData:
    """What a module of figures declares as `DATA`.

    Parameters
    ----------
    tables : mapping of str to Table
        The figure's own tables. Tables that the schema does not have are added to it.
    pictures : sequence of str
        Files beside the tables that other rules make and the figure shows.
    facts : sequence of str
        Other tables that are read for its own tables, or to draw it.
    scores : Scores
        What `pairs` is called with.
    pairs : callable
        (scores, facts) -> tables. `scores` is a DataFrame of fold-averaged scores
        (`tables.scores.read_scores`) with the columns of `with_facts`. Of recordings, they are the
        paths of the score files, and all tables are returned.
    summaries : callable
        (tables of `pairs`, facts) -> the tables that follow from them; `make verify` makes them
        again.
    null : callable
        (scores with permuted stimuli, facts) -> the tables that scores are judged against.
    calibrated : sequence of str
        Names of the tables that only experiments with permuted stimuli have.
    accuracy : bool
        Whether `facts` also holds accuracies on the same stimuli.
    rotated : bool
        Whether `scores` holds those of the rotated basis.
    context : bool
        Whether `scores` holds those of context metrics.
    needs : Needs
        Which experiments have the figure.

    Raises
    ------
    ValueError
        If it has scores and no `pairs` or the reverse, `null` and no `calibrated` or the reverse,
        or a table that the schema refuses.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    facts: tuple[str, ...] = FACTS
    scores: Scores = Scores.NONE
    pairs: Callable[..., Tables] | None = None
    summaries: Callable[[Tables, Tables], Tables] | None = None
    null: Callable[[pd.DataFrame, Tables], Tables] | None = None
    calibrated: tuple[str, ...] = ()
    accuracy: bool = False
    rotated: bool = False
    context: bool = False
    needs: Needs = Needs.NOTHING

    def __post_init__(self) -> None:
        if (self.scores is Scores.NONE) != (self.pairs is None):
            raise ValueError("a figure has `scores`, and `pairs` that makes its tables, or neither")
        if (self.null is None) != (not self.calibrated):
            raise ValueError("a figure has `null` and `calibrated`, its tables, or neither")
        declare(self.tables)

    def names(self, calibrated: bool) -> list[str]:
        """Names of the tables, with those of calibrated scores or without."""
        return [name for name in self.tables if calibrated or name not in self.calibrated]

    def made(
        self,
        scores: pd.DataFrame | Iterable[Path],
        facts: Tables,
        shuffled: pd.DataFrame | None = None,
    ) -> Tables:
        """All tables, with the columns of the schema; parameters as in `pairs` and `null`."""
        tables = self.paired(scores, facts, shuffled)
        if self.scores is Scores.RECORDINGS:
            return tables
        return tables | self.summarised(tables, facts)

    def paired(
        self,
        scores: pd.DataFrame | Iterable[Path],
        facts: Tables,
        shuffled: pd.DataFrame | None = None,
    ) -> Tables:
        """The tables that `pairs` and `null` make, with the columns of the schema."""
        assert self.pairs is not None, "a figure with scores says what to make of them"
        known = with_facts(scores, facts) if isinstance(scores, pd.DataFrame) else scores
        tables = self.pairs(known, facts)
        if shuffled is not None and self.null is not None:
            tables |= self.null(with_facts(shuffled, facts), facts)
        return _in_order(tables)

    def summarised(self, tables: Tables, facts: Tables) -> Tables:
        """The tables that follow from those of pairs, with the columns of the schema."""
        return {} if self.summaries is None else _in_order(self.summaries(tables, facts))


def _in_order(tables: Tables) -> Tables:
    """With the columns of the schema alone; ValueError naming a table or column that is missing."""
    if unknown := sorted(tables.keys() - COLUMNS.keys()):
        raise ValueError(f"table {', '.join(unknown)}: not declared in `tables` of FigureData")
    for name, frame in tables.items():
        if missing := [each for each in COLUMNS[name] if each not in frame and len(frame)]:
            raise ValueError(f"table {name}: nothing makes its column {', '.join(missing)}")
    return {name: frame.reindex(columns=COLUMNS[name]) for name, frame in tables.items()}
