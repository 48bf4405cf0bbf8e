"""Layer × layer maps of networks that were compared at a prompt, in the manner of figure 4."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from convergent_learning.figures import style
from convergent_learning.figures.fig4 import draw_map
from convergent_learning.tables.depth import nearest_depth
from convergent_learning.tables.matches import best_matches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_PREFERRED = "procrustes"  # the metric of figure 4
_MOST_NETWORKS = 8  # whose maps are still legible on one page
_LINE, _NUMBER = 2.6, 4.2  # mm that a line of text and a number take
_LONGEST = 20  # letters of a layer's name; longer ones leave no room for the map
_WIDEST_MAP = 58.0  # mm
_MARGIN = 24.0  # mm beside the maps: names of layers and the colour bar


def heatmap(
    scores: pd.DataFrame, metric: str | None = None, pair: tuple[str, str] | None = None
) -> Figure:
    """Scores of every source layer (rows) mapped onto every target layer (columns).

    Of two networks: both directions, under each metric. Of more: all directed pairs under one
    metric, the sources below each other. Circles mark the source layer that best matches each
    target layer; the line is equal rank in depth.

    Parameters
    ----------
    scores : DataFrame
        Rows of a `Comparison`.
    metric : str, optional
        Default: of two networks all metrics; of more Procrustes, or else the first metric.
    pair : two network names, optional
        These networks only.

    Returns
    -------
    matplotlib Figure, at most 183 mm wide

    Raises
    ------
    ValueError
        A metric or network without rows, naming those that have some; more than 8 networks.
    """
    directed = _directed(scores)
    metrics = list(dict.fromkeys(scores.metric))
    networks = list(dict.fromkeys([*scores.network_x, *scores.network_y]))
    if metric is not None:
        _check_known("metric", [metric], metrics)
    if pair is not None:
        _check_known("network", pair, networks)
    shown = list(networks if pair is None else pair)
    chosen = metrics if metric is None else [metric]
    if len(shown) > _MOST_NETWORKS:
        raise ValueError(
            f"the maps of {len(shown)} networks do not fit one figure: pass "
            f"pair=({shown[0]!r}, {shown[1]!r}), or select the rows of {_MOST_NETWORKS} networks"
        )
    with style.applied():
        if len(shown) == 2:
            return style.settled(_both_directions(directed, shown, chosen))
        return style.settled(
            _all_directions(directed, shown, _PREFERRED if _PREFERRED in chosen else chosen[0])
        )


def _directed(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows with source and target (networks), source_layer … target_depth, metric and mean."""
    ends = {}
    for source, target, direction in (("x", "y", "x->y"), ("y", "x", "y->x")):
        names = {f"network_{source}": "source", f"network_{target}": "target", "score": "mean"}
        for end, side in (("source", source), ("target", target)):
            names |= {f"layer_{side}": f"{end}_layer", f"depth_{side}": f"{end}_depth"}
        ends[direction] = pd.DataFrame(scores[scores.direction == direction]).rename(columns=names)
    rows = pd.concat(ends.values())
    if rows.empty:
        raise ValueError("there are no scores to draw: select rows of a comparison that has some")
    return rows


def _layers(directed: pd.DataFrame, network: str) -> pd.DataFrame:
    """layer and depth of a network's layers, in the order of their depths."""
    ends = [
        directed.loc[directed[end] == network, [f"{end}_layer", f"{end}_depth"]].to_numpy()
        for end in ("source", "target")
    ]
    layers = pd.DataFrame(np.concatenate(ends), columns=["layer", "depth"])
    return (
        layers.drop_duplicates("layer").astype({"depth": float}).sort_values("depth", kind="stable")
    )


def _check_known(what: str, asked: Iterable[str], known: Sequence[str]) -> None:
    for name in asked:
        if name not in known:
            raise ValueError(f"no scores of the {what} {name!r}: there are {', '.join(known)}")


class _Cells(NamedTuple):
    """What `draw_map` takes, and the names of the layers on both axes."""

    rows: pd.DataFrame
    sources: list[str]
    targets: list[str]


def _cells(directed: pd.DataFrame, source: str, target: str, metric: str) -> _Cells:
    """The cells of a map. Layers stand in the order of their depths, and are placed by rank."""
    sources, targets = _layers(directed, source), _layers(directed, target)
    rows = directed[(directed.source == source) & (directed.target == target)]
    square = rows[rows.metric == metric].pivot(
        index="source_layer", columns="target_layer", values="mean"
    )
    square = square.reindex(index=sources.layer, columns=targets.layer)
    counterpart = nearest_depth(targets.depth.to_numpy(), sources.depth.to_numpy())
    scores = square.to_numpy(float)
    best = best_matches(scores, counterpart)
    places = list(itertools.product(range(len(square)), range(len(square.columns))))
    cells = pd.DataFrame(places, columns=["source_depth", "target_depth"])
    cells = cells.assign(mean=scores.ravel(), source_role="block", target_role="block")
    cells["best"] = best[cells.target_depth] == cells.source_depth
    return _Cells(cells, list(sources.layer), list(targets.layer))


