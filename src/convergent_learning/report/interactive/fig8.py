"""Recordings: figure 8 with switches for the system and the metric."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convergent_learning.figures import common, fig8, style
from convergent_learning.report import plots
from convergent_learning.report.recordings_table import recordings_table
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import of_dataset, read_tables, with_stages

_ALONG_DEPTH = ["Layer", "Networks", "Depth"]
_OVER_TRAINING = ["Networks", "Epoch"]
_DIRECTIONS = {"": "", "to": ", layer to recording", "from": ", recording to layer"}
listing = recordings_table

_KEYS = ["dataset", "recording", "system", "metric", "direction"]


def plot(tables: Path) -> plots.Plot | None:
    """Scores of every metric by depth and over training; None without scores."""
    names = ("datasets", "groups", "layers", "recordings", "fig8")
    frames = with_stages(read_tables(tables, names))
    datasets, _, _, recordings, scores = frames.values()
    scores = scores[scores["mean"].notna()]
    if scores.empty:
        return None
    looks = {
        dataset: fig8.looks_of(common.groups(of_dataset(frames, dataset)))
        for dataset in datasets.dataset
    }
    by_depth: list[plots.Curve] = []
    by_epoch: list[plots.Curve] = []
    for key, rows in scores.groupby(_KEYS, sort=False):
        dataset, recording, system, metric, direction = map(str, key)
        shown = _shown(dataset, recording, system, metric, direction)
        for group, (colour, marker) in looks[dataset].items():
            own = rows[rows.group == group]
            look = {"colour": colour, "marker": marker}
            by_depth += _depth_curves(own, group, shown, look)
            by_epoch += _epoch_curve(own, group, shown, look)
        if metric == "rsa":
            ceiling = _ceiling(recordings, recording, system, shown)
            by_depth += [curve | {"x": [-0.05, 1.05]} for curve in ceiling]
            by_epoch += [curve | {"x": [0, float(rows.epoch.max())]} for curve in ceiling]
    ceilings = recordings.rename(columns={"ceiling_high": "mean"})
    low, high = common.limits(pd.concat([scores, ceilings]), ["mean"], ["mean"])
    panels = [
        plots.Panel(
            "recording-depth",
            "Score by depth",
            "relative depth",
            "score",
            _ALONG_DEPTH,
            "Score",
            (-0.05, 1.05),
            (low, high),
            by_depth,
        ),
        plots.Panel(
            "recording-training",
            "Last third of the blocks over training",
            common.time_unit(frames["groups"], scores),
            "score",
            _OVER_TRAINING,
            "Score",
            (-0.05, float(scores.epoch.max()) + 0.05),
            (low, high),
            by_epoch,
        ),
    ]
    systems = {
        _system(row.recording, row.system): f"{row.recording}, {row.system}"
        for row in recordings.itertuples()
    }
    metrics = scores[["metric", "direction"]].drop_duplicates().itertuples(index=False)
    choices = {
        _metric(*of): f"{style.metric_label(of.metric)}{_DIRECTIONS[of.direction]}"
        for of in metrics
    }
    for lacking in _lacking(scores, datasets.dataset, systems, choices):
        by_depth.append(lacking)
        by_epoch.append(lacking)
    switches = [
        plots.Switch("dataset", "Dataset", {"": {name: name for name in datasets.dataset}}),
        plots.Switch("system", "System", {"": systems}),
        plots.Switch("metric", "Metric", {"": choices}),
    ]
    title = "Interactive: networks and brains"
    return plots.Plot("recording-plot", title, switches, panels, ["tables/fig8.csv"])


def _lacking(
    scores: pd.DataFrame, datasets: Iterable[str], systems: Iterable[str], metrics: Iterable[str]
) -> list[plots.Curve]:
    """What the legend says at settings without a score."""
    there = {
        (row.dataset, _system(row.recording, row.system), _metric(row.metric, row.direction))
        for row in scores[_KEYS].drop_duplicates().itertuples()
    }
    return [
        {
            "shown": {"dataset": [dataset], "system": [system], "metric": [metric]},
            "type": "scatter",
            "mode": "lines",
            "name": "not scored: dissimilarities have RSA alone",
            "x": [None],
            "y": [None],
            "line": {"color": style.GREY, "width": 1},
            "showlegend": True,
        }
        for dataset, system, metric in product(datasets, systems, metrics)
        if (dataset, system, metric) not in there
    ]


def _shown(dataset: str, recording: str, system: str, metric: str, direction: str) -> plots.Shown:
    return {
        "dataset": [dataset],
        "system": [_system(recording, system)],
        "metric": [_metric(metric, direction)],
    }


def _system(recording: str, system: str) -> str:
    return f"{recording}/{system}"


def _metric(metric: str, direction: str) -> str:
    return f"{metric} {direction}".strip()


def _depth_curves(
    rows: pd.DataFrame, group: str, shown: plots.Shown, look: dict[str, Any]
) -> list[plots.Curve]:
    """After training, and untrained where the group has a step 0 before the last."""
    single = rows[rows.depth.notna()]
    curves: list[plots.Curve] = []
    untrained: dict[str, Any] = {"dash": "dash", "width": 1.2, "hollow": True}
    for stage, more in ((TRAINED, {}), (UNTRAINED, untrained)):
        points = single[single.stage == stage]
        if points.empty:
            continue
        name = f"{style.group(group)}, {stage}"
        said = (points.layer, name, points.depth.map("{:.2f}".format))
        said_by_column = dict(zip(_ALONG_DEPTH, said, strict=True))
        curves += plots.curve(points, shown, name, said=said_by_column, **look, **more)
    return curves


def _epoch_curve(
    rows: pd.DataFrame, group: str, shown: plots.Shown, look: dict[str, Any]
) -> list[plots.Curve]:
    late = rows[rows.layer == "late"].assign(role="block")  # a line, as blocks are
    name = style.group(group)
    said = dict(zip(_OVER_TRAINING, (name, late.epoch.map("{:.3g}".format)), strict=True))
    return plots.curve(late, shown, name, said=said, x="epoch", **look)


def _ceiling(
    recordings: pd.DataFrame, recording: str, system: str, shown: plots.Shown
) -> list[plots.Curve]:
    """Both ends of the noise ceiling as lines; none where there is no ceiling."""
    own = recordings[(recordings.recording == recording) & (recordings.system == system)]
    curves: list[plots.Curve] = []
    for end, value in (("lower", own.ceiling_low), ("upper", own.ceiling_high)):
        level = float(value.iloc[0])
        if np.isfinite(level):
            curves.append(
                {
                    "shown": shown,
                    "type": "scatter",
                    "mode": "lines",
                    "name": f"{end} noise ceiling, {in_print(level, 2)}",
                    "y": [level, level],
                    "line": {"color": style.GREY, "width": 1.5, "dash": "dot"},
                    "hoverinfo": "name",
                    "hoverlabel": {"namelength": -1},
                    "showlegend": True,
                }
            )
    return curves
