"""Scores across depth of networks that were compared at a prompt, in the manner of figure 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convergent_learning.figures import common, style
from convergent_learning.tables.depth import nearest_depth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MOST_COLUMNS = 4
_DISTINCT = 6  # pairs of networks that colours tell apart


def depth_plot(scores: pd.DataFrame) -> Figure:
    """Scores across depth, a panel for each metric; both directions averaged.

    Each line is a pair of networks: every layer of the first with the layer of the second that is
    nearest in depth, where the metric has a score. More than 6 pairs are drawn thin and in one
    colour, with their mean, for which lines are interpolated between their layers.

    Parameters
    ----------
    scores : DataFrame
        Rows of a `Comparison`.

    Returns
    -------
    matplotlib Figure, at most 183 mm wide
    """
    curves = _curves(scores)
    metrics = list(dict.fromkeys(curves.metric))
    pairs = list(dict.fromkeys(zip(scores.network_x, scores.network_y, strict=True)))
    columns = min(len(metrics), _MOST_COLUMNS)
    rows = -(-len(metrics) // columns)
    with style.applied():
        width = style.ONE_COLUMN if columns == 1 else style.TWO_COLUMNS
        made = style.figure(46 * rows + 10, width, style.SHOWN_DPI)
        axes = made.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for ax in axes.flat[len(metrics) :]:
            ax.set_axis_off()
        for ax, metric in zip(axes.flat, metrics, strict=False):
            style.panel(ax, "", style.metric_label(metric))
            ax.axhline(0, color=style.GREY, linewidth=0.5)
            of_metric = curves[curves.metric == metric]
            if len(pairs) <= _DISTINCT:
                _distinct(ax, of_metric, pairs)
            else:
                _with_mean(ax, of_metric, style.metric_colour(metric))
        axes[0, 0].set_xlim(-0.05, 1.05)
        axes[0, 0].set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes[0, 0].set_ylim(min(-0.05, curves.score.min() - 0.05), max(1.02, curves.score.max()))
        axes[0, 0].yaxis.set_major_locator(style.ticks())
        for ax in axes[:, 0]:
            ax.set_ylabel(style.score_label(metrics))
        for ax in axes.flat[max(len(metrics) - columns, 0) : len(metrics)]:
            ax.set_xlabel("relative depth")
            ax.tick_params(labelbottom=True)
        key = _key(pairs)
        widest = 12 + style.LETTER * max(len(str(line.get_label())) for line in key)
        common.legend_below(made, key, max(1, min(3, int(width / widest))))
        return style.settled(made)


def _curves(scores: pd.DataFrame) -> pd.DataFrame:
    """network_x, network_y, metric, depth and score of each layer of x with its nearest of y."""
    if scores.empty:
        raise ValueError("there are no scores to draw: select rows of a comparison that has some")
    keys = ["network_x", "network_y"]
    curves = []
    for _, rows in pd.DataFrame(scores).groupby(keys, sort=False):
        x, y = (
            rows[[f"layer_{side}", f"depth_{side}"]].drop_duplicates().reset_index(drop=True)
            for side in "xy"
        )
        nearest = nearest_depth(x.depth_x.to_numpy(), y.depth_y.to_numpy())
        x["layer_y"] = y.layer_y.to_numpy()[nearest]
        met = rows.merge(x[["layer_x", "layer_y"]], on=["layer_x", "layer_y"])
        by = [*keys, "metric", "layer_x", "depth_x"]
        curves.append(met.groupby(by, sort=False, as_index=False).score.mean())
    found = pd.concat(curves).rename(columns={"depth_x": "depth"})
    if found.empty:
        raise ValueError("no layer has a score with the one nearest in depth: draw a heatmap")
    return found.sort_values("depth", kind="stable")


def _of_pair(curves: pd.DataFrame, pair: Sequence[str]) -> pd.DataFrame:
    return curves[(curves.network_x == pair[0]) & (curves.network_y == pair[1])]


def _distinct(ax: Axes, curves: pd.DataFrame, pairs: Sequence[Sequence[str]]) -> None:
    for place, pair in enumerate(pairs):
        colour, marker = _look(place, len(pairs))
        curve = _of_pair(curves, pair)
        ax.plot(curve.depth, curve.score, color=colour, marker=marker)


def _look(place: int, count: int) -> tuple[str, str]:
    return (style.INK, "o") if count == 1 else style.nth_group(place)


def _with_mean(ax: Axes, curves: pd.DataFrame, colour: str) -> None:
    grid = np.linspace(0, 1, 101)
    means = []
    for _, curve in curves.groupby(["network_x", "network_y"], sort=False):
        ax.plot(curve.depth, curve.score, color=colour, linewidth=0.4, alpha=0.5)
        means.append(np.interp(grid, curve.depth, curve.score, left=np.nan, right=np.nan))
    mean = np.mean(means, axis=0)
    ax.plot(grid, mean, color=colour, linewidth=1.6)


def _key(pairs: Sequence[Sequence[str]]) -> list[Line2D]:
    if len(pairs) > _DISTINCT:
        return [
            common.key(f"each of {len(pairs)} pairs of networks", linewidth=0.4),
            common.key("their mean", linewidth=1.6),
        ]
    looks = [_look(place, len(pairs)) for place in range(len(pairs))]
    return [
        common.key(f"{x} – {y}", color=colour, marker=marker)
        for (x, y), (colour, marker) in zip(pairs, looks, strict=True)
    ]
