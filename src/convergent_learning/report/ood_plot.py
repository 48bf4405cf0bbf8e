"""The out-of-distribution plot of the page: figure 6 with switches for metric and group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.colors import to_hex

from convergent_learning.figures import common, style
from convergent_learning.figures.fig6 import strength
from convergent_learning.report import plots
from convergent_learning.tables.storage import read_table

_DEPTH_COLUMNS = ["Layer", "Condition", "Depth", "Drop", "95% interval", "n"]
_ACCURACY_COLUMNS = ["Condition", "Accuracy", "Drop in accuracy", "Drop", "95% interval", "n"]
_THIRDS = {"late": "last third of layers", "early": "first third of layers"}


def ood_plot(tables: Path) -> plots.Plot | None:
    """Curves and points of figure 6 for every metric; None without such conditions."""
    names = ("fig6", "fig6_conditions", "fig6_slopes")
    fig6, points, slopes = (read_table(tables, name) for name in names)
    blocks = fig6[fig6.role == "block"]
    if blocks.empty:
        return None
    shades = _shades(points)
    keys = ["dataset", "group", "metric"]
    by_depth: list[dict[str, Any]] = []
    for (dataset, group, metric), rows in fig6.groupby(keys, sort=False):
        shown = {"dataset": [dataset], "networks": [group], "metric": [metric]}
        by_depth += _depth_curves(rows, shown, shades, style.metric_colour(metric))
    by_accuracy: list[dict[str, Any]] = []
    for (dataset, group, metric), rows in points.groupby(keys, sort=False):
        shown = {"dataset": [dataset], "networks": [group], "metric": [metric]}
        own = slopes[(slopes.dataset == dataset) & (slopes.group == group)]
        for third in _THIRDS:
            line = own[(own.metric == metric) & (own.third == third)]
            at = shown | {"third": [third]}
            by_accuracy += _accuracy_curves(rows, third, line, at, shades)
    ends = [f"{third}_{end}" for third in _THIRDS for end in ("low", "high")]
    panels = [
        plots.Panel(
            "ood-depth",
            "Drop by depth",
            "relative depth",
            "drop in score",
            _DEPTH_COLUMNS,
            (-0.05, 1.05),
            common.limits(fig6, ["drop"], []),
            by_depth,
        ),
        plots.Panel(
            "ood-accuracy",
            "Drop against accuracy",
            "drop in accuracy",
            "drop in score",
            _ACCURACY_COLUMNS,
            common.limits(points, ["accuracy_drop"], []),
            common.limits(points, ["early", "late"], ends),
            by_accuracy,
        ),
    ]
    datasets = {name: name for name in dict.fromkeys(fig6.dataset)}
    groups = {name: style.group(name) for name in dict.fromkeys(fig6.group)}
    return plots.Plot(
        "ood-plot",
        "Interactive: out-of-distribution stimuli",
        [
            plots.Switch("dataset", "Dataset", {"": datasets}),
            plots.Switch("networks", "Networks", {"": groups}),
            plots.Switch("metric", "Metric", {"": _metrics(fig6)}),
            plots.Switch("third", "Layers against accuracy", {"": _THIRDS}),
        ],
        panels,
        ["tables/fig6.csv", "tables/fig6_conditions.csv", "tables/fig6_slopes.csv"],
    )


def _metrics(fig6: pd.DataFrame) -> dict[str, str]:
    """Procrustes, which figure 6 draws, first."""
    present = sorted(dict.fromkeys(fig6.metric), key=lambda metric: metric != "procrustes")
    return {metric: style.metric_label(metric) for metric in present}


def _shades(points: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Colour of each condition: the family's, lighter for milder levels."""
    return {
        key: to_hex(style.shade(style.family(key[0]).colour, share))
        for key, share in strength(points).items()
    }


