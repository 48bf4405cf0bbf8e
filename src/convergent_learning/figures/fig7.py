"""Figure 7: groups that differ in what they learn from what, beside the supervised one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from convergent_learning.figures import common, style, words
from convergent_learning.tables.figure_data import FACTS, FigureData, Needs, Scores
from convergent_learning.tables.pairs import alike_pairs
from convergent_learning.tables.schema import named
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_table, read_tables
from convergent_learning.tables.summaries import alike_means, of_groups, supervised

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

TITLE = "What drives convergence"
ABOUT = (
    "Procrustes scores of the same layer of networks of one architecture that differ in what "
    "they learn from what, beside the supervised group: by depth, within each group, as a "
    "share of the alignment among supervised networks, and over training. Bands and bars: 95%"
    " intervals over networks."
)
DATA = FigureData(
    tables=named("fig7_pairs", "fig7", "fig7_shares"),
    facts=(*FACTS, "fig1_training"),
    scores=Scores.TRAINING,
    pairs=alike_pairs,
    summaries=alike_means,
    needs=Needs.GROUPS_ALIKE,
)

_METRIC = "procrustes"
_SPANS = ("early", "all", "late")
_TABLES = ["layers", "groups", "fig1_training", "fig7", "fig7_shares"]


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 7 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(tables, _TABLES, _height, _panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    loaded = read_tables(tables, _TABLES)
    groups, fig7 = loaded["groups"].drop_duplicates("group"), loaded["fig7"]
    reference = supervised(groups)
    within = fig7[fig7.group_x == fig7.group_y]
    shown = groups[groups.group.isin(within.group_x) & (groups.group != reference)]
    [first] = groups[groups.group == reference].itertuples()
    epochs = first.final_step / first.steps_per_epoch
    told = [
        f"{style.group(row.group)} ({_told(row)}{_longer(row, epochs)}"
        f"{_learned(row, loaded['fig1_training'])})"
        for row in shown.itertuples()
    ]
    return (
        f"What drives convergence: groups of one architecture beside {style.group(reference)} (S), "
        f"which learns the true labels of natural images: {'; '.join(told)}. All are shown the "
        "same natural test images; Procrustes, the same layer of both networks. (a) Alignment with "
        "S by depth; black, S within itself; grey, untrained networks with S. (b) Alignment within "
        "each group; dashed, at step 0. (c) Alignment with S as a share of that within S: first "
        "third of the blocks, all layers without logits, last third. (d) Alignment with S over "
        "training, mean over layers; black, S within itself; the first epoch, shaded, is stretched "
        "to half of the axis. "
        f"{words.sizes(within, 'group_x')} {words.interval_sentence(fig7)}"
        + words.probe_sentence(tables)
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    shares = read_table(tables, "fig7_shares")
    rows = shares[(shares.metric == _METRIC) & shares.third.isin(("early", "late"))]
    text = (
        "Curves of the alignment of each group with the supervised one, and within itself, along "
        "depth and over training"
    )
    shown = words.by_third(rows, "share")
    return f"{text}. Alignment as a share of that within the supervised group: {shown}."


def _told(row: Any) -> str:
    """What a group learns from what, in words."""
    if row.objective == "none":
        return "not trained"
    said: list[str] = []
    if row.objective != "supervised":
        how = "" if row.objective == row.group else f", {row.objective}"
        said.append(f"without labels{how}")
    if row.labels != "true":
        said.append(f"{row.labels} labels")
    if row.images != "natural":
        said.append(f"images: {row.images.replace('_', ' ')}")
    return ", ".join(said) or "supervised"


def _longer(row: Any, epochs: float) -> str:
    """For how long a group is trained, if not for as long as the supervised one; else nothing."""
    own = row.final_step / row.steps_per_epoch
    return "" if own == epochs or row.objective == "none" else f", for {own:g} epochs"


def _learned(row: Any, training: pd.DataFrame) -> str:
    """What a group has learned of labels that are not the true ones: nothing is said of others."""
    if row.labels == "true":
        return ""
    own = training[(training.group == row.group) & (training.step == row.final_step)]
    return f", of which it gets {own.train_accuracy.mean():.0%} right" if len(own) else ""


def _height(tables: Tables) -> float:
    return 132.0


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    fig7, groups = tables["fig7"], tables["groups"]
    fig7 = fig7[fig7.metric == _METRIC]
    reference = supervised(groups)
    there = groups[groups.group.isin({*fig7.group_x, *fig7.group_y}) & (groups.group != reference)]
    untrained = [*there.group[there.objective == "none"]]
    shown = set(there.group[there.objective != "none"])
    everyone = common.looks(groups)
    looks = {name: look for name, look in everyone.items() if name in shown}
    trained = {reference: everyone[reference], **looks}
    layers = tables["layers"]
    axes = figure.subplots(2, 2)
    titles = (
        "alignment with S",
        "alignment within each group",
        "share of that within S",
        "over training",
    )
    for place, (ax, title) in enumerate(zip(axes.flat, titles, strict=True)):
        style.panel(ax, style.nth_letter(place), title)
    for ax in axes[0]:
        common.depth_axis(ax, layers[layers.group == reference])
        ax.set_xlabel("depth")
        ax.set_ylabel("held-out correlation, Procrustes")
        ax.set_ylim(-0.02, 1)
    _with_supervised(axes[0, 0], fig7, reference, looks, untrained)
    _within(axes[0, 1], fig7, trained)
    _shares(axes[1, 0], tables["fig7_shares"], looks)
    _training(axes[1, 1], fig7, reference, trained)
    common.legend_below(figure, _legend(reference, untrained, looks), 4)


def _with_supervised(
    ax: Axes, fig7: pd.DataFrame, reference: str, looks: common.Looks, untrained: list[str]
) -> None:
    last = fig7[fig7.stage == TRAINED]
    common.along_depth(ax, _layers(of_groups(last, reference, reference)), style.INK)
    for name in untrained:
        rows = _layers(of_groups(last, reference, name))
        common.along_depth(ax, rows, style.GREY, marker="", zorder=2)
    for name, (colour, marker) in looks.items():
        rows = _layers(of_groups(last, reference, name))
        common.along_depth(ax, rows, colour, marker=marker)


def _within(ax: Axes, fig7: pd.DataFrame, looks: common.Looks) -> None:
    for name, (colour, marker) in looks.items():
        rows = _layers(of_groups(fig7, name, name))
        common.along_depth(ax, rows[rows.stage == TRAINED], colour, marker=marker)
        start = rows[(rows.stage == UNTRAINED) & (rows.role == "block")].sort_values("depth")
        ax.plot(start.depth, start["mean"], "--", color=colour, linewidth=0.7, zorder=2)


def _shares(ax: Axes, table: pd.DataFrame, looks: common.Looks) -> None:
    table = table[table.metric == _METRIC]
    ax.axhline(1, color=style.INK, linewidth=0.8)
    width = 0.7 / max(len(looks), 1)
    for place, (name, (colour, marker)) in enumerate(looks.items()):
        rows = table[table.group == name].set_index("third").reindex(list(_SPANS))
        x = [span + (place - (len(looks) - 1) / 2) * width for span in range(len(_SPANS))]
        points = rows[["share", "share_low", "share_high"]]
        common.bars(ax, x, points, fmt=marker, ms=3, color=colour, elinewidth=0.7)
    ax.set_xticks(range(len(_SPANS)), ["early third", "all layers", "late third"])
    ax.set_ylabel("alignment with S / within S")
    ax.set_ylim(*common.limits(table, ["share"], ["share_low", "share_high"]))


def _training(ax: Axes, fig7: pd.DataFrame, reference: str, looks: common.Looks) -> None:
    common.epoch_axis(ax, fig7.epoch, few=False)
    for name, (colour, marker) in looks.items():
        rows = of_groups(fig7, reference, name)
        rows = rows[rows.layer == "all"].sort_values("epoch")
        ax.plot(rows.epoch, rows["mean"], color=colour, marker=marker)
        common.band(ax, rows.epoch, rows.low, rows.high, colour)
    ax.set_xlabel("epoch")
    ax.set_ylabel("alignment with S,\nmean over layers")


def _layers(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of single layers, without those of means over layers."""
    return rows[rows.depth.notna()]


def _legend(reference: str, untrained: list[str], looks: common.Looks) -> list[Artist]:
    keys: list[Artist] = [common.key(f"{style.group(reference)} (S)", marker="o")]
    keys += [
        common.key(style.group(name), color=colour, marker=marker)
        for name, (colour, marker) in looks.items()
    ]
    return keys + [common.key(style.group(name), color=style.GREY) for name in untrained]
