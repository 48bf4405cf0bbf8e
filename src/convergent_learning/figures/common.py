"""What several figures need: tables by dataset, curves along depth, words for captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from convergent_learning.figures import style
from convergent_learning.tables.kinds import supervised_groups
from convergent_learning.tables.storage import (
    Tables,
    of_dataset,
    read_tables,
    with_stages,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

Looks = dict[str, tuple[str, str]]
"""Colour and marker of each group."""

_FIRST_EPOCH_SHARE = 0.5  # of the width of an axis over training
_LABELLED = 5  # rows of a figure, at most, of which each says what it shows
_TALLEST_MM = 245.0  # of a dataset: a page of A4 with its caption


def draw_by_dataset(
    folder: str | Path,
    names: Sequence[str],
    height: Callable[[Tables], float],
    panels: Callable[[Figure | SubFigure, Tables], None],
    out_pdf: str | Path,
    out_png: str | Path,
    provenance: str = "",
) -> None:
    """Draw `panels` once a dataset, one below the other, and save.

    Parameters
    ----------
    folder : path
        The tables folder.
    names : sequence of str
        Tables to read; `datasets` and `groups` are read beside them.
    height : callable
        Height in mm for the tables of one dataset; no more than a page is taken.
    panels : callable
        Draws the tables of one dataset into a (sub)figure.
    provenance : str
        What made the figure, for the metadata of both files.
    """
    tables = with_stages(read_tables(folder, ["datasets", "groups", *names]))
    parts = [of_dataset(tables, dataset) for dataset in tables["datasets"].dataset]
    heights = [min(height(part), _TALLEST_MM) for part in parts]
    with style.applied():
        whole = style.figure(sum(heights))
        if len(parts) == 1:
            panels(whole, parts[0])
        else:
            subfigures = style.split(whole, len(parts), 1, height_ratios=heights)
            for sub, part in zip(subfigures, parts, strict=True):
                sub.suptitle(part["datasets"].dataset.iloc[0], fontsize=8, fontweight="bold")
                panels(sub, part)
        style.save(whole, out_pdf, out_png, provenance)


def groups(tables: Tables) -> list[str]:
    """Groups in the order of layers.csv."""
    return list(dict.fromkeys(tables["layers"].group))


def title(tables: Tables, group: str) -> str:
    """What a group is called in print, and whether its networks are given as they are."""
    given = is_given(tables["groups"], group)
    return f"{style.group(group)} (as given)" if given else style.group(group)


def looks(groups: pd.DataFrame) -> Looks:
    """Ink for the supervised group, or else the first; grey for groups that are never trained."""
    names = list(dict.fromkeys(groups.group))
    first = next(iter(supervised_groups(groups)), names[0])
    untrained = set(groups.group[groups.objective == "none"])
    others = [name for name in names if name != first and name not in untrained]
    found = dict.fromkeys(untrained, (style.GREY, "*")) | {first: (style.INK, "o")}
    found |= {name: style.nth_of_many(place) for place, name in enumerate(others)}
    return {name: found[name] for name in names}


def name_rows(
    figure: Figure | SubFigure, axes: Iterable[Axes], names: Sequence[str], what: str
) -> None:
    """Label rows by what they are of and what they show, which low rows have no room to repeat."""
    if len(names) > _LABELLED:
        figure.supylabel(what, fontsize=7)
    for ax, name in zip(axes, names, strict=True):
        ax.set_ylabel(name if len(names) > _LABELLED else f"{name}\n{what}")


def is_given(groups: pd.DataFrame, group: str) -> bool:
    """Whether networks of a group are given as they are, so that they have no training."""
    return bool((groups.final_step[groups.group == group] == 0).any())


def along_depth(
    ax: Axes,
    rows: pd.DataFrame,
    colour: str,
    columns: tuple[str, str, str] = ("mean", "low", "high"),
    join: bool = True,
    **line: Any,
) -> None:
    """A curve over the blocks with its band; pooled features and logits apart, with bars.

    With `join` false the blocks are points with bars too: layers between them have no score.
    """
    mean, low, high = columns
    default: dict[str, Any] = {"marker": "o", "linestyle": "-", "color": colour, "zorder": 3}
    line = default | line
    blocks = rows[rows.role == "block"].sort_values("depth")
    if join:
        ax.plot(blocks.depth, blocks[mean], **line)
        band(ax, blocks.depth, blocks[low], blocks[high], colour)
    apart = [("pooled", "s", "white"), ("logits", "^", "white")]
    for role, marker, face in apart if join else [("block", line["marker"], colour), *apart]:
        points = rows[rows.role == role]
        look = {"color": colour, "mfc": face, "zorder": line["zorder"]}
        bars(ax, points.depth, points[[*columns]], fmt=marker, ms=3, elinewidth=0.7, **look)


def bars(ax: Axes, x: Any, points: pd.DataFrame, **look: Any) -> None:
    """Points with their intervals as bars; columns are a value and both ends of its interval."""
    value, *ends = points.to_numpy(float).T
    ax.errorbar(x, value, yerr=np.nan_to_num(np.abs(ends - value)), **look)


def band(ax: Axes, x: pd.Series, low: pd.Series, high: pd.Series, colour: Any) -> None:
    """An interval as a band; nothing where there is no interval."""
    ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0, zorder=2)


def limits(frame: pd.DataFrame, points: Sequence[str], ends: Sequence[str]) -> tuple[float, float]:
    """Limits of an axis from the points and zero; intervals widen them, but by no more than that.

    With three networks an interval can be ten times as wide as the effect: it may leave the axis.
    """
    value = np.append(frame[list(points)].to_numpy(float), 0.0)
    low, high = np.nanmin(value), np.nanmax(value)
    room = 0.75 * max(high - low, 0.05)
    reached = np.append(frame[list(ends)].to_numpy(float), [low, high])
    low = max(np.nanmin(reached), low - room)
    high = min(np.nanmax(reached), high + room)
    if not high > low:
        return 0.0, 1.0
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def score_limits(
    frame: pd.DataFrame, points: Sequence[str], ends: Sequence[str]
) -> tuple[float, float]:
    """As `limits`, for held-out correlations: little room below 0, and hardly any above 1."""
    low, high = limits(frame, points, ends)
    return max(low, -0.25), min(high + 0.1 * (high - low), 1.1)


def depth_axis(ax: Axes, layers: pd.DataFrame) -> None:
    """0…1, with the part that is not blocks shaded."""
    ax.set_xlim(-0.05, 1.05)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    last = layers[layers.role == "block"].depth.max()
    later = layers[layers.depth > last].depth.min()
    if np.isfinite(later):
        ax.axvspan((last + later) / 2, 1.05, color=style.PALE, linewidth=0, zorder=0)


def time_axis(ax: Axes, groups: pd.DataFrame, rows: pd.DataFrame, few: bool) -> str:
    """Set the horizontal axis of rows with `group`, `epoch` and `step`; returns its unit."""
    unit = time_unit(groups, rows)
    if unit == "epoch":
        epoch_axis(ax, rows.epoch, few)
    else:
        ax.set_xlim(-0.02 * rows.step.max(), max(1.3 * rows.step.max(), 1))
        ax.xaxis.set_major_locator(style.locator(3, integer=True))
    return unit


def time_unit(groups: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What `epoch` of these rows counts: steps, where the epochs of a group have no length."""
    lengths = groups.steps_per_epoch[groups.group.isin(rows.group)]
    return "epoch" if (lengths > 0).all() else "step"