def _depth_curves(
    rows: pd.DataFrame, shown: plots.Shown, shades: dict[tuple[str, str], str], colour: str
) -> list[dict[str, Any]]:
    curves: list[dict[str, Any]] = []
    columns, named = ("drop", "drop_low", "drop_high"), set()
    each = rows[(rows.stimuli != "all") & (rows.role == "block")]
    for key, points in each.groupby(["stimuli", "condition"], sort=False):
        look, said = style.family(key[0]), _condition(*key)
        # Twenty bands would hide the curves: intervals are in the numbers.
        bare = points.assign(drop_low=float("nan"), drop_high=float("nan"))
        curves += plots.curve(
            bare,
            shown,
            look.label,
            shades.get(key, look.colour),
            _depth_numbers(points, said),
            columns=columns,
            width=1.2,
            marker=look.marker,
            legend=key[0] not in named,
        )
        named.add(key[0])
    mean = rows[rows.stimuli == "all"]
    if len(mean):
        numbers = _depth_numbers(mean, "mean of conditions")
        name = "mean of conditions"
        curves += plots.curve(mean, shown, name, colour, numbers, columns=columns, width=3)
    return curves


def _depth_numbers(points: pd.DataFrame, condition: str) -> pd.DataFrame:
    values = [
        list(points.layer),
        [condition] * len(points),
        [f"{depth:.2f}" for depth in points.depth],
        [plots.text(value) for value in points["drop"]],
        plots.interval_text(points.drop_low, points.drop_high),
        plots.count_text(points),
    ]
    return pd.DataFrame(dict(zip(_DEPTH_COLUMNS, values, strict=True)))


def _accuracy_curves(
    rows: pd.DataFrame,
    third: str,
    line: pd.DataFrame,
    shown: plots.Shown,
    shades: dict[tuple[str, str], str],
) -> list[dict[str, Any]]:
    known = rows[rows.accuracy_drop.notna() & rows[third].notna()]
    curves: list[dict[str, Any]] = []
    for key, points in known.groupby(["stimuli", "condition"], sort=False):
        look = style.family(key[0])
        [point] = plots.curve(
            points.assign(role="block"),
            shown,
            look.label,
            shades[key],
            _accuracy_numbers(points, third),
            x="accuracy_drop",
            columns=(third, f"{third}_low", f"{third}_high"),
            join=False,
            marker=look.marker,
            legend=False,
        )
        hollow = bool(points.near_chance.iloc[0])
        point["marker"] |= {"symbol": plots.symbol(look.marker, hollow), "size": 10}
        curves.append(point)
    used = known[~known.near_chance.astype(bool)].accuracy_drop
    if len(used) and len(line) and pd.notna(line.slope.iloc[0]):
        curves.append(_slope_line(line.iloc[0], [used.min(), used.max()], shown))
    return curves


def _slope_line(line: pd.Series, ends: list[float], shown: plots.Shown) -> dict[str, Any]:
    interval = plots.interval_text(pd.Series([line.slope_low]), pd.Series([line.slope_high]))[0]
    return {
        "shown": shown,
        "type": "scatter",
        "mode": "lines",
        "name": f"slope {plots.text(line.slope)}, 95% interval {interval}",
        "x": ends,
        "y": [line.intercept + line.slope * end for end in ends],
        "line": {"color": style.INK, "width": 2},
        "hoverinfo": "name",
        "hoverlabel": {"namelength": -1},
        "showlegend": True,
    }


def _accuracy_numbers(points: pd.DataFrame, third: str) -> pd.DataFrame:
    values = [
        [_condition(row.stimuli, row.condition) for row in points.itertuples()],
        [plots.text(value) for value in points.accuracy],
        [plots.text(value) for value in points.accuracy_drop],
        [plots.text(value) for value in points[third]],
        plots.interval_text(points[f"{third}_low"], points[f"{third}_high"]),
        plots.count_text(points),
    ]
    return pd.DataFrame(dict(zip(_ACCURACY_COLUMNS, values, strict=True)))


def _condition(stimuli: str, level: str) -> str:
    return f"{style.family(stimuli).label} {style.level(stimuli, level)}".strip()
