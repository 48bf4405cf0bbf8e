"""Alignment across depth: figure 2 with switches for the metric and the networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.figures import fig2, style, words
from convergent_learning.report import plots
from convergent_learning.tables.storage import read_tables, with_stages

_ALL = "all"
_SAID = ["Layer", "Curve", "Depth"]
_LOOKS: dict[str, dict[str, Any]] = {
    "trained": {},
    "untrained": {"colour": style.GREY, "dash": "dash"},
    "shuffled stimuli": {"colour": style.GREY, "dash": "dot", "width": 1.5},
    "trained, unit-centred": {"width": 1.0},
}


def plot(tables: Path) -> plots.Plot:
    """Every curve of figure 2, and the context metrics that it has no room for."""
    frames = with_stages(read_tables(tables, ("fig2", "datasets", "groups", "layers")))
    means, datasets, groups, layers = frames.values()
    curves: list[plots.Curve] = []
    keys = ["dataset", "group_x", "group_y", "metric"]
    for (dataset, x, y, metric), rows in means.groupby(keys, sort=False):
        own = layers[(layers.dataset == dataset) & (layers.group == x)]
        shown: plots.Shown = {"dataset": [dataset], "networks": [f"{x} {y}"], "metric": [metric]}
        of_pair = groups[(groups.dataset == dataset) & groups.group.isin((x, y))]
        for name, points in fig2.series(rows).items():
            said = re.sub("^trained", words.finished(of_pair), name)
            curves += _curve(points, name, said, metric, shown, fig2.joined(own, points))
    lowest = min(-0.05, means[["mean", "low"]].clip(lower=-0.2).min(axis=None))
    panel = plots.Panel(
        "depth",
        "Alignment across depth",
        "relative depth",
        "alignment score",
        _SAID,
        "Score",
        (-0.05, 1.05),
        (float(lowest), 1.03),
        curves,
    )
    return plots.Plot(
        "depth-plot",
        "Interactive: alignment across depth",
        [
            plots.Switch("dataset", "Dataset", {"": {name: name for name in datasets.dataset}}),
            plots.Switch("networks", "Networks", {"": _pairs(means)}),
            plots.Switch("metric", "Metric", _metrics(means, words.finished(groups))),
        ],
        [panel],
        ["tables/fig2.csv"],
    )


def _curve(
    points: pd.DataFrame, series: str, said: str, metric: str, shown: plots.Shown, join: bool
) -> list[plots.Curve]:
    label = f"{style.metric_label(metric)}, {said}"
    if series == "trained" and style.is_drawn(metric):
        shown = shown | {"metric": [metric, _ALL]}
    within = points.group_x == points.group_y
    layers = points.layer_x.where(within, points.layer_x + " – " + points.layer_y)
    columns = zip(_SAID, (layers, label, points.depth.map("{:.2f}".format)), strict=True)
    look = {"colour": style.metric_colour(metric)} | _LOOKS[series]
    return plots.curve(points, shown, label, said=dict(columns), join=join, **look)


def _pairs(means: pd.DataFrame) -> dict[str, str]:
    """Within groups first, then across."""
    pairs = means[["group_x", "group_y"]].drop_duplicates()
    pairs = pairs.iloc[(pairs.group_x != pairs.group_y).argsort(kind="stable")]
    return {f"{x} {y}": style.pair(x, y) for x, y in pairs.itertuples(index=False)}


def _metrics(means: pd.DataFrame, finished: str) -> dict[str, dict[str, str]]:
    present = list(dict.fromkeys(means.metric))
    scores = {m: style.metric_label(m) for m in style.metrics(means)}
    context = {m: style.metric_label(m) for m in present if not style.is_drawn(m)}
    first = {"procrustes": scores.pop("procrustes")} if "procrustes" in scores else {}
    groups = {"Scores": first | scores | {_ALL: f"All scores, {finished}"}}
    return groups | ({"Context, in no claim": context} if context else {})
