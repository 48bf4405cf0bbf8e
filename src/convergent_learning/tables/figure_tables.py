"""From score files to the tables of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convergent_learning.tables.pairs import null_tables, pair_tables
from convergent_learning.tables.recordings import recording_tables
from convergent_learning.tables.schema import CALIBRATED, tables_of_figure
from convergent_learning.tables.scores import read_scores
from convergent_learning.tables.storage import read_accuracy, read_table, read_tables, write_table
from convergent_learning.tables.summaries import summaries

_WITH_ACCURACY = (5, 6)
_CONTEXT = 2  # the figure with context metrics in its table
_ROTATED = 3  # and that of the rotated basis
_RECORDED = 8


def write_tables(
    figure: int,
    scores: Sequence[str | Path],
    tables: str | Path,
    accuracy: Sequence[str | Path] = (),
    shuffled: Sequence[str | Path] = (),
) -> None:
    """Write the tables of one figure: per pair of networks, and the drawn means with intervals.

    Parameters
    ----------
    figure : int
        2 to 8.
    scores : sequence of path
        Score files (parquet) that hold at least what the figure shows; more does no harm. Of figure
        8, those of `activations.recorded`.
    tables : path
        The tables folder: datasets.csv, groups.csv and layers.csv (and conditions.csv for figure 6,
        fig5_pairs.csv for figure 8) are read from it, and the figure's tables written to it.
    accuracy : sequence of path
        Accuracy files (CSV), whole or in parts; figures 5 and 6 need them.
    shuffled : sequence of path
        Score files of `activations.shuffled`. Scores of figures 2 and 4 are judged against them;
        without any, tables of judged scores that lie there are removed.

    Raises
    ------
    ValueError
        If a file is missing, truncated or lacks a column, or names an unknown layer, group or
        dataset.
    """
    if figure in _WITH_ACCURACY and not accuracy:
        raise ValueError(f"figure {figure} needs accuracy files: give the `accuracy` argument")
    facts = read_tables(tables, ("datasets", "groups", "layers"))
    if figure in _WITH_ACCURACY:
        facts["accuracy"] = read_accuracy(accuracy)
    if figure == 6:
        facts["conditions"] = read_table(tables, "conditions")
    if figure == _RECORDED:
        facts["fig5_pairs"] = read_table(tables, "fig5_pairs")
        for name, frame in recording_tables(map(Path, scores), facts).items():
            write_table(frame, tables, name)
        return
    rows = read_scores(scores, rotated=figure == _ROTATED, context=figure == _CONTEXT)
    pairs = pair_tables(figure, rows, facts)
    if shuffled:
        pairs |= null_tables(figure, read_scores(shuffled), facts)
    made = pairs | summaries(figure, pairs, facts)
    for name, frame in made.items():
        write_table(frame, tables, name)
    # Those of an earlier run with permutations would be taken for this one's.
    for name in tables_of_figure(figure, calibrated=True):
        if name in CALIBRATED and name not in made:
            (Path(tables) / f"{name}.csv").unlink(missing_ok=True)