def epoch_axis(ax: Axes, epochs: pd.Series, few: bool) -> None:
    """Linear from 0 to 1 on half of the axis, and linear from 1 on over the rest."""
    last = float(epochs.max()) if len(epochs) else 1.0
    if not last > 1:
        ax.set_xlim(0, max(last, 1e-6) * 1.12)
        return
    half = _FIRST_EPOCH_SHARE
    knots = ([0.0, 1.0, last], [0.0, half, 1.0])
    ax.set_xscale("function", functions=(_piecewise(*knots), _piecewise(*reversed(knots))))
    ax.set_xlim(-0.02, last + 0.3 * (last - 1))
    whole = np.unique(np.linspace(1, last, min(int(last), 2 if few else 6)).round())
    parts = {0: "0", 0.5: "½"} if few else {0: "0", 0.25: "¼", 0.5: "½"}
    ax.set_xticks([*parts, *whole], [*parts.values(), *(f"{e:.0f}" for e in whole)])
    ax.minorticks_off()
    ax.axvspan(0, 1, color=style.PALE, linewidth=0, zorder=0)


def _piecewise(xs: list[float], ys: list[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Piecewise linear through the knots, its end pieces continued."""

    def function(values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, dtype=float)
        slopes = np.diff(ys) / np.diff(xs)
        beyond = np.where(values > xs[-1], (values - xs[-1]) * slopes[-1], 0)
        before = np.where(values < xs[0], (values - xs[0]) * slopes[0], 0)
        return np.interp(values, xs, ys) + beyond + before

    return function


def key(label: str, **look: Any) -> Line2D:
    """An entry of a legend: a line that is drawn nowhere."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **({"color": style.INK} | look))


def patch(label: str, **look: Any) -> Patch:
    """An entry of a legend: a patch of colour."""
    from matplotlib.patches import Patch

    return Patch(linewidth=0, label=label, **look)


def chance_line(ax: Axes, tables: Tables, x: float, ha: str, va: str) -> None:
    """The accuracy of a guess, named at `x` of the width."""
    chance = float(tables["datasets"].chance.iloc[0])
    ax.axhline(chance, color=style.GREY, linewidth=0.8, linestyle=":")
    across = ax.get_yaxis_transform()
    ax.text(x, chance, "chance", transform=across, ha=ha, va=va, fontsize=6, color=style.GREY)


def legend_below(figure: Figure | SubFigure, handles: Sequence[Artist], columns: int) -> None:
    """One legend for all panels of a figure."""
    place: Any = "outside lower center"  # which matplotlib's types lack
    figure.legend(handles=list(handles), loc=place, ncols=columns, handlelength=2.2)
