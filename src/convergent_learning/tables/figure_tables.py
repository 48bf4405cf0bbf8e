"""From score files to the tables of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convergent_learning.tables.figure_data import FigureData, Scores
from convergent_learning.tables.scores import read_scores
from convergent_learning.tables.storage import read_accuracy, read_tables, write_table


def write_tables(
    figure: FigureData,
    scores: Sequence[str | Path],
    tables: str | Path,
    accuracy: Sequence[str | Path] = (),
    shuffled: Sequence[str | Path] = (),
) -> None:
    """Write the tables of one figure: per pair of networks, and the drawn means with intervals.

    Parameters
    ----------
    figure : FigureData
        What the figure's module declares.
    scores : sequence of path
        Score files (parquet) that hold at least what the figure shows; more does no harm. Of
        `Scores.RECORDINGS`, those of `activations.recorded`.
    tables : path
        The tables folder: the figure's facts are read from it, and its tables written to it.
    accuracy : sequence of path
        Accuracy files (CSV), whole or in parts, of a figure that needs them.
    shuffled : sequence of path
        Score files of `activations.shuffled`. Scores of a figure that can be calibrated are judged
        against them; without any, tables of calibrated scores that lie there are removed.

    Raises
    ------
    ValueError
        If a file is missing, truncated or lacks a column, or names an unknown layer, group or
        dataset.
    """
    facts = read_tables(tables, figure.facts)
    if figure.accuracy:
        if not accuracy:
            first = next(iter(figure.tables))
            raise ValueError(f"{first} needs accuracy files: give the `accuracy` argument")
        facts["accuracy"] = read_accuracy(accuracy)
    if figure.scores is Scores.RECORDINGS:
        made = figure.made([Path(path) for path in scores], facts)
    else:
        rows = read_scores(scores, rotated=figure.rotated, context=figure.context)
        made = figure.made(rows, facts, read_scores(shuffled) if shuffled else None)
    for name, frame in made.items():
        write_table(frame, tables, name)
    # Those of an earlier run with permutations would be taken for this one's.
    for name in figure.calibrated:
        if name not in made:
            (Path(tables) / f"{name}.csv").unlink(missing_ok=True)
