"""Figure 6: out-of-distribution inputs, the drop along depth and against the loss of accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convergent_learning.figures import common, style, words
from convergent_learning.tables.drops import NEAR_CHANCE_IN_WORDS
from convergent_learning.tables.figure_data import FACTS, FigureData, Scores
from convergent_learning.tables.pairs import condition_pairs
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.schema import named
from convergent_learning.tables.storage import Tables, read_table, read_tables
from convergent_learning.tables.summaries import condition_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

TITLE = "Out-of-distribution stimuli"
ABOUT = (
    "Drop of the Procrustes score from the unaltered images to each condition, by depth and "
    "against the drop in accuracy, for the first and the last third of the layers. Bands and "
    "bars: 95% intervals over networks; those of means and slopes over conditions also leave "
    "out one family at a time."
)
DATA = FigureData(
    tables=named("fig6_pairs", "fig6", "fig6_conditions", "fig6_slopes"),
    facts=(*FACTS, "conditions"),
    scores=Scores.CONDITIONS,
    accuracy=True,
    pairs=condition_pairs,
    summaries=condition_means,
)

_METRIC = "procrustes"
# Colour of a condition (family and level).
Shades = dict[tuple[str, str], tuple[float, float, float]]
_TITLES = ("each condition", "mean of conditions", "early third", "late third")


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 6 from the tables folder into a PDF and a PNG."""
    names = ["layers", "conditions", "fig6", "fig6_conditions", "fig6_slopes"]
    common.draw_by_dataset(tables, names, _height, _panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n, slopes and intervals taken from the tables."""
    loaded = read_tables(tables, ["fig6", "fig6_conditions", "fig6_slopes"])
    fig6, points = loaded["fig6"], loaded["fig6_conditions"]
    if fig6.empty:
        return "Out-of-distribution inputs: this experiment has none."
    points = points[points.metric == _METRIC]
    hollow = points[points.near_chance.astype(bool)]
    count = len(points[["stimuli", "condition"]].drop_duplicates())
    undecided = points[points.accuracy_drop.isna()][["stimuli", "condition"]].drop_duplicates()
    absent = ""
    if len(undecided):
        names = ", ".join(" ".join(row).strip() for row in undecided.itertuples(index=False))
        absent = f" Without accuracy, and so at the left only: {names}."
    return (
        "Out-of-distribution inputs. Left: drop of the Procrustes score from the unaltered images "
        f"to each of {count} conditions, by depth (blocks), coloured by family. Second: its mean "
        "over conditions; dashed, the drop when the maps fitted on unaltered images are kept, "
        "over conditions that show the same images; "
        "shaded, pooled features (square) and logits (triangle). Right: drop of the first and the "
        "last third of blocks against the drop of accuracy, one marker per condition, darker for "
        f"stronger levels; hollow, {NEAR_CHANCE_IN_WORDS} ({len(hollow)} of {len(points)} "
        "points), which no line uses; line: slope over conditions, with its interval."
        f"{absent} {words.sizes(fig6)} {words.interval_sentence(fig6, 'drop_low')} Those of "
        "means and slopes over conditions include leaving out one family at a time."
        + words.probe_sentence(tables)
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    slopes = read_table(tables, "fig6_slopes")
    slopes = slopes[slopes.metric == _METRIC]
    said = words.by_third(slopes, "slope")
    text = (
        "Curves of the drop of the Procrustes score along depth for each condition, and points of "
        "that drop against the drop in accuracy"
    )
    return f"{text}. Slopes over conditions: {said}." if said else f"{text}."


def _height(tables: Tables) -> float:
    families = tables["conditions"].stimuli.nunique() + 1
    count = len(common.groups(tables))
    return 12 + min(48, 210 / count) * count + 4 * -(-families // 6)


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    names = common.groups(tables)
    axes = figure.subplots(len(names), 4, squeeze=False)
    drops, points, slopes = (
        tables[name][tables[name].metric == _METRIC]
        for name in ("fig6", "fig6_conditions", "fig6_slopes")
    )
    for row, name in enumerate(names):
        own, own_points = drops[drops.group == name], points[points.group == name]
        lines = slopes[slopes.group == name].set_index("third")
        _drops_by_condition(axes[row, 0], own, own_points)
        _mean_drop(axes[row, 1], own)
        if own.empty:
            none = "no out-of-distribution\n"
            none += "conditions" if tables["conditions"].empty else "scores within this group"
            for ax in axes[row]:
                style.note(ax, none)
        for column, third in ((2, "early"), (3, "late")):
            line = lines.loc[third] if third in lines.index else None
            _against_accuracy(axes[row, column], third, own_points, line)
        for column in range(4):
            letter = style.nth_letter(4 * row + column)
            style.panel(axes[row, column], letter, _TITLES[column] if row == 0 else "")
            axes[row, column].axhline(0, color=style.GREY, linewidth=0.5, zorder=1)
        layers = tables["layers"][tables["layers"].group == name]
        blocks = layers[layers.role == "block"]
        common.depth_axis(axes[row, 0], blocks)
        axes[row, 0].set_xlim(right=blocks.depth.max() + 0.05)
        common.depth_axis(axes[row, 1], layers)
    titles = [common.title(tables, name) for name in names]
    common.name_rows(figure, axes[:, 0], titles, "drop in Procrustes score")
    for column in (0, 1):
        axes[-1, column].set_xlabel("relative depth")
    for column in (2, 3):
        axes[-1, column].set_xlabel("drop in accuracy")
    _share_axes(axes, drops, points)
    families = list(dict.fromkeys(tables["conditions"].stimuli))
    if families:
        handles = _key(families, bool(points.near_chance.astype(bool).any()))
        figure.legend(handles=handles, loc="outside lower center", ncols=6)


def _drops_by_condition(ax: Axes, rows: pd.DataFrame, points: pd.DataFrame) -> None:
    blocks = rows[(rows.role == "block") & (rows.stimuli != "all")]
    if blocks.empty:
        return
    colours = shades(points)
    for key, curve in blocks.groupby(["stimuli", "condition"], sort=False):
        curve = curve.sort_values("depth")
        look = style.family(key[0])
        colour = colours.get(key, look.colour)
        ax.plot(curve.depth, curve["drop"], color=colour, marker=look.marker, ms=2, lw=0.7, mew=0.3)


def shades(points: pd.DataFrame) -> Shades:
    """Colour of each condition: its family's, lighter for milder levels."""
    rank = points.groupby("stimuli").order.rank(method="dense")
    most = rank.groupby(points.stimuli).transform("max")
    strength = np.where(most > 1, (rank - 1) / (most - 1).clip(lower=1), 1.0)
    return {
        (stimuli, condition): style.shade(style.family(stimuli).colour, share)
        for stimuli, condition, share in zip(
            points.stimuli, points.condition, strength, strict=True
        )
    }


def known_points(points: pd.DataFrame, third: str) -> pd.DataFrame:
    """Conditions that have an accuracy and a drop of a third of the layers."""
    return points[points.accuracy_drop.notna() & points[third].notna()]


def line_ends(
    known: pd.DataFrame, line: pd.Series | None
) -> tuple[list[float], list[float]] | None:
    """Both ends of the line of a row of fig6_slopes: over the points that it uses."""
    used = known[~known.near_chance.astype(bool)].accuracy_drop
    if line is None or used.empty or not np.isfinite(line.slope):
        return None
    ends = [used.min(), used.max()]
    return ends, [line.intercept + line.slope * end for end in ends]


def _mean_drop(ax: Axes, rows: pd.DataFrame) -> None:
    mean = rows[rows.stimuli == "all"]
    if mean.empty:
        return
    colour = style.metric_colour(_METRIC)
    common.along_depth(ax, mean, colour, ("drop", "drop_low", "drop_high"))
    blocks = mean[mean.role == "block"].sort_values("depth")
    ax.plot(blocks.depth, blocks.transfer_drop, "--", color=style.GREY)
    handles = [
        common.key("maps refitted", color=colour, marker="o"),
        common.key("ID maps kept", color=style.GREY, linestyle="--"),
    ]
    ax.legend(handles=handles, loc="upper left", fontsize=6, borderpad=0, handlelength=2)


def _against_accuracy(ax: Axes, third: str, points: pd.DataFrame, line: pd.Series | None) -> None:
    known = known_points(points, third)
    if known.empty and len(points):
        style.note(ax, "no conditions with\nan accuracy")
        return
    colours = shades(points)
    for row in known.itertuples():
        look = style.family(row.stimuli)
        low, value, high = (getattr(row, f"{third}{end}") for end in ("_low", "", "_high"))
        if np.isfinite(low):
            ax.plot([row.accuracy_drop] * 2, [low, high], color=look.colour, lw=0.4, alpha=0.6)
        face = "white" if row.near_chance else colours[row.stimuli, row.condition]
        ax.plot(row.accuracy_drop, value, look.marker, ms=3.6, mfc=face, mec=look.colour, mew=0.6)
    ends = line_ends(known, line)
    if line is None or ends is None:
        return
    ax.plot(*ends, color=style.INK, linewidth=1)
    text = f"slope {in_print(line.slope, 2)}"
    if np.isfinite(line.slope_low):
        text += f"\n[{in_print(line.slope_low, 2)}, {in_print(line.slope_high, 2)}]"
    ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=6)


