"""Figure 4: layer × layer maps within and across groups, and how often layers match."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from convergent_learning.figures import common, style, words
from convergent_learning.tables.figure_data import FigureData, Scores
from convergent_learning.tables.matches import CLAIMED_SHARE, chance_within_one
from convergent_learning.tables.pairs import map_null, map_pairs
from convergent_learning.tables.schema import named
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_tables, with_stages
from convergent_learning.tables.summaries import map_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

TITLE = "Layer by layer"
ABOUT = (
    "Procrustes score of every source layer on every target layer, after training and "
    "untrained, with the best match of each target layer, and the share of layers whose best "
    "match is at most one layer away with its 95% interval over networks."
)
DATA = FigureData(
    tables=named("fig4_pairs", "fig4", "fig4_matches", "fig4_null", "fig4_calibrated"),
    scores=Scores.ENDS,
    pairs=map_pairs,
    null=map_null,
    calibrated=("fig4_null", "fig4_calibrated"),
    summaries=map_means,
)

_METRIC = "procrustes"
_SHARES_MM = 48
_JUDGED = "best matches of pairs within a group at the last step (maxT over source blocks)"
_FEW_LABELS = 4  # of blocks, beside which letters of the other layers would overlap


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 4 from the tables folder into a PDF and a PNG."""
    names = ["layers", "fig4", "fig4_matches"]
    common.draw_by_dataset(tables, names, _height, _panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    loaded = read_tables(tables, ["layers", "fig4", "fig4_matches", "groups"])
    matches = loaded["fig4_matches"]
    within = ", within groups" if _many(loaded) else ""
    beyond = "beyond the white lines, pooled features and logits"
    beyond = beyond if _tiny(loaded) else "P, pooled features; L, logits"
    return (
        "Which layer matches which. Maps: Procrustes score of every source layer (rows, by depth) "
        "on every target layer (columns), mean over directed pairs of networks, "
        f"{words.finished(loaded['groups'])} (a) and at step 0 (b{within}), on one colour scale; "
        f"{beyond}. "
        "Circles: the source block that best matches each target block; line: equal depth. "
        "Last: share of target blocks whose best match, in each pair, is at most one layer from "
        f"the counterpart; dashed, the {CLAIMED_SHARE:g} that the claim asks for; dotted, matching "
        f"at random. {words.sizes(matches)} {words.interval_sentence(matches)}"
        f"{words.calibration_sentence(tables, 'fig4_calibrated', _JUDGED)}"
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    matches, groups = with_stages(read_tables(tables, ("fig4_matches", "groups"))).values()
    rows = matches[(matches.metric == _METRIC) & matches["mean"].notna()]
    said = [
        f"{style.group(name)} {share:.2f} "
        + words.when(stage == TRAINED, groups[groups.group == name])
        for name, stage, share in rows[["group", "stage", "mean"]].itertuples(index=False)
    ]
    return (
        "Heat maps of the Procrustes score of every source layer on every target layer, and the "
        f"share of layers whose best match is at most one layer away: {'; '.join(said)}."
    )


class _Block(NamedTuple):
    """Maps of one stage: a row a source group, and the targets beside each other."""

    stage: str
    maps: list[list[tuple[str, str]]]


def _blocks(tables: Tables) -> list[_Block]:
    """Trained and untrained; of many groups, the untrained within themselves only."""
    names = common.groups(tables)
    every = [[(source, target) for target in names] for source in names]
    within = [[(name, name) for name in names]]
    untrained = within if _many(tables) else every
    stages = (TRAINED, every), (UNTRAINED, untrained)
    return [_Block(*stage) for stage in stages]


def _many(tables: Tables) -> bool:
    return len(common.groups(tables)) > 2


def _tiny(tables: Tables) -> bool:
    """Whether maps are too small for the labels of their layers."""
    return len(common.groups(tables)) > 4


def _maps_height(tables: Tables) -> float:
    """Maps are square; two blocks beside each other share the width, those of many take it."""
    count = len(common.groups(tables))
    if _many(tables):
        return (count + 1) * ((style.TWO_COLUMNS - 13) / count - 5) + 16
    return ((style.TWO_COLUMNS - 13) / max(2 * count, 3) - 3) * count + 10


def _height(tables: Tables) -> float:
    alone = len(common.groups(tables)) == 1
    return _maps_height(tables) + (0 if alone else _SHARES_MM)


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    height = _maps_height(tables)
    if len(common.groups(tables)) == 1:  # one row: the shares beside the maps
        maps, shares = style.split(figure, 1, 2, width_ratios=[126, 57])
    else:
        maps, shares = style.split(figure, 2, 1, height_ratios=[height, _SHARES_MM])
    _draw_maps(maps, tables)
    _draw_shares(shares, tables)


def _draw_maps(figure: SubFigure, tables: Tables) -> None:
    fig4 = tables["fig4"][tables["fig4"].metric == _METRIC]
    low, high = min(0.0, fig4["mean"].min()), fig4["mean"].max()
    blocks, meshes = _blocks(tables), []
    places = _places(figure, blocks, _many(tables))
    many, tiny = _many(tables), _tiny(tables)
    finished = words.finished(tables["groups"])

    def named(group: str) -> str:
        title = common.title(tables, group)
        return style.in_lines(title) if tiny else title

    for letter, block, axes in zip("ab", blocks, places, strict=True):
        most = 20 // len(block.maps[0])
        for (row, column), ax in np.ndenumerate(axes):
            source, target = block.maps[row][column]
            rows = fig4[(fig4.stage == block.stage) & (fig4.source_group == source)]
            rows = rows[rows.target_group == target]
            given = common.is_given(tables["groups"], source)
            why = "as given" if given and block.stage == UNTRAINED else "no scores"
            meshes.append(draw_map(ax, rows, low, high, most, why))
            if row == 0:
                title = finished if block.stage == TRAINED else block.stage
                style.panel(ax, "" if column else letter, "" if many and column != 1 else title)
            if column == 0:
                one = len({source for source, _ in block.maps[row]}) == 1
                whose = named(source) if one else "the same"
                ax.set_ylabel(whose if tiny else f"source: {whose}")
            elif tiny:
                ax.set_yticks([])
            if row == len(axes) - 1:
                ax.set_xlabel(named(target) if tiny else f"target: {named(target)}")
            elif tiny:
                ax.set_xticks([])
    drawn = [mesh for mesh in meshes if mesh is not None]
    if drawn:
        every = [ax for axes in places for ax in axes.flat]
        bar = figure.colorbar(drawn[0], ax=every, fraction=0.025, pad=0.01, aspect=40)
        bar.set_label("held-out correlation")
        bar.outline.set_visible(False)


def _places(figure: SubFigure, blocks: list[_Block], below: bool) -> list[np.ndarray]:
    """Axes of each block: the blocks beside or below each other, with a gap between."""
    rows, columns = len(blocks[0].maps), len(blocks[0].maps[0])
    if below:
        ratios = {"height_ratios": [*[1] * rows, 0.02, 1]}
        axes = figure.subplots(rows + 2, columns, squeeze=False, gridspec_kw=ratios)
        gap, places = axes[rows], [axes[:rows], axes[rows + 1 :]]
    else:
        ratios = {"width_ratios": [*[1] * columns, 0.02, *[1] * columns]}
        axes = figure.subplots(rows, 2 * columns + 1, squeeze=False, gridspec_kw=ratios)
        gap, places = axes[:, columns], [axes[:, :columns], axes[:, columns + 1 :]]
    for ax in gap:
        ax.set_axis_off()
    return places


def draw_map(
    ax: Axes,
    rows: pd.DataFrame,
    low: float,
    high: float,
    labels: int,
    why_empty: str = "no scores",
) -> QuadMesh | None:
    """A map of source layers (rows) and target layers, the best source of each target marked.

    rows : source_depth, source_role, target_depth, target_role, mean, best
    labels : how many blocks at most are numbered
    """
    if rows.empty:
        ax.set_xticks([])
        ax.set_yticks([])
        style.note(ax, why_empty)
        return None
    square = rows.pivot(index="source_depth", columns="target_depth", values="mean")
    mesh = ax.pcolormesh(square.to_numpy(), vmin=low, vmax=high, cmap="viridis", rasterized=True)
    ax.set_aspect(len(square.columns) / len(square))
    for side, axis in (("source", ax.yaxis), ("target", ax.xaxis)):
        roles = rows.drop_duplicates(f"{side}_depth").sort_values(f"{side}_depth")
        axis.set_ticks(*_ticks(list(roles[f"{side}_role"]), labels))
        blocks = int((roles[f"{side}_role"] == "block").sum())
        edge = ax.axhline if side == "source" else ax.axvline
        edge(blocks, color="white", linewidth=0.8)
    best = rows[rows.best.astype(bool)]
    x = square.columns.get_indexer(best.target_depth) + 0.5
    y = square.index.get_indexer(best.source_depth) + 0.5
    n_source, n_target = len(square), len(square.columns)
    ax.plot([0, n_target], [0, n_source], color="white", linewidth=0.6, alpha=0.8)
    ax.plot(x, y, "o", ms=3, mfc="white", mec=style.INK, mew=0.6)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return mesh


def _ticks(roles: list[str], most: int) -> tuple[np.ndarray, list[str]]:
    """A number per block, or at `most` so many; P for pooled features, L for logits."""
    every = -(-roles.count("block") // max(most, 2))
    letters = {"pooled": "P", "logits": "L"} if most > _FEW_LABELS else {}
    numbers = np.cumsum([role == "block" for role in roles])
    labels = [
        letters.get(role) or (str(n) if (n - 1) % every == 0 else "")
        for role, n in zip(roles, numbers, strict=True)
    ]
    return np.arange(len(roles)) + 0.5, labels


def _draw_shares(figure: SubFigure, tables: Tables) -> None:
    names = common.groups(tables)
    matches = tables["fig4_matches"]
    matches = matches[matches["mean"].notna()]
    metrics = style.metrics(matches)
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for place, (ax, name) in enumerate(zip(axes, names, strict=True)):
        rows = matches[matches.group == name]
        title = common.title(tables, name)
        style.panel(
            ax, style.nth_letter(2 + place), style.in_lines(title) if _tiny(tables) else title
        )
        if rows.empty:
            style.note(ax, "no matches within this group")
            continue
        _draw_share(ax, rows, metrics)
        if _many(tables):
            ax.tick_params(axis="x", rotation=60)
    axes[0].set_ylabel("share of layers whose best\nmatch is within one layer")
    axes[0].set_ylim(-0.02, 1.08)
    common.legend_below(figure, _key(tables), 4 if len(names) > 1 else 2)


def _draw_share(ax: Axes, rows: pd.DataFrame, metrics: list[str]) -> None:
    chance = chance_within_one(int(rows.n_layers.max()))
    ax.axhline(CLAIMED_SHARE, color=style.INK, linewidth=0.7, linestyle="--")
    ax.axhline(chance, color=style.GREY, linewidth=0.9, linestyle=":")
    for place, metric in enumerate(metrics):
        for stage, shift, face in ((TRAINED, -0.12, None), (UNTRAINED, 0.12, "white")):
            row = rows[(rows.metric == metric) & (rows.stage == stage)]
            colour = style.metric_colour(metric)
            look = {"color": colour, "mfc": face or colour, "ms": 4, "elinewidth": 0.9}
            points = row[["mean", "low", "high"]].clip(0, 1)
            common.bars(ax, np.full(len(row), place + shift), points, fmt="o", **look)
    ax.set_xlim(-0.5, len(metrics) - 0.5)
    ax.set_xticks(range(len(metrics)), [_in_two_lines(metric) for metric in metrics])


def _in_two_lines(metric: str) -> str:
    return style.metric_label(metric).replace(" ", "\n")


def _key(tables: Tables) -> list[Line2D]:
    return [
        common.key(words.finished(tables["groups"]), ls="", marker="o", ms=4),
        common.key("untrained", ls="", marker="o", ms=4, mfc="white"),
        common.key(f"claimed ({CLAIMED_SHARE:g})", lw=0.7, ls="--"),
        common.key("matching at random", color=style.GREY, lw=0.9, ls=":"),
    ]