def _both_directions(directed: pd.DataFrame, networks: list[str], metrics: list[str]) -> Figure:
    """A column for each metric, a row for each direction; of one metric the other way round."""
    ends = networks, networks[::-1]
    maps = [[(*way, metric) for metric in metrics] for way in ends]
    if len(metrics) == 1:
        maps = [[row[0] for row in maps]]
    count = len(maps[0])
    side = min(_WIDEST_MAP, (style.TWO_COLUMNS - _MARGIN) / count)
    names = _room_for_names(directed, networks, side)
    width = min(count * side + _MARGIN + names, style.TWO_COLUMNS)
    made = style.figure(len(maps) * (side + 8 + 0.75 * names) + 6, width, style.SHOWN_DPI)
    axes = made.subplots(len(maps), count, squeeze=False)
    scale = _scale(directed, networks, metrics)
    meshes = []
    for (row, column), ax in np.ndenumerate(axes):
        source, target, metric = maps[row][column]
        left = column == 0 or source != maps[row][column - 1][0]
        cells = _cells(directed, source, target, metric)
        meshes.append(_draw(ax, cells, scale, side, names > 0))
        ax.tick_params(labelleft=left)
        ax.set_xlabel(f"target: {target}")
        if row == 0:
            style.panel(ax, "", style.metric_label(metric))
        if left:
            ax.set_ylabel(f"source: {source}")
    _bar(made, meshes, axes, metrics)
    return made


def _all_directions(directed: pd.DataFrame, networks: list[str], metric: str) -> Figure:
    """Sources below each other, targets beside each other; names on the diagonal."""
    count = len(networks)
    side = min(_WIDEST_MAP, (style.TWO_COLUMNS - _MARGIN) / count)
    names = _room_for_names(directed, networks, side) if count == 3 else 0
    width = min(count * side + _MARGIN + names, style.TWO_COLUMNS)
    made = style.figure(width - 8 + names / 2, width, style.SHOWN_DPI)
    axes = made.subplots(count, count, squeeze=False)
    scale = _scale(directed, networks, [metric])
    meshes = []
    for (row, column), ax in np.ndenumerate(axes):
        if row == column:
            ax.set_axis_off()
            name = textwrap.fill(networks[row], int(side / style.LETTER) - 4)
            ax.text(0.5, 0.5, name, transform=ax.transAxes, ha="center", va="center")
            continue
        cells = _cells(directed, networks[row], networks[column], metric)
        meshes.append(_draw(ax, cells, scale, side, names > 0))
        outer = column == (row == 0), row == count - 1 - (column == count - 1)
        ax.tick_params(labelleft=outer[0], labelbottom=outer[1])
    made.supylabel("source", fontsize=7)
    made.supxlabel("target", fontsize=7)
    made.suptitle(style.metric_label(metric), fontsize=7)
    _bar(made, meshes, axes, [metric])
    return made


def _scale(directed: pd.DataFrame, networks: list[str], metrics: list[str]) -> tuple[float, float]:
    """One colour scale for all maps of a figure."""
    shown = directed[directed.source.isin(networks) & directed.target.isin(networks)]
    values = shown[shown.metric.isin(metrics)]["mean"]
    return min(0.0, values.min()), values.max()


def _draw(
    ax: Axes, cells: _Cells, scale: tuple[float, float], side: float, named: bool
) -> QuadMesh | None:
    """A map of `side` mm, its layers `named` or else numbered."""
    rows = cells.rows if cells.rows["mean"].notna().any() else cells.rows.iloc[:0]
    mesh = draw_map(ax, rows, *scale, len(cells.sources))
    if mesh is not None:
        for axis, names in ((ax.yaxis, cells.sources), (ax.xaxis, cells.targets)):
            axis.set_ticks(np.arange(len(names)) + 0.5, names if named else _numbers(names, side))
        if named:
            ax.tick_params(axis="x", rotation=90)
        room = side / max(len(cells.targets), len(cells.sources))
        ax.lines[-1].set_markersize(min(3, 2.5 * room))
    return mesh


def _room_for_names(directed: pd.DataFrame, networks: list[str], side: float) -> float:
    """Mm that the names of all layers take beside maps of `side` mm; 0 if there is no room."""
    layers = [_layers(directed, network).layer for network in networks]
    longest = max(len(name) for names in layers for name in names)
    fit = longest <= _LONGEST and all(len(names) * _LINE <= side - 6 for names in layers)
    return longest * style.LETTER if fit else 0


def _numbers(names: list[str], side: float) -> list[str]:
    every = int(-(-len(names) * _NUMBER // side))
    return [str(i + 1) if i % every == 0 else "" for i in range(len(names))]


def _bar(
    made: Figure, meshes: Sequence[QuadMesh | None], axes: np.ndarray, metrics: Iterable[str]
) -> None:
    drawn = [mesh for mesh in meshes if mesh is not None]
    if drawn:
        bar = made.colorbar(
            drawn[0], ax=list(axes.flat), fraction=0.03, pad=0.01, aspect=40, ticks=style.ticks()
        )
        bar.set_label(style.score_label(metrics))
        bar.outline.set_visible(False)