def _share_axes(axes: np.ndarray, curves: pd.DataFrame, points: pd.DataFrame) -> None:
    """One scale of drops for all panels, and one of accuracy."""
    if curves.empty:
        return
    blocks, means = curves[curves.role == "block"], curves[curves.stimuli == "all"]
    ends = ["early_low", "early_high", "late_low", "late_high"]
    spans = [
        common.limits(blocks, ["drop"], []),
        common.limits(means, ["drop"], ["drop_low", "drop_high"]),
        common.limits(means[means.role == "block"], ["transfer_drop"], []),
        common.limits(points, ["early", "late"], ends),
    ]
    for ax in axes.flat:
        ax.set_ylim(min(low for low, _ in spans), max(high for _, high in spans))
    for ax in axes[:, 1:].flat:
        ax.set_yticklabels([])
    for ax in axes[:, 2:].flat:
        ax.set_xlim(common.limits(points, ["accuracy_drop"], []))
        ax.xaxis.set_major_locator(style.locator(4))


def _key(families: list[str], near_chance: bool) -> list[Line2D]:
    looks = [style.family(name) for name in families]
    handles = [common.key(k.label, color=k.colour, marker=k.marker, ms=3.4, lw=0.7) for k in looks]
    hollow = common.key("near chance", marker="o", ms=3.4, mfc="white", ls="")
    return handles + [hollow] * near_chance
