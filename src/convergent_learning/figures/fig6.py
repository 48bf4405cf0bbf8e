"""Figure 6: out-of-distribution inputs, the drop along depth and against the loss of accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from convergent_learning.figures import common, style

_METRIC = "procrustes"
_TITLES = ("each condition", "mean of conditions", "early third", "late third")


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 6 from the tables folder into a PDF and a PNG."""
    names = ["datasets", "layers", "conditions", "fig6", "fig6_conditions", "fig6_slopes"]
    common.draw_by_dataset(tables, names, _height, _panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n, slopes and intervals taken from the tables."""
    loaded = common.load(tables, ["fig6", "fig6_conditions", "fig6_slopes"])
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
        "last third of blocks against the drop of accuracy, one marker a condition, darker for "
        f"stronger levels; hollow, within 2 points of chance ({len(hollow)} of {len(points)} "
        "points), which no line uses; line: slope over conditions, with its interval."
        f"{absent} {common.sizes(fig6)} {common.interval_sentence(fig6, 'drop_low')} Those of "
        "means and slopes over conditions include leaving out one family at a time."
    )


def _height(tables: common.Tables) -> float:
    families = tables["conditions"].stimuli.nunique() + 1
    count = len(common.groups(tables))
    return 12 + min(48, 210 / count) * count + 4 * -(-families // 6)


def _panels(figure: Figure | SubFigure, tables: common.Tables) -> None:
    names = common.groups(tables)
    axes = figure.subplots(len(names), 4, squeeze=False)
    for row, name in enumerate(names):
        own = {
            key: frame[frame.group == name] if "group" in frame else frame
            for key, frame in tables.items()
        }
        rows = {
            key: frame[frame.metric == _METRIC] if "metric" in frame else frame
            for key, frame in own.items()
        }
        _drops_by_condition(axes[row, 0], rows["fig6"], rows["fig6_conditions"])
        _mean_drop(axes[row, 1], rows["fig6"])
        for column, third in ((2, "early"), (3, "late")):
            _against_accuracy(
                axes[row, column], third, rows["fig6_conditions"], rows["fig6_slopes"]
            )
        for column in range(4):
            letter = style.nth_letter(4 * row + column)
            style.panel(axes[row, column], letter, _TITLES[column] if row == 0 else "")
            axes[row, column].axhline(0, color=style.GREY, linewidth=0.5, zorder=1)
        blocks = own["layers"][own["layers"].role == "block"]
        common.depth_axis(axes[row, 0], blocks)
        axes[row, 0].set_xlim(right=blocks.depth.max() + 0.05)
        common.depth_axis(axes[row, 1], own["layers"])
        axes[row, 0].set_ylabel(f"{style.group(name)}\ndrop in Procrustes score")
    for column in (0, 1):
        axes[-1, column].set_xlabel("relative depth")
    for column in (2, 3):
        axes[-1, column].set_xlabel("drop in accuracy")
    _share_axes(axes, tables)
    families = list(dict.fromkeys(tables["conditions"].stimuli))
    if families:
        near_chance = bool(tables["fig6_conditions"].near_chance.astype(bool).any())
        handles = _key(families, near_chance)
        figure.legend(handles=handles, loc="outside lower center", ncols=6)


def _drops_by_condition(ax: Axes, rows: pd.DataFrame, points: pd.DataFrame) -> None:
    blocks = rows[(rows.role == "block") & (rows.stimuli != "all")]
    if blocks.empty:
        style.note(ax, "no out-of-distribution\nconditions")
        return
    levels = strength(points)
    for (stimuli, condition), curve in blocks.groupby(["stimuli", "condition"], sort=False):
        curve = curve.sort_values("depth")
        look = style.family(stimuli)
        colour = style.shade(look.colour, levels.get((stimuli, condition), 1.0))
        ax.plot(curve.depth, curve["drop"], color=colour, marker=look.marker, ms=2, lw=0.7, mew=0.3)


def strength(points: pd.DataFrame) -> dict[tuple[str, str], float]:
    """0…1 from the mildest to the strongest level of a family; 1 where there is one."""
    rank = points.groupby("stimuli").order.rank(method="dense")
    most = rank.groupby(points.stimuli).transform("max")
    share = np.where(most > 1, (rank - 1) / (most - 1).clip(lower=1), 1.0)
    return dict(zip(zip(points.stimuli, points.condition, strict=True), share, strict=True))


def _mean_drop(ax: Axes, rows: pd.DataFrame) -> None:
    mean = rows[rows.stimuli == "all"]
    if mean.empty:
        style.note(ax, "no out-of-distribution\nconditions")
        return
    colour = style.metric_colour(_METRIC)
    common.along_depth(ax, mean, colour, ("drop", "drop_low", "drop_high"))
    blocks = mean[mean.role == "block"].sort_values("depth")
    ax.plot(blocks.depth, blocks.transfer_drop, "--", color=style.GREY)
    handles = [
        Line2D([], [], color=colour, marker="o", label="maps refitted"),
        Line2D([], [], color=style.GREY, linestyle="--", label="ID maps kept"),
    ]
    ax.legend(handles=handles, loc="upper left", fontsize=6, borderpad=0, handlelength=2)


def _against_accuracy(ax: Axes, third: str, points: pd.DataFrame, slopes: pd.DataFrame) -> None:
    known = points[points.accuracy_drop.notna() & points[third].notna()]
    if known.empty:
        style.note(ax, "no conditions with\nan accuracy")
        return
    levels = strength(points)
    for row in known.itertuples():
        look = style.family(row.stimuli)
        low, value, high = (getattr(row, f"{third}{end}") for end in ("_low", "", "_high"))
        if np.isfinite(low):
            ax.plot([row.accuracy_drop] * 2, [low, high], color=look.colour, lw=0.4, alpha=0.6)
        shade = style.shade(look.colour, levels[row.stimuli, row.condition])
        face = "white" if row.near_chance else shade
        ax.plot(row.accuracy_drop, value, look.marker, ms=3.6, mfc=face, mec=look.colour, mew=0.6)
    line = slopes[slopes.third == third]
    if line.empty or not np.isfinite(line.slope.iloc[0]):
        return
    slope, intercept = line.slope.iloc[0], line.intercept.iloc[0]
    used = known[~known.near_chance.astype(bool)].accuracy_drop
    ends = np.array([used.min(), used.max()])
    ax.plot(ends, intercept + slope * ends, color=style.INK, linewidth=1)
    text = f"slope {style.number(slope)}"
    if np.isfinite(line.slope_low.iloc[0]):
        low, high = line.slope_low.iloc[0], line.slope_high.iloc[0]
        text += f"\n[{style.number(low)}, {style.number(high)}]"
    ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=6)


def _share_axes(axes: np.ndarray, tables: common.Tables) -> None:
    """One scale of drops for all panels, and one of accuracy."""
    curves, points = (
        frame[frame.metric == _METRIC] for frame in (tables["fig6"], tables["fig6_conditions"])
    )
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
        ax.xaxis.set_major_locator(MaxNLocator(4))


def _key(families: list[str], near_chance: bool) -> list[Line2D]:
    looks = [style.family(name) for name in families]
    hollow = Line2D([], [], color=style.INK, marker="o", ms=3.4, mfc="white", ls="")
    hollow.set_label("near chance")
    return [
        Line2D([], [], color=k.colour, marker=k.marker, ms=3.4, lw=0.7, label=k.label)
        for k in looks
    ] + [hollow] * near_chance
