"""Figure 5: alignment and accuracy over training, the first epoch resolved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convergent_learning.figures import common, style, words
from convergent_learning.tables.figure_data import FigureData, Scores
from convergent_learning.tables.pairs import training_pairs
from convergent_learning.tables.schema import named
from convergent_learning.tables.storage import Tables, read_table, read_tables
from convergent_learning.tables.summaries import training_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

TITLE = "Alignment and accuracy over training"
ABOUT = (
    "Mean score of each metric, Procrustes layer by layer, and test accuracy at every "
    "checkpoint; the first epoch is stretched. Bands: 95% intervals over networks."
)
DATA = FigureData(
    tables=named("fig5_pairs", "fig5", "fig5_networks", "fig5_accuracy"),
    scores=Scores.TRAINING,
    accuracy=True,
    pairs=training_pairs,
    summaries=training_means,
)

_METRIC = "procrustes"
_BESIDE = 4  # groups
_SAME = 2e-3  # curves closer than this are one line on paper


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 5 from the tables folder into a PDF and a PNG."""
    names = ["layers", "fig5", "fig5_networks", "fig5_accuracy"]
    common.draw_by_dataset(tables, names, _height, _panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    fig5, groups = read_tables(tables, ["fig5", "groups"]).values()
    drawn = fig5[fig5.group.isin(_followed(groups))]
    return (
        "Alignment over training. Top: mean over layers (without logits) by metric. Middle: "
        "Procrustes layer by layer, light for early and dark for late blocks; the thick lines are "
        "the first and the last third. Bottom: test accuracy of each network (thin) and their "
        "mean; dotted, chance. "
        f"{_first_epochs(groups)}{_not_drawn(groups)}"
        f"{words.sizes(drawn)} {words.interval_sentence(drawn)}" + words.probe_sentence(tables)
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    kept, whose = words.of_one_kind(tables, "fig5", "fig5_accuracy")
    fig5, accuracy = kept["fig5"], kept["fig5_accuracy"]
    whole = fig5[(fig5.layer == "all") & (fig5.metric == _METRIC)]
    levels = _levels(whole, accuracy, common.time_unit(read_table(tables, "groups"), whole))
    said = f" Mean Procrustes score and accuracy{whose}: {'; '.join(levels)}." if levels else ""
    return f"Curves of alignment and accuracy over training.{said}"


def _levels(alignment: pd.DataFrame, accuracy: pd.DataFrame, unit: str) -> list[str]:
    """Scores and accuracies at the first and the last step, and after one epoch."""
    said = []
    for epoch in (0.0, 1.0, alignment.epoch.max()):
        scores = alignment[(alignment.epoch - epoch).abs() < 1e-6]["mean"]
        right = accuracy[(accuracy.epoch - epoch).abs() < 1e-6]["mean"]
        if len(scores) and len(right):
            said.append(f"{scores.mean():.2f} and {right.mean():.2f} at {unit} {epoch:g}")
    return list(dict.fromkeys(said))


def _first_epochs(groups: pd.DataFrame) -> str:
    """The shaded first epoch, as a share of the steps: said once if all groups share it.

    Nothing is said where no group has epochs of a known length.
    """
    trained = groups[(groups.final_step > 0) & (groups.steps_per_epoch > 0)]
    if trained.empty:
        return ""
    shares = trained.steps_per_epoch / trained.final_step
    alike = (shares.groupby(trained.dataset).nunique() == 1).all()
    named = trained.dataset if alike else trained.group.map(style.group) + " on " + trained.dataset
    of_share: dict[str, list[str]] = {}
    for name, share in shares.groupby(named, sort=False).first().items():
        of_share.setdefault(f"{share:.0%}", []).append(str(name))
    said = [f"{share} of the steps of {', '.join(names)}" for share, names in of_share.items()]
    shaded = "The first epoch, shaded, is stretched to half of the axis; it is "
    return f"{shaded}{' and '.join(said)}. "


def _not_drawn(groups: pd.DataFrame) -> str:
    """Which groups the figure lacks; nothing if that is none."""
    absent = groups.group[~groups.group.isin(_followed(groups))].unique()
    names = [style.group(name) for name in absent]
    return f"Given as they are, and not drawn: {', '.join(names)}. " if names else ""


def _bands(tables: Tables) -> list[list[str]]:
    """Groups beside each other: a few, with names at the ends of curves, or four and a legend."""
    followed = _followed(tables["groups"])
    names = [name for name in common.groups(tables) if name in followed]
    return [names[start : start + _BESIDE] for start in range(0, len(names), _BESIDE)]


def _height(tables: Tables) -> float:
    bands = _bands(tables)
    return 130.0 if len(bands) == 1 else 105.0 * len(bands) + 10


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    bands = _bands(tables)
    if len(bands) == 1:
        _band(figure, tables, bands[0], 0, len(bands[0]))
        return
    parts = style.split(figure, len(bands), 1)
    for place, (part, names) in enumerate(zip(parts, bands, strict=True)):
        _band(part, tables, names, 3 * _BESIDE * place, _BESIDE)
    common.legend_below(parts[-1], _key(tables["fig5"]), 3)


def _band(
    figure: Figure | SubFigure, tables: Tables, names: list[str], letters: int, columns: int
) -> None:
    """Draw groups beside each other; panel letters go on from a place."""
    axes = figure.subplots(3, columns, sharex="col", sharey="row", squeeze=False)
    fig5, curves, thirds = tables["fig5"], [], []
    for ax in axes[:, len(names) :].flat:
        ax.set_axis_off()
    for column, name in enumerate(names):
        rows = fig5[(fig5.group == name) & (fig5.step.max() > 0)]
        for row in range(3):
            letter = style.nth_letter(letters + row * len(names) + column)
            style.panel(axes[row, column], letter, "" if row else common.title(tables, name))
            unit = common.time_axis(axes[row, column], tables["groups"], rows, len(names) > 3)
        curves.append(_alignment(axes[0, column], rows[rows.layer == "all"]))
        thirds.append(_layers(axes[1, column], rows[rows.metric == _METRIC]))
        _accuracy(axes[2, column], tables, name)
        axes[2, column].set_xlabel(unit)
    shown = fig5[fig5.group.isin(names)]
    for ax, which in zip(axes[:2, 0], (shown.layer == "all", shown.metric == _METRIC), strict=True):
        ax.set_ylim(common.score_limits(shown[which], ["mean"], ["low", "high"]))
    if len(_bands(tables)) == 1:  # else there is a legend
        # Labels keep their distance in the limits that all panels of a row share in the end.
        for ax, drawn in zip(axes[0], curves, strict=True):
            _label_metrics(ax, drawn)
        for ax, ends in zip(axes[1], thirds, strict=True):
            _label_ends(ax, ends)
    axes[0, 0].set_ylabel("held-out correlation,\nmean over layers")
    axes[1, 0].set_ylabel("held-out correlation,\nProcrustes by layer")
    axes[2, 0].set_ylabel("test accuracy")
    axes[2, 0].set_ylim(0, 1)


def _key(fig5: pd.DataFrame) -> list[Line2D]:
    shades = style.colour_map("cividis_r")
    metrics = [
        common.key(style.metric_label(metric), color=style.metric_colour(metric), marker="o")
        for metric in style.metrics(fig5)
    ]
    thirds = (("first third of the blocks", 0.3), ("last third of the blocks", 1.0))
    return metrics + [
        common.key(label, color=shades(shade), marker="o", linewidth=1.6) for label, shade in thirds
    ]


def _followed(groups: pd.DataFrame) -> list[str]:
    """Groups that have a training; all, if none has."""
    names = groups.group[groups.final_step > 0]
    return list(dict.fromkeys(names if len(names) else groups.group))


def _alignment(ax: Axes, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Draw a curve per metric; returns them."""
    if rows.empty:
        style.note(ax, "no scores over training")
    curves = {}
    for metric in style.metrics(rows):
        curve = rows[rows.metric == metric].sort_values("epoch")
        if curve.empty:
            continue
        # At equal widths soft matching is permutation: dashes let both show.
        dashes = "--" if metric == "soft_matching" else "-"
        colour = style.metric_colour(metric)
        ax.plot(curve.epoch, curve["mean"], dashes, marker="o", color=colour, zorder=3)
        common.band(ax, curve.epoch, curve["low"], curve["high"], colour)
        curves[metric] = curve
    return curves


def _label_metrics(ax: Axes, curves: dict[str, pd.DataFrame]) -> None:
    """Name each metric at the end of its curve; curves that are one on paper get one name."""
    labels = {metric: style.metric_label(metric) for metric in curves}
    if {"permutation", "soft_matching"} <= curves.keys():
        first, second = (curves[m]["mean"].to_numpy() for m in ("permutation", "soft_matching"))
        if len(first) == len(second) and np.nanmax(np.abs(first - second), initial=0) < _SAME:
            labels["permutation"] = "Permutation =\nsoft matching"
            del labels["soft_matching"]
    ends = [(text, curves[m], style.metric_colour(m)) for m, text in labels.items()]
    _label_ends(ax, ends)


def _label_ends(ax: Axes, ends: list[tuple[str, pd.DataFrame, str]]) -> None:
    """Write each text at the end of its curve, top down, never closer than a line of type."""
    line = 0.09 * np.diff(ax.get_ylim())[0]
    free = np.inf
    for text, curve, colour in sorted(ends, key=lambda end: -end[1]["mean"].iloc[-1]):
        height = line * (1 + text.count("\n"))
        y = min(curve["mean"].iloc[-1], free - height / 2)
        free = y - height / 2
        ax.annotate(
            text,
            (curve.epoch.max(), y),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            color=colour,
        )


def _layers(ax: Axes, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame, str]]:
    """Draw a curve per block and third; returns the texts to write at the ends of thirds."""
    blocks = rows[rows.role == "block"]
    if blocks.empty:
        style.note(ax, "no scores over training")
        return []
    shades = style.colour_map("cividis_r")
    for depth, curve in blocks.groupby("depth"):
        curve = curve.sort_values("epoch")
        shade = shades(0.25 + 0.75 * depth / blocks.depth.max())
        ax.plot(curve.epoch, curve["mean"], color=shade, linewidth=0.6)
    ends = []
    for third, shade in (("early", shades(0.3)), ("late", shades(1.0))):
        curve = rows[rows.layer == third].sort_values("epoch")
        if curve.empty:
            continue
        ax.plot(curve.epoch, curve["mean"], color=shade, marker="o", linewidth=1.6, zorder=4)
        common.band(ax, curve.epoch, curve["low"], curve["high"], shade)
        ends.append((f"{third} third", curve, style.INK))
    return ends


def _accuracy(ax: Axes, tables: Tables, name: str) -> None:
    mean = tables["fig5_accuracy"]
    mean = mean[mean.group == name].sort_values("epoch")
    if mean.empty:
        style.note(ax, "no accuracy")
        return
    each = tables["fig5_networks"]
    for _, run in each[each.group == name].sort_values("step").groupby("seed"):
        ax.plot(run.epoch, run.accuracy, color=style.GREY, linewidth=0.5)
    ax.plot(mean.epoch, mean["mean"], color=style.INK, marker="o")
    common.band(ax, mean.epoch, mean["low"].clip(0, 1), mean["high"].clip(0, 1), style.INK)
    common.chance_line(ax, tables, 0.99, "right", "bottom")
