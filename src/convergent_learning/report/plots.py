"""What the interactive plots of the page are made of: switches, panels, and curves for plotly.

A plot is plain data, built here and drawn by plots.js in the reader's browser. Each curve says at
which settings of the switches it is shown; colours are those of the static figures, with a lighter
one for dark pages where contrast asks for it.
"""

from __future__ import annotations

import base64
import gzip
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from plotly.offline import get_plotlyjs, get_plotlyjs_version

_DARK_PAGE = "#17181c"  # --page of page.css
_LEAST_CONTRAST = 5.0
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

Shown = dict[str, Sequence[str]]


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
    """Axes, the columns of numbers behind a point (the first names it), and curves."""

    id: str
    title: str
    x: str
    y: str
    columns: list[str]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    curves: list[dict[str, Any]] = field(default_factory=list)


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
        return {"panels": [asdict(panel) for panel in self.panels], "dark": dark}


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
    numbers: pd.DataFrame,
    *,
    x: str = "depth",
    columns: tuple[str, str, str] = ("mean", "low", "high"),
    join: bool = True,
    dash: str = "solid",
    width: float = 2.0,
    marker: str = "o",
    legend: bool = True,
    group: str = "",
) -> list[dict[str, Any]]:
    """Curves of plotly for points along x: blocks joined, pooled features and logits apart.

    Parameters
    ----------
    points : DataFrame
        Rows with x, `columns` (value and its interval) and role.
    shown : mapping
        Values of each switch at which the curve is drawn.
    numbers : DataFrame
        What to say of each row of `points`: the columns of the panel, as text.
    join : bool
        Whether blocks are a line with a band; else each point has a bar.
    group : str
        Curves of one group are hidden together by a click on the legend.

    Returns
    -------
    list of dict
        The band, if there is one, then the curve.
    """
    mean, low, high = columns
    order = np.argsort(points[x].to_numpy(), kind="stable")
    points, numbers = points.iloc[order], numbers.iloc[order]
    blocks = (points.role == "block").to_numpy()
    bars = ~blocks if join else np.ones(len(points), bool)
    common = {"shown": {key: list(values) for key, values in shown.items()}}
    common |= {"legendgroup": group or name, "type": "scatter"}
    line = {
        **common,
        "name": name,
        "x": rounded(points[x]),
        "y": rounded(points[mean]),
        "customdata": numbers.astype(str).to_numpy().tolist(),
        "mode": "lines+markers" if join and blocks.any() else "markers",
        "showlegend": legend,
        "line": {"color": colour, "width": width, "dash": dash},
        "marker": {
            "color": colour,
            "size": 8 if width >= 2 else 6,
            "symbol": [_ROLES.get(role, _SYMBOLS[marker]) for role in points.role],
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": _where(bars, points[high] - points[mean]),
            "arrayminus": _where(bars, points[mean] - points[low]),
            "color": colour,
            "thickness": 1,
            "width": 0,
        },
    }
    if join:
        _separate(line, np.flatnonzero(~blocks))
    inside = points[blocks & points[low].notna().to_numpy()]
    if not join or inside.empty:
        return [line]
    band = {
        **common,
        "x": rounded(inside[x]) + rounded(inside[x])[::-1],
        "y": rounded(inside[low]) + rounded(inside[high])[::-1],
        "mode": "lines",
        "fill": "toself",
        "fillcolor": colour,
        "line": {"width": 0, "color": colour},
        "opacity": 0.2,
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [band, line]


def symbol(marker: str, hollow: bool = False) -> str:
    """The plotly symbol of a matplotlib marker."""
    return _SYMBOLS[marker] + ("-open" if hollow else "")


def interval_text(low: pd.Series, high: pd.Series) -> list[str]:
    """Intervals in words, a dash where there is none."""
    return [
        f"{text(a)} to {text(b)}" if np.isfinite([a, b]).all() else "–"
        for a, b in zip(low.astype(float), high.astype(float), strict=True)
    ]


def count_text(rows: pd.DataFrame) -> list[str]:
    """Networks and pairs behind each row."""
    return [
        f"{int(row.n_networks)} networks, {int(row.n_pairs)} pairs" for row in rows.itertuples()
    ]


def text(value: float) -> str:
    """Three decimals, a dash for a missing number."""
    return "–" if not math.isfinite(value) else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def rounded(values: pd.Series) -> list[float | None]:
    """Five decimals; missing numbers are None."""
    return [None if not math.isfinite(value) else round(value, 5) for value in values.astype(float)]


def on_dark(colour: str) -> str:
    """`colour`, mixed with white until it is legible on the dark page."""
    page, mixed = _luminance(to_rgb(_DARK_PAGE)), np.array(to_rgb(colour))
    while (_luminance(mixed) + 0.05) / (page + 0.05) < _LEAST_CONTRAST:
        mixed = mixed + (1 - mixed) * 0.1
    return to_hex(mixed)


def _luminance(rgb: Sequence[float]) -> float:
    """Relative luminance of sRGB (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def _where(chosen: np.ndarray, values: pd.Series) -> list[float | None]:
    return [v if keep else None for keep, v in zip(chosen, rounded(values), strict=True)]


def _separate(line: dict[str, Any], apart: np.ndarray) -> None:
    """Break the line before each point that is not a block."""
    of_points = [line["x"], line["y"], line["customdata"]]
    of_points += [line["error_y"]["array"], line["error_y"]["arrayminus"]]
    for place in reversed(apart[apart > 0]):
        line["marker"]["symbol"].insert(place, "circle")
        for values in of_points:
            values.insert(place, None)


def _colours(curves: list[dict[str, Any]]) -> set[str]:
    return {curve["line"]["color"] for curve in curves}
