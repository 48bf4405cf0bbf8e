"""The depth plot of the page: figure 2 with switches for the metric and the networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.figures import style
from convergent_learning.report import plots
from convergent_learning.tables.storage import read_table

_ALL = "all"
_COLUMNS = ["Layer", "Curve", "Depth", "Score", "95% interval", "n"]
_SERIES = {
    "trained": {},
    "untrained": {"colour": style.GREY, "dash": "dash"},
    "shuffled stimuli": {"colour": style.GREY, "dash": "dot", "width": 1.5},
    "trained, unit-centred": {"width": 1.0},
}


def depth_plot(tables: Path) -> plots.Plot:
    """Every curve of figure 2, and the context measures that it has no room for."""
    fig2, datasets = read_table(tables, "fig2"), read_table(tables, "datasets")
    layers = read_table(tables, "layers")
    final = dict(zip(datasets.dataset, datasets.final_step.astype(int), strict=True))
    curves: list[dict[str, Any]] = []
    keys = ["dataset", "group_x", "group_y", "metric"]
    for (dataset, x, y, metric), rows in fig2.groupby(keys, sort=False):
        own = layers[(layers.dataset == dataset) & (layers.group == x)]
        blocks = set(own[own.role == "block"].layer)
        shown = {"dataset": [dataset], "networks": [_pair(x, y)], "metric": [metric]}
        curves += _curves(rows, metric, shown, blocks, final[dataset])
    lowest = min(-0.05, fig2[["mean", "low"]].clip(lower=-0.2).min(axis=None))
    panel = plots.Panel(
        "depth",
        "Alignment across depth",
        "relative depth",
        "alignment score",
        _COLUMNS,
        (-0.05, 1.05),
        (float(lowest), 1.03),
        curves,
    )
    return plots.Plot(
        "depth-plot",
        "Interactive: alignment across depth",
        [
            plots.Switch("dataset", "Dataset", {"": {name: name for name in datasets.dataset}}),
            plots.Switch("networks", "Networks", {"": _pairs(fig2)}),
            plots.Switch("metric", "Metric", _metrics(fig2)),
        ],
        [panel],
        ["tables/fig2.csv"],
    )


def _pair(x: str, y: str) -> str:
    return f"{x} {y}"


def _pairs(fig2: pd.DataFrame) -> dict[str, str]:
    """Within groups first, then across."""
    pairs = fig2[["group_x", "group_y"]].drop_duplicates()
    named = {
        _pair(x, y): style.group(x) if x == y else f"{style.group(x)} – {style.group(y)}"
        for x, y in pairs.itertuples(index=False)
    }
    return dict(sorted(named.items(), key=lambda item: "–" in item[1]))


def _metrics(fig2: pd.DataFrame) -> dict[str, dict[str, str]]:
    present = list(dict.fromkeys(fig2.metric))
    scores = {m: style.metric_label(m) for m in style.METRICS if m in present}
    context = {m: style.metric_label(m) for m in present if m not in style.METRICS}
    first = {"procrustes": scores.pop("procrustes")} if "procrustes" in scores else {}
    groups = {"Scores": first | scores | {_ALL: "All scores, trained"}}
    return groups | ({"Context, in no claim": context} if context else {})


def _curves(
    rows: pd.DataFrame, metric: str, shown: plots.Shown, blocks: set[str], final: int
) -> list[dict[str, Any]]:
    learned, centred = rows.baseline == "learned", rows.center == "position"
    drawn = {
        "trained": rows[learned & centred & (rows.step == final)],
        "untrained": rows[learned & centred & (rows.step == 0)],
        "shuffled stimuli": rows[~learned & centred & (rows.step == final)],
        "trained, unit-centred": rows[learned & ~centred & (rows.step == final)],
    }
    curves: list[dict[str, Any]] = []
    for series, points in drawn.items():
        if points.empty:
            continue
        label = f"{style.metric_label(metric)}, {series}"
        in_all = series == "trained" and metric in style.METRICS
        curves += plots.curve(
            points,
            shown | ({"metric": [metric, _ALL]} if in_all else {}),
            label,
            join=blocks <= set(points.layer_x),
            numbers=_numbers(points, label),
            **({"colour": style.metric_colour(metric)} | _SERIES[series]),
        )
    return curves


def _numbers(points: pd.DataFrame, label: str) -> pd.DataFrame:
    within = points.group_x == points.group_y
    layers = points.layer_x.where(within, points.layer_x + " – " + points.layer_y)
    values = [
        list(layers),
        [label] * len(points),
        [f"{depth:.2f}" for depth in points.depth],
        [plots.text(value) for value in points["mean"]],
        plots.interval_text(points.low, points.high),
        plots.count_text(points),
    ]
    return pd.DataFrame(dict(zip(_COLUMNS, values, strict=True)))
