"""What the interactive plots of the page are made of: switches, panels, and curves for plotly.

A plot is plain data, built here and drawn by plots.js in the reader's browser. Each curve says at
which settings of the switches it is shown; colours are those of the static figures, with a lighter
one for dark pages where contrast asks for it.
"""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from convergent_learning.tables.printed import in_print
from convergent_learning.words import counted

_DARK_PAGE = "#17181c"  # --page of page.css
_LEAST_CONTRAST = 5.0
# Those of plotly for matplotlib's markers.
_SYMBOLS = {
    "o": "circle",
    ".": "circle",
    "s": "square",
    "D": "diamond",
    "d": "diamond-tall",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "P": "cross",
    "X": "x",
    "p": "pentagon",
    "h": "hexagon",
    "H": "hexagon2",
    "8": "octagon",
    "*": "star",
}
_ROLES = {"pooled": "square-open", "logits": "triangle-up-open"}

# What stands behind the value of a point.
_BEHIND = ("95% interval", "n")

Shown = dict[str, list[str]]
Curve = dict[str, Any]  # of plotly, and at which settings of the switches it is `shown`


@dataclass(frozen=True)
class Switch:
    """A choice of the reader: `groups` maps a heading ("" for none) to values and their labels."""

    name: str
    label: str
    groups: dict[str, dict[str, str]]

    @property
    def options(self) -> dict[str, str]:
        return {value: label for group in self.groups.values() for value, label in group.items()}


@dataclass(frozen=True)
class Panel:
    """Axes, the columns that name a point (`said`) and its value, and curves."""

    id: str
    title: str
    x: str
    y: str
    said: list[str]
    value: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    curves: list[Curve]


@dataclass(frozen=True)
class Plot:
    """An interactive plot: switches that all its panels follow."""

    id: str
    title: str
    switches: list[Switch]
    panels: list[Panel]
    tables: list[str]

    def data(self) -> dict[str, Any]:
        """What plots.js reads."""
        dark = {colour: on_dark(colour) for p in self.panels for colour in _colours(p.curves)}
        panels = [
            asdict(panel) | {"columns": [*panel.said, panel.value, *_BEHIND]}
            for panel in self.panels
        ]
        return {"panels": panels, "dark": dark}


def packed_library() -> str:
    """plotly.js, gzipped, in base64: the browser unpacks it when a plot comes into sight."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def library_version() -> str:
    """The version of plotly.js on the page."""
    return get_plotlyjs_version()


def curve(
    points: pd.DataFrame,
    shown: Shown,
    name: str,
    colour: str,
    said: Mapping[str, object],
    *,
    x: str = "depth",
    value: tuple[str, str, str] = ("mean", "low", "high"),
    join: bool = True,
    band: bool = True,
    dash: str = "solid",
    width: float = 2.0,
    marker: str = "o",
    hollow: bool = False,
    legend: bool = True,
) -> list[Curve]:
    """Curves of plotly for points along x: blocks joined, pooled features and logits apart.

    Parameters
    ----------
    points : DataFrame
        Rows with x, role, n_networks, n_pairs (of pairs), and `value`: a number and the ends of
        its interval.
    shown : mapping
        Values of each switch at which the curve is drawn.
    said : mapping
        What names the rows of `points`, by column of the panel; their numbers follow.
    join : bool
        Whether blocks are a line, with a band for the interval; else each is a point with a bar.
    """
    numbers = pd.DataFrame({**said, **_numbers(points, value)}, index=points.index, dtype=str)
    joined = (points.role == "block") & join
    traces: list[Curve] = []
    for rows, line in ((points[joined], True), (points[~joined], False)):
        if rows.empty:
            continue
        rows = rows.sort_values(x, kind="stable")
        mean, low, high = (_rounded(rows[column]) for column in value)
        symbols = [_ROLES.get(role, _SYMBOLS[marker] + "-open" * hollow) for role in rows.role]
        trace: Curve = {
            "shown": shown,
            "type": "scatter",
            "name": name,
            "legendgroup": name,
            "showlegend": legend and not traces,
            "x": _rounded(rows[x]),
            "y": mean,
            "customdata": numbers.loc[rows.index].to_numpy().tolist(),
            "mode": "lines+markers" if line else "markers",
            "line": {"color": colour, "width": width, "dash": dash},
            "marker": {"color": colour, "size": 8 if width >= 2 else 6, "symbol": symbols},
        }
        if not line:
            trace["error_y"] = _bars(rows, value, colour)
        elif band and rows[value[1]].notna().any():
            traces.append(_band(trace, low, high))
        traces.append(trace)
    return traces


def _numbers(points: pd.DataFrame, value: tuple[str, str, str]) -> dict[str, list[str]]:
    """Value of each row, its interval, and what stands behind them."""
    mean, low, high = value
    counts = [counted(int(networks), "network") for networks in points.n_networks]
    if "n_pairs" in points:
        pairs = points.n_pairs
        counts = [
            f"{said}, {counted(int(n), 'pair')}" for said, n in zip(counts, pairs, strict=True)
        ]
    return {
        "value": [in_print(number) for number in points[mean]],
        "interval": [interval(*ends) for ends in zip(points[low], points[high], strict=True)],
        "n": counts,
    }


def interval(low: float, high: float) -> str:
    """An interval in words, a dash where there is none."""
    return f"{in_print(low)} to {in_print(high)}" if np.isfinite([low, high]).all() else "–"


def _rounded(values: pd.Series) -> list[float | None]:
    """Five decimals; missing numbers are None."""
    return [None if math.isnan(value) else round(value, 5) for value in values.astype(float)]


def _bars(rows: pd.DataFrame, value: tuple[str, str, str], colour: str) -> dict[str, Any]:
    mean, low, high = value
    up, down = _rounded(rows[high] - rows[mean]), _rounded(rows[mean] - rows[low])
    ends = {"array": up, "arrayminus": down}
    look = {"color": colour, "thickness": 1, "width": 0}
    return {"type": "data", "symmetric": False, **ends, **look}


def _band(line: Curve, low: list[float | None], high: list[float | None]) -> Curve:
    known = [place for place, end in enumerate(low) if end is not None]
    x = [line["x"][place] for place in known]
    colour = line["line"]["color"]
    return {
        **{key: line[key] for key in ("shown", "type", "legendgroup")},
        "x": x + x[::-1],
        "y": [low[place] for place in known] + [high[place] for place in known[::-1]],
        "mode": "lines",
        "fill": "toself",
        "fillcolor": colour,
        "line": {"width": 0, "color": colour},
        "opacity": 0.2,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def on_dark(colour: str) -> str:
    """`colour`, mixed with white until it is legible on the dark page."""
    page, (red, green, blue) = _luminance(*to_rgb(_DARK_PAGE)), to_rgb(colour)
    while (_luminance(red, green, blue) + 0.05) / (page + 0.05) < _LEAST_CONTRAST:
        red, green, blue = (c + (1 - c) * 0.1 for c in (red, green, blue))
    return to_hex((red, green, blue))


def _luminance(*rgb: float) -> float:
    """Relative luminance of sRGB (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def _colours(curves: list[Curve]) -> set[str]:
    return {curve["line"]["color"] for curve in curves}
