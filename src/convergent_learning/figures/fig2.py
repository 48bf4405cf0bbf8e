"""Figure 2: the four metrics across depth, with untrained networks and the shuffled null."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from convergent_learning.figures import common, style

_LABEL = "held-out correlation"


def draw(tables: str | Path, out_pdf: str | Path, out_png: str | Path) -> None:
    """Draw figure 2 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(
        tables, ["datasets", "layers", "fig2"], _height, _panels, out_pdf, out_png
    )


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    loaded = common.load(tables, ["fig2"])
    fig2 = loaded["fig2"]
    within = fig2[fig2.architecture_x == fig2.architecture_y]
    null = fig2[(fig2.baseline == "shuffled") & (fig2.center == "position")]["mean"].abs().max()
    shuffled = (
        f"; dotted grey, stimuli shuffled (at most {null:.3f} from 0)" if null == null else ""
    )
    return (
        "Alignment across depth by four metrics: mean over target units of the held-out "
        "correlation between mapped and actual responses, both directions averaged. Rows: pairs "
        "of seeds within an architecture; pairs across architectures, each layer with the one "
        "nearest in depth. Solid, after training; dashed grey, the same networks untrained"
        f"{shuffled}; thin coloured line, unit-centred scores after training, which credit the "
        "mean image that all networks share. Shaded: pooled features (squares) and logits "
        "(triangles), which are no blocks. "
        f"{common.sizes(within, 'architecture_x')} {common.interval_sentence(fig2)}"
    )


def _rows(tables: common.Tables) -> list[tuple[str, str]]:
    """Pairs of architectures: each with itself, then across."""
    names = common.architectures(tables)
    fig2 = tables["fig2"]
    present = set(zip(fig2.architecture_x, fig2.architecture_y, strict=True))
    order = [(a, a) for a in names] + [(a, b) for a in names for b in names if a != b]
    return [pair for pair in order if pair in present]


def _height(tables: common.Tables) -> float:
    return 12 + 38 * max(len(_rows(tables)), 1)


def _panels(figure: Figure | SubFigure, tables: common.Tables) -> None:
    pairs = _rows(tables) or [(a, a) for a in common.architectures(tables)]
    axes = figure.subplots(len(pairs), len(style.METRICS), sharex=True, sharey=True, squeeze=False)
    fig2, final = tables["fig2"], common.final_step(tables)
    for row, (x, y) in enumerate(pairs):
        of_pair = fig2[(fig2.architecture_x == x) & (fig2.architecture_y == y)]
        layers = tables["layers"][tables["layers"].architecture == x]
        for column, metric in enumerate(style.METRICS):
            ax = axes[row, column]
            letter = "abcdefghij"[row] if column == 0 else ""
            style.panel(ax, letter, style.metric_label(metric) if row == 0 else "")
            common.depth_axis(ax, layers)
            ax.axhline(0, color=style.GREY, linewidth=0.5)
            _curves(ax, of_pair[of_pair.metric == metric], layers, final, metric)
        axes[row, 0].set_ylabel(f"{_pair_label(x, y)}\n{_LABEL}")
    axes[0, 0].set_ylim(min(-0.05, fig2["low"].clip(lower=-0.2).min()), 1.02)
    for ax in axes[-1]:
        ax.set_xlabel("relative depth")
    figure.legend(handles=_key(), loc="outside lower center", ncols=6, handlelength=2.2)


def _pair_label(x: str, y: str) -> str:
    first, second = style.architecture(x), style.architecture(y)
    return first if x == y else f"{first} – {second}"


def _curves(ax: Axes, rows: pd.DataFrame, layers: pd.DataFrame, final: int, metric: str) -> None:
    if rows.empty:
        style.note(ax, "no layers of\nequal width")
        return
    colour, grey = style.metric_colour(metric), style.GREY
    centred = rows[rows.center == "position"]
    learned = centred[centred.baseline == "learned"]
    trained, untrained = learned[learned.step == final], learned[learned.step == 0]
    # Permutation across architectures exists only where widths agree: points, not a curve.
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
