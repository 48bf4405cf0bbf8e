"""Figure 2: the metrics across depth, with untrained networks and the shuffled null."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convergent_learning.figures import common, style, words
from convergent_learning.tables.figure_data import FigureData, Scores
from convergent_learning.tables.pairs import depth_null, depth_pairs
from convergent_learning.tables.schema import named
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_tables
from convergent_learning.tables.summaries import depth_means
from convergent_learning.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

TITLE = "Metrics across depth"
ABOUT = (
    "Held-out correlation of each layer by metric, after training and untrained, with stimuli "
    "shuffled, within and across architectures. Bands and bars: 95% intervals over networks "
    "(delete-one-network jackknife)."
)
DATA = FigureData(
    tables=named("fig2_pairs", "fig2", "fig2_null", "fig2_calibrated"),
    scores=Scores.ENDS,
    context=True,
    pairs=depth_pairs,
    null=depth_null,
    calibrated=("fig2_null", "fig2_calibrated"),
    summaries=depth_means,
)

_LABEL = "held-out correlation"
_ABSENCE = "no layers of\nequal width"
_JUDGED = "layers and metrics within a group at the last step"
_LEAST_MM, _MOST_MM, _PAGE_MM = 28, 38, 210  # of a row, and of all rows on a page
_MANY = 15  # pairs of groups: those of six
_LETTER_MM, _LINE_MM = 1.2, 4  # of a legend


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 2 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(
        tables, ["layers", "fig2"], _height, _panels, out_pdf, out_png, provenance
    )


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    fig2, groups, layers = read_tables(tables, ["fig2", "groups", "layers"]).values()
    within = fig2[fig2.group_x == fig2.group_y]
    across = fig2[["group_x", "group_y"]].drop_duplicates()
    many = (across.group_x != across.group_y).sum() > 1
    lines = " (a colour and marker for each two, intervals in the table)" if many else ""
    null = fig2[(fig2.baseline == "shuffled") & (fig2.center == "position")]["mean"].abs().max()
    shuffled = (
        f"; dotted grey, stimuli shuffled (at most {null:.3f} from 0)" if null == null else ""
    )
    return (
        "Alignment across depth by metric: mean over target units of the held-out "
        "correlation between mapped and actual responses, both directions averaged. Rows: pairs "
        f"of networks within a group; pairs across groups{lines}, each layer with the "
        f"one nearest in depth. Solid, {words.finished(groups)}; dashed, the same networks "
        f"untrained{shuffled}; thin coloured line, unit-centred scores of the former, which credit "
        "the mean image that all networks share. Shaded: pooled features (squares) and logits "
        "(triangles), which are no blocks. "
        f"{words.sizes(within, 'group_x')}{_across(fig2, [*layers.group])} "
        f"{words.interval_sentence(fig2)}"
        f"{words.calibration_sentence(tables, 'fig2_calibrated', _JUDGED)}"
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    kept, whose = words.of_one_kind(tables, "fig2")
    rows = kept["fig2"]
    own = rows[
        (rows.group_x == rows.group_y)
        & (rows.baseline == "learned")
        & (rows.center == "position")
        & (rows.role == "block")
        & rows.metric.isin(style.metrics(rows))
    ]
    means = own.groupby(["metric", own.stage == TRAINED])["mean"].mean()
    said = [
        f"{style.metric_label(metric)} {value:.2f} {words.when(trained, kept['groups'])}"
        for (metric, trained), value in means.items()
    ]
    return (
        "Curves of the score across depth, a column for each metric and a row for each pair of "
        f"groups. Mean over blocks within groups{whose}: {'; '.join(said)}."
    )


def _across(fig2: pd.DataFrame, names: list[str]) -> str:
    """How many pairs the rows across groups rest on; `names` has the order of the groups."""
    across = fig2[fig2.group_x != fig2.group_y]
    pairs = across.groupby(["group_x", "group_y"], sort=False).n_pairs.max()
    shown = _shown(_across_groups(fig2, names))
    said = [f"{style.pair(x, y)}, {counted(int(pairs[x, y]), 'pair')}" for x, y in shown]
    others = len(pairs) - len(shown)
    left = f" ({others} more pairs of groups are in the table)" if others else ""
    return f" Across: {'; '.join(said)}{left}." if said else ""


def _rows(tables: Tables) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs of groups with a row each: those within groups, and one across; and those of many."""
    names = common.groups(tables)
    fig2 = tables["fig2"]
    present = set(zip(fig2.group_x, fig2.group_y, strict=True))
    within = [(a, a) for a in names if (a, a) in present]
    across = _across_groups(fig2, names)
    if len(across) > 1:
        return within, _shown(across)
    return within + across or [(a, a) for a in names], []


