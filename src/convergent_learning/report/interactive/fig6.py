"""Out-of-distribution stimuli: figure 6 with switches for metric and group."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.colors import to_hex

from convergent_learning.figures import common, fig6, style
from convergent_learning.report import plots
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.storage import read_tables

_ALONG_DEPTH = ["Layer", "Condition", "Depth"]
_AGAINST_ACCURACY = ["Condition", "Accuracy", "Drop in accuracy"]
_THIRDS = {"late": "last third of layers", "early": "first third of layers"}


def plot(tables: Path) -> plots.Plot | None:
    """Curves and points of figure 6 for every metric; None without such conditions."""
    frames = read_tables(tables, ("fig6", "fig6_conditions", "fig6_slopes"))
    drops, points, slopes = frames.values()
    if not (drops.role == "block").any():
        return None
    shades = fig6.shades(points)
    keys = ["dataset", "group", "metric"]
    by_depth: list[plots.Curve] = []
    for key, rows in drops.groupby(keys, sort=False):
        by_depth += _depth_curves(rows, _shown(*key), shades, style.metric_colour(key[2]))
    by_accuracy: list[plots.Curve] = []
    lines = slopes.set_index([*keys, "third"])
    for key, rows in points.groupby(keys, sort=False):
        for third in _THIRDS:
            shown = _shown(*key) | {"third": [third]}
            line = lines.loc[(*key, third)] if (*key, third) in lines.index else None
            by_accuracy += _accuracy_curves(rows, third, line, shown, shades)
    ends = [f"{third}_{end}" for third in _THIRDS for end in ("low", "high")]
    panels = [
        plots.Panel(
            "ood-depth",
            "Drop by depth",
            "relative depth",
            "drop in score",
            _ALONG_DEPTH,
            "Drop",
            (-0.05, 1.05),
            common.limits(drops, ["drop"], []),
            by_depth,
        ),
        plots.Panel(
            "ood-accuracy",
            "Drop against accuracy",
            "drop in accuracy",
            "drop in score",
            _AGAINST_ACCURACY,
            "Drop",
            common.limits(points, ["accuracy_drop"], []),
            common.limits(points, ["early", "late"], ends),
            by_accuracy,
        ),
    ]
    # Procrustes, which figure 6 draws, first.
    metrics = sorted(dict.fromkeys(drops.metric), key=lambda metric: metric != "procrustes")
    datasets, groups = (dict.fromkeys(drops[name]) for name in ("dataset", "group"))
    switches = [
        plots.Switch("dataset", "Dataset", {"": {name: name for name in datasets}}),
        plots.Switch("networks", "Networks", {"": {name: style.group(name) for name in groups}}),
        plots.Switch("metric", "Metric", {"": {m: style.metric_label(m) for m in metrics}}),
        plots.Switch("third", "Layers against accuracy", {"": _THIRDS}),
    ]
    title = "Interactive: out-of-distribution stimuli"
    return plots.Plot(
        "ood-plot", title, switches, panels, [f"tables/{name}.csv" for name in frames]
    )


def _shown(dataset: str, group: str, metric: str) -> plots.Shown:
    return {"dataset": [dataset], "networks": [group], "metric": [metric]}


def _depth_curves(
    rows: pd.DataFrame, shown: plots.Shown, shades: fig6.Shades, colour: str
) -> list[plots.Curve]:
    curves: list[plots.Curve] = []
    named: set[str] = set()
    each = rows[(rows.stimuli != "all") & (rows.role == "block")]
    value = ("drop", "drop_low", "drop_high")
    for key, points in each.groupby(["stimuli", "condition"], sort=False):
        look = style.family(key[0])
        said = _along_depth(points, style.condition(*key))
        # Twenty bands would hide the curves: intervals are in the numbers.
        curves += plots.curve(
            points,
            shown,
            look.label,
            to_hex(shades.get(key, look.colour)),
            said,
            value=value,
            band=False,
            width=1.2,
            marker=look.marker,
            legend=key[0] not in named,
        )
        named.add(key[0])
    mean, name = rows[rows.stimuli == "all"], "mean of conditions"
    said = _along_depth(mean, name)
    return curves + plots.curve(mean, shown, name, colour, said, value=value, width=3)


def _along_depth(points: pd.DataFrame, condition: str) -> dict[str, object]:
    depths = points.depth.map("{:.2f}".format)
    return dict(zip(_ALONG_DEPTH, (points.layer, condition, depths), strict=True))


def _accuracy_curves(
    rows: pd.DataFrame, third: str, line: pd.Series | None, shown: plots.Shown, shades: fig6.Shades
) -> list[plots.Curve]:
    known = fig6.known_points(rows, third).assign(role="block")
    curves: list[plots.Curve] = []
    for key, points in known.groupby(["stimuli", "condition"], sort=False):
        look = style.family(key[0])
        accuracies = (points[name].map(in_print) for name in ("accuracy", "accuracy_drop"))
        said = dict(zip(_AGAINST_ACCURACY, (style.condition(*key), *accuracies), strict=True))
        curves += plots.curve(
            points,
            shown,
            look.label,
            to_hex(shades[key]),
            said,
            x="accuracy_drop",
            value=(third, f"{third}_low", f"{third}_high"),
            join=False,
            marker=look.marker,
            hollow=bool(points.near_chance.iloc[0]),
            legend=False,
        )
    ends = fig6.line_ends(known, line)
    if line is not None and ends is not None:
        curves.append(_slope_line(line, *ends, shown))
    return curves


def _slope_line(line: pd.Series, x: list[float], y: list[float], shown: plots.Shown) -> plots.Curve:
    interval = plots.interval(line.slope_low, line.slope_high)
    return {
        "shown": shown,
        "type": "scatter",
        "mode": "lines",
        "name": f"slope {in_print(line.slope)}, 95% interval {interval}",
        "x": x,
        "y": y,
        "line": {"color": style.INK, "width": 2},
        "hoverinfo": "name",
        "hoverlabel": {"namelength": -1},
        "showlegend": True,
    }
