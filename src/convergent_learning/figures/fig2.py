"""Figure 2: the four metrics across depth, with untrained networks and the shuffled null."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from convergent_learning.figures import common, style

_LABEL = "held-out correlation"


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 2 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(
        tables, ["datasets", "layers", "fig2"], _height, _panels, out_pdf, out_png, provenance
    )


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    loaded = common.load(tables, ["fig2"])
    fig2 = loaded["fig2"]
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
        f"of seeds within a group; pairs across groups{lines}, each layer with the "
        "one nearest in depth. Solid, after training; dashed grey, the same networks untrained"
        f"{shuffled}; thin coloured line, unit-centred scores after training, which credit the "
        "mean image that all networks share. Shaded: pooled features (squares) and logits "
        "(triangles), which are no blocks. "
        f"{common.sizes(within, 'group_x')}{_across(fig2)} "
        f"{common.interval_sentence(fig2)}"
    )


def _across(fig2: pd.DataFrame) -> str:
    """How many pairs the rows across groups rest on."""
    across = fig2[fig2.group_x != fig2.group_y]
    said = [
        f"{_pair_label(x, y)}, {int(rows.n_pairs.max())} pairs"
        for (x, y), rows in across.groupby(["group_x", "group_y"], sort=False)
    ]
    return f" Across: {'; '.join(said)}." if said else ""


def _rows(tables: common.Tables) -> list[list[tuple[str, str]]]:
    """Pairs of groups by row: each with itself, then across; those of many share a row."""
    names = common.groups(tables)
    fig2 = tables["fig2"]
    present = set(zip(fig2.group_x, fig2.group_y, strict=True))
    within = [[(a, a)] for a in names if (a, a) in present]
    across = [(a, b) for a in names for b in names if a != b and (a, b) in present]
    together = [across] if len(across) > 1 else [[pair] for pair in across]
    return within + together


def _height(tables: common.Tables) -> float:
    return 12 + 38 * max(len(_rows(tables)), 1)


def _panels(figure: Figure | SubFigure, tables: common.Tables) -> None:
    rows = _rows(tables) or [[(a, a)] for a in common.groups(tables)]
    axes = figure.subplots(len(rows), len(style.METRICS), sharex=True, sharey=True, squeeze=False)
    fig2, final = tables["fig2"], common.final_step(tables)
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
                    _thin_curves(ax, of_metric, final, metric)
                else:
                    common.depth_axis(ax, layers)
                    _curves(ax, of_metric, layers, final, metric)
        axes[row, 0].set_ylabel(f"{_row_label(pairs)}\n{_LABEL}")
    axes[0, 0].set_ylim(min(-0.05, fig2["low"].clip(lower=-0.2).min()), 1.02)
    for ax in axes[-1]:
        ax.set_xlabel("relative depth")
    figure.legend(handles=_key(), loc="outside lower center", ncols=6, handlelength=2.2)


def _row_label(pairs: list[tuple[str, str]]) -> str:
    return _pair_label(*pairs[0]) if len(pairs) == 1 else "across groups"


def _pair_label(x: str, y: str) -> str:
    first, second = style.group(x), style.group(y)
    return first if x == y else f"{first} – {second}"


def _curves(ax: Axes, rows: pd.DataFrame, layers: pd.DataFrame, final: int, metric: str) -> None:
    if rows.empty:
        style.note(ax, "no layers of\nequal width")
        return
    colour, grey = style.metric_colour(metric), style.GREY
    centred = rows[rows.center == "position"]
    learned = centred[centred.baseline == "learned"]
    trained, untrained = learned[learned.step == final], learned[learned.step == 0]
    # Permutation across groups exists only where widths agree: points, not a curve.
    join = set(layers[layers.role == "block"].layer) <= set(trained.layer_x)
    common.along_depth(ax, untrained, grey, join=join, linestyle="--", marker=".", zorder=2.5)
    shuffled = centred[(centred.baseline == "shuffled") & (centred.step == final)]
    blocks = shuffled[shuffled.role == "block"]
    ax.plot(blocks.depth, blocks["mean"], ":", color=grey)
    common.band(ax, blocks.depth, blocks["low"], blocks["high"], grey)
    unit = rows[(rows.baseline == "learned") & (rows.center == "unit") & (rows.step == final)]
    unit = unit[unit.role == "block"]
    ax.plot(unit.depth, unit["mean"], "-", color=colour, linewidth=0.6)
    common.along_depth(ax, trained, colour, join=join)


def _thin_curves(ax: Axes, rows: pd.DataFrame, final: int, metric: str) -> None:
    """The blocks of one of many pairs of groups: no bands, which would hide each other."""
    learned = rows[(rows.baseline == "learned") & (rows.center == "position")]
    learned = learned[learned.role == "block"].sort_values("depth")
    for step, colour, dashes in ((0, style.GREY, "--"), (final, style.metric_colour(metric), "-")):
        curve = learned[learned.step == step]
        ax.plot(curve.depth, curve["mean"], dashes, color=colour, linewidth=0.7)


def _key() -> list[Line2D]:
    def line(label: str, **how: object) -> Line2D:
        return Line2D([], [], label=label, **({"color": style.INK} | how))

    return [
        line("trained", marker="o"),
        line("trained, unit-centred", linewidth=0.6),
        line("untrained", color=style.GREY, linestyle="--", marker="."),
        line("shuffled stimuli", color=style.GREY, linestyle=":"),
        line("pooled features", linestyle="", marker="s", mfc="white"),
        line("logits", linestyle="", marker="^", mfc="white"),
    ]