def _across_groups(fig2: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of different groups in a table, in the order of the groups."""
    there = set(zip(fig2.group_x, fig2.group_y, strict=True))
    pairs = itertools.product(dict.fromkeys(names), repeat=2)
    return [(a, b) for a, b in pairs if a != b and (a, b) in there]


def _shown(across: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs of groups that can be told apart: all of a few, else those with the first group."""
    return across if len(across) <= _MANY else [pair for pair in across if across[0][0] in pair]


def _heights(tables: Tables) -> list[float]:
    """Of the rows of single pairs with the legend, and of that of many pairs with its own."""
    rows, many = _rows(tables)
    each = max(_LEAST_MM, min(_MOST_MM, _PAGE_MM / (len(rows) + bool(many))))
    below = each + 10 + _LINE_MM * -(-len(many) // _key_columns(many)) if many else 0
    return [12 + each * len(rows), below]


def _height(tables: Tables) -> float:
    return sum(_heights(tables))


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    rows, many = _rows(tables)
    if not many:
        _draw_rows(figure, tables, rows)
    elif not rows:
        _draw_across(figure, tables, many, 0)
    else:
        above, below = style.split(figure, 2, 1, height_ratios=_heights(tables))
        _draw_rows(above, tables, rows)
        _draw_across(below, tables, many, len(rows))


def _draw_rows(figure: Figure | SubFigure, tables: Tables, pairs: list[tuple[str, str]]) -> None:
    axes, fig2 = _axes(figure, tables, len(pairs)), tables["fig2"]
    metrics = style.metrics(fig2)
    for row, (x, y) in enumerate(pairs):
        style.panel(axes[row, 0], style.nth_letter(row), axes[row, 0].get_title())
        layers = tables["layers"][tables["layers"].group == x]
        of_pair = fig2[(fig2.group_x == x) & (fig2.group_y == y)]
        for ax, metric in zip(axes[row], metrics, strict=True):
            common.depth_axis(ax, layers)
            scores = of_pair[of_pair.metric == metric]
            if scores.empty:
                style.note(ax, _ABSENCE)
            else:
                _curves(ax, scores, layers, metric)
    names = [common.title(tables, x) if x == y else style.pair(x, y) for x, y in pairs]
    common.name_rows(figure, axes[:, 0], names, _LABEL)
    common.legend_below(figure, _key(tables), 6)


def _draw_across(
    figure: Figure | SubFigure, tables: Tables, pairs: list[tuple[str, str]], row: int
) -> None:
    """Many pairs of groups in one row: a colour and a marker for each."""
    [axes], fig2, names = _axes(figure, tables, 1), tables["fig2"], []
    metrics = style.metrics(fig2)
    for place, (x, y) in enumerate(pairs):
        colour, marker = style.nth_of_many(place)
        names.append(common.key(style.pair(x, y), color=colour, marker=marker, linewidth=0.7))
        of_pair = fig2[(fig2.group_x == x) & (fig2.group_y == y)]
        for ax, metric in zip(axes, metrics, strict=True):
            _thin_curves(ax, of_pair[of_pair.metric == metric], colour, marker)
    for ax in axes:
        common.depth_axis(ax, tables["layers"].iloc[:0])
        if len(ax.lines) == 1:  # zero
            style.note(ax, _ABSENCE)
    style.panel(axes[0], style.nth_letter(row), axes[0].get_title())
    axes[0].set_ylabel(f"across groups\n{_LABEL}")
    common.legend_below(figure, names, _key_columns(pairs))


def _axes(figure: Figure | SubFigure, tables: Tables, rows: int) -> np.ndarray:
    """A column for each metric, named above the first of the rows; all have one scale."""
    metrics = style.metrics(tables["fig2"])
    axes = figure.subplots(rows, len(metrics), sharex=True, sharey=True, squeeze=False)
    for ax, metric in zip(axes[0], metrics, strict=True):
        ax.set_title(style.metric_label(metric))
    for ax in axes.flat:
        ax.axhline(0, color=style.GREY, linewidth=0.5)
    axes[0, 0].set_ylim(min(-0.05, tables["fig2"]["low"].clip(lower=-0.2).min()), 1.02)
    for ax in axes[-1]:
        ax.set_xlabel("relative depth")
    return axes


def series(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The curves of one metric and pair of groups, without those that have no points.

    rows : of fig2 with their stages
    """
    trained = rows.stage == TRAINED
    learned, centred = rows.baseline == "learned", rows.center == "position"
    curves = {
        "trained": rows[learned & centred & trained],
        "untrained": rows[learned & centred & (rows.stage == UNTRAINED)],
        "shuffled stimuli": rows[~learned & centred & trained],
        "trained, unit-centred": rows[learned & ~centred & trained],
    }
    return {name: points for name, points in curves.items() if len(points)}


def joined(layers: pd.DataFrame, points: pd.DataFrame) -> bool:
    """Whether all blocks have a score: permutation across groups has points, and no curve."""
    return set(layers[layers.role == "block"].layer) <= set(points.layer_x)


def _curves(ax: Axes, rows: pd.DataFrame, layers: pd.DataFrame, metric: str) -> None:
    colour, grey = style.metric_colour(metric), style.GREY
    curves = series(rows)
    empty = rows.iloc[:0]
    trained = curves.get("trained", empty)
    join = joined(layers, trained)
    untrained = curves.get("untrained", empty)
    common.along_depth(ax, untrained, grey, join=join, linestyle="--", marker=".", zorder=2.5)
    shuffled = _blocks(curves.get("shuffled stimuli", empty))
    ax.plot(shuffled.depth, shuffled["mean"], ":", color=grey)
    common.band(ax, shuffled.depth, shuffled["low"], shuffled["high"], grey)
    unit = _blocks(curves.get("trained, unit-centred", empty))
    ax.plot(unit.depth, unit["mean"], "-", color=colour, linewidth=0.6)
    common.along_depth(ax, trained, colour, join=join)


def _thin_curves(ax: Axes, rows: pd.DataFrame, colour: str, marker: str) -> None:
    """The blocks of one of many pairs of groups: no bands, which would hide each other."""
    curves = series(rows)
    for name, look in (("untrained", "--"), ("trained", f"-{marker}")):
        if name in curves:
            curve = _blocks(curves[name]).sort_values("depth")
            ax.plot(curve.depth, curve["mean"], look, color=colour, linewidth=0.7, ms=2.2)


def _key_columns(pairs: list[tuple[str, str]]) -> int:
    """Columns of the legend of pairs that their names leave room for."""
    longest = max(len(style.pair(*pair)) for pair in pairs)
    return max(1, int(style.TWO_COLUMNS / (_LETTER_MM * longest + 10)))


def _blocks(points: pd.DataFrame) -> pd.DataFrame:
    return points[points.role == "block"]


def _key(tables: Tables) -> list[Line2D]:
    finished = words.finished(tables["groups"])
    return [
        common.key(finished, marker="o"),
        common.key(f"{finished}, unit-centred", linewidth=0.6),
        common.key("untrained", color=style.GREY, linestyle="--", marker="."),
        common.key("shuffled stimuli", color=style.GREY, linestyle=":"),
        common.key("pooled features", linestyle="", marker="s", mfc="white"),
        common.key("logits", linestyle="", marker="^", mfc="white"),
    ]
