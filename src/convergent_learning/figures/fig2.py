"""Figure 2: the four metrics across depth, with untrained networks and the shuffled null."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from convergent_learning.figures import common, style
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_table

_LABEL = "held-out correlation"
_JUDGED = "layers and metrics within a group after training"


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 2 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(
        tables, ["layers", "fig2"], _height, _panels, out_pdf, out_png, provenance
    )


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    fig2 = read_table(tables, "fig2")
    within = fig2[fig2.group_x == fig2.group_y]
    across = fig2[["group_x", "group_y"]].drop_duplicates()
    many = (across.group_x != across.group_y).sum() > 1
    lines = " (a line for each two, its interval in the table)" if many else ""
    null = fig2[(fig2.baseline == "shuffled") & (fig2.center == "position")]["mean"].abs().max()
    shuffled = (
        f"; dotted grey, stimuli shuffled (at most {null:.3f} from 0)" if null == null else ""
    )
    return (
        "Alignment across depth by four metrics: mean over target units of the held-out "
        "correlation between mapped and actual responses, both directions averaged. Rows: pairs "
        f"of networks within a group; pairs across groups{lines}, each layer with the "
        "one nearest in depth. Solid, after training; dashed grey, the same networks untrained"
        f"{shuffled}; thin coloured line, unit-centred scores after training, which credit the "
        "mean image that all networks share. Shaded: pooled features (squares) and logits "
        "(triangles), which are no blocks. "
        f"{common.sizes(within, 'group_x')}{_across(fig2)} "
        f"{common.interval_sentence(fig2)}"
        f"{common.calibration_sentence(tables, 'fig2_calibrated', _JUDGED)}"
    )


def _across(fig2: pd.DataFrame) -> str:
    """How many pairs the rows across groups rest on."""
    across = fig2[fig2.group_x != fig2.group_y]
    said = [
        f"{style.pair(x, y)}, {int(rows.n_pairs.max())} pairs"
        for (x, y), rows in across.groupby(["group_x", "group_y"], sort=False)
    ]
    return f" Across: {'; '.join(said)}." if said else ""


def _rows(tables: Tables) -> list[list[tuple[str, str]]]:
    """Pairs of groups by row: each with itself, then across; those of many share a row."""
    names = common.groups(tables)
    fig2 = tables["fig2"]
    present = set(zip(fig2.group_x, fig2.group_y, strict=True))
    within = [[(a, a)] for a in names if (a, a) in present]
    across = [(a, b) for a in names for b in names if a != b and (a, b) in present]
    together = [across] if len(across) > 1 else [[pair] for pair in across]
    return within + together


def _height(tables: Tables) -> float:
    return 12 + 38 * max(len(_rows(tables)), 1)


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    rows = _rows(tables) or [[(a, a)] for a in common.groups(tables)]
    axes = figure.subplots(len(rows), len(style.METRICS), sharex=True, sharey=True, squeeze=False)
    fig2 = tables["fig2"]
    for row, pairs in enumerate(rows):
        for column, metric in enumerate(style.METRICS):
            ax = axes[row, column]
            letter = style.nth_letter(row) if column == 0 else ""
            style.panel(ax, letter, style.metric_label(metric) if row == 0 else "")
            ax.axhline(0, color=style.GREY, linewidth=0.5)
            for x, y in pairs:
                layers = tables["layers"][tables["layers"].group == x]
                of_pair = fig2[(fig2.group_x == x) & (fig2.group_y == y)]
                of_metric = of_pair[of_pair.metric == metric]
                if len(pairs) > 1:
                    _thin_curves(ax, of_metric, metric)
                else:
                    common.depth_axis(ax, layers)
                    _curves(ax, of_metric, layers, metric)
        axes[row, 0].set_ylabel(f"{_row_label(tables, pairs)}\n{_LABEL}")
    axes[0, 0].set_ylim(min(-0.05, fig2["low"].clip(lower=-0.2).min()), 1.02)
    for ax in axes[-1]:
        ax.set_xlabel("relative depth")
    common.legend_below(figure, _key(), 6)


def _row_label(tables: Tables, pairs: list[tuple[str, str]]) -> str:
    if len(pairs) > 1:
        return "across groups"
    [(x, y)] = pairs
    return common.title(tables, x) if x == y else style.pair(x, y)


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
    if rows.empty:
        style.note(ax, "no layers of\nequal width")
        return
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


def _thin_curves(ax: Axes, rows: pd.DataFrame, metric: str) -> None:
    """The blocks of one of many pairs of groups: no bands, which would hide each other."""
    colours = {"untrained": style.GREY, "trained": style.metric_colour(metric)}
    curves = series(rows)
    for name, dashes in (("untrained", "--"), ("trained", "-")):
        if name in curves:
            curve = _blocks(curves[name]).sort_values("depth")
            ax.plot(curve.depth, curve["mean"], dashes, color=colours[name], linewidth=0.7)


def _blocks(points: pd.DataFrame) -> pd.DataFrame:
    return points[points.role == "block"]


def _key() -> list[Line2D]:
    return [
        common.key("trained", marker="o"),
        common.key("trained, unit-centred", linewidth=0.6),
        common.key("untrained", color=style.GREY, linestyle="--", marker="."),
        common.key("shuffled stimuli", color=style.GREY, linestyle=":"),
        common.key("pooled features", linestyle="", marker="s", mfc="white"),
        common.key("logits", linestyle="", marker="^", mfc="white"),
    ]
