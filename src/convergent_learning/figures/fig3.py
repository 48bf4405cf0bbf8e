"""Figure 3: the privileged basis, learned against rotated axes, trained against untrained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convergent_learning.alignment.calibration import ALPHA
from convergent_learning.figures import common, style, words
from convergent_learning.tables.figure_data import FigureData, Scores
from convergent_learning.tables.pairs import basis_pairs
from convergent_learning.tables.schema import named
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_tables
from convergent_learning.tables.summaries import basis_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

TITLE = "The privileged basis"
ABOUT = (
    "Permutation score with the learned axes and with the source network's axes rotated at "
    "random, after training and untrained, and the difference. Filled markers: adjusted p ≤ "
    "0.05. Bands and bars: 95% intervals over networks; grey: 95% of the rotations."
)
DATA = FigureData(
    tables=named("fig3_pairs", "fig3_null", "fig3"),
    scores=Scores.ENDS,
    rotated=True,
    pairs=basis_pairs,
    summaries=basis_means,
)

_METRIC = "permutation"
_NO_SCORES = "no rotated-basis scores"


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 3 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(
        tables, ["layers", "fig3"], _height, _panels, out_pdf, out_png, provenance
    )


def caption(tables: str | Path) -> str:
    """The caption, with n, draws and intervals taken from the tables."""
    fig3, groups = read_tables(tables, ["fig3", "groups"]).values()
    draws = int(np.nan_to_num(fig3.n_draws.max()))
    return (
        "A privileged basis. Permutation score of each layer with its learned axes (green) and "
        f"with the source network's axes rotated at random (grey band: 95% of {draws} draws; "
        f"line: their mean), {words.finished(groups)} and at step 0; right, learned minus "
        f"rotated. Filled markers: p ≤ {ALPHA} by rank among the draws, Benjamini–Hochberg over "
        "the layers of all groups that learn the same. Shaded: pooled features (squares) and "
        "logits (triangles); the logits' axes are fixed by the labels, and no test counts them. "
        f"{words.sizes(fig3)} {words.interval_sentence(fig3, 'learned_low')}"
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    kept, whose = words.of_one_kind(tables, "fig3")
    fig3 = kept["fig3"]
    blocks = fig3[fig3.role == "block"]
    means = blocks.groupby(blocks.stage == TRAINED)[["learned", "rotated"]].mean()
    said = [
        f"{words.when(trained, kept['groups'])} {row.learned:.2f} with the learned and "
        f"{row.rotated:.2f} with rotated axes"
        for trained, row in means.iterrows()
    ]
    text = "Curves of the permutation score across depth"
    return f"{text}. Mean over blocks{whose}: {'; '.join(said)}."


def _height(tables: Tables) -> float:
    return 14 + 44 * len(common.groups(tables))


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    names = common.groups(tables)
    axes = figure.subplots(len(names), 3, sharex=True, squeeze=False)
    fig3 = tables["fig3"][tables["fig3"].metric == _METRIC]
    for row, name in enumerate(names):
        rows = fig3[fig3.group == name]
        layers = tables["layers"][tables["layers"].group == name]
        stages = (TRAINED, words.finished(tables["groups"])), (UNTRAINED, "untrained (step 0)")
        for column, (stage, title) in enumerate(stages):
            ax = axes[row, column]
            style.panel(ax, style.nth_letter(3 * row + column), title if row == 0 else "")
            common.depth_axis(ax, layers)
            ax.axhline(0, color=style.GREY, linewidth=0.5)
            _scores(ax, rows[rows.stage == stage])
            if stage == UNTRAINED and common.is_given(tables["groups"], name):
                style.note(ax, "as given: no step 0")
            elif (rows.stage != stage).all():
                style.note(ax, f"{_NO_SCORES}\nat this step")
        _differences(axes[row, 2], rows)
        if rows.empty:
            style.note(axes[row, 2], _NO_SCORES)
        title = "learned − rotated" if row == 0 else ""
        style.panel(axes[row, 2], style.nth_letter(3 * row + 2), title)
        common.depth_axis(axes[row, 2], layers)
        axes[row, 2].set_ylabel("difference")
    titles = [common.title(tables, name) for name in names]
    common.name_rows(figure, axes[:, 0], titles, "held-out correlation")
    scores = common.score_limits(fig3, ["learned", "rotated"], ["learned_low", "learned_high"])
    differences = common.limits(fig3, ["difference"], ["difference_low", "difference_high"])
    for ax in axes[:, :2].flat:
        ax.set_ylim(scores)
    for ax in axes[:, 2]:
        ax.set_ylim(differences)
    for ax in axes[-1]:
        ax.set_xlabel("relative depth")
    common.legend_below(figure, _key(), 6)


def _scores(ax: Axes, rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    blocks = rows[rows.role == "block"]
    low, high = blocks.rotated_low, blocks.rotated_high
    ax.fill_between(blocks.depth, low, high, color=style.GREY, alpha=0.45, linewidth=0, zorder=2)
    ax.plot(blocks.depth, blocks.rotated, color=style.GREY, linewidth=0.8)
    apart = rows[rows.role != "block"]
    drawn = apart[["rotated", "rotated_low", "rotated_high"]]
    common.bars(ax, apart.depth, drawn, fmt="_", color=style.GREY, ms=5, elinewidth=2)
    colour = style.metric_colour(_METRIC)
    columns = ("learned", "learned_low", "learned_high")
    common.along_depth(ax, rows, colour, columns, mfc="white", ms=3)
    passed = rows[rows.p_adjusted <= ALPHA]
    for role, marker in (("block", "o"), ("pooled", "s")):
        of_role = passed[passed.role == role]
        ax.plot(of_role.depth, of_role.learned, marker, color=colour, ms=3, zorder=4)
    counted = rows.p_adjusted.notna().sum()
    text = f"{len(passed)} of {counted} layers p ≤ {ALPHA}"
    # Over the blocks: intervals of the pooled features and logits reach the top.
    ax.text(0.42, 0.97, text, transform=ax.transAxes, ha="center", va="top", fontsize=6)


def _differences(ax: Axes, rows: pd.DataFrame) -> None:
    columns = ("difference", "difference_low", "difference_high")
    ax.axhline(0, color=style.GREY, linewidth=0.5)
    untrained, trained = rows[rows.stage == UNTRAINED], rows[rows.stage == TRAINED]
    common.along_depth(ax, untrained, style.GREY, columns, linestyle="--", marker=".")
    common.along_depth(ax, trained, style.metric_colour(_METRIC), columns)


def _key() -> list[Line2D | Patch]:
    colour = style.metric_colour(_METRIC)
    return [
        common.key(f"learned, p ≤ {ALPHA}", color=colour, marker="o"),
        common.key(f"learned, p > {ALPHA}", color=colour, marker="o", mfc="white"),
        common.patch("rotated axes", color=style.GREY, alpha=0.45),
        common.key("untrained difference", color=style.GREY, ls="--", marker="."),
        common.key("pooled features", color=colour, ls="", marker="s", mfc="white"),
        common.key("logits", color=colour, ls="", marker="^", mfc="white"),
    ]
