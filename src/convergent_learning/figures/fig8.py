"""Figure 8: networks and brains, by depth and over training, one row per recorded system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from convergent_learning.alignment.calibration import ALPHA
from convergent_learning.figures import common, style, words
from convergent_learning.figures.common import Looks
from convergent_learning.tables.figure_data import FACTS, FigureData, Needs, Scores
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.recordings import recording_means, recording_tables
from convergent_learning.tables.schema import named
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_table, read_tables, with_stages
from convergent_learning.words import counted

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_HOLLOW: dict[str, Any] = {"linestyle": "--", "mfc": "white", "linewidth": 0.8, "zorder": 2.5}
_AMONG_NETWORKS: dict[str, Any] = {"linestyle": ":", "mfc": "white", "linewidth": 1.0}

TITLE = "Networks and brains"
ABOUT = (
    "Spearman correlation of the dissimilarities (1 − Pearson r) of layers with those of each"
    " recorded system, by depth, trained beside untrained networks and the noise ceiling; and"
    " over training, beside the alignment of networks with one another. Of recorded responses"
    " also the held-out correlation of maps from layers. Bands and bars: 95% intervals over "
    "networks; with caps, over images and subjects."
)
DATA = FigureData(
    tables=named("fig8_networks", "fig8", "fig8_course", "fig8_best"),
    facts=(*FACTS, "recordings", "fig5_pairs"),
    scores=Scores.RECORDINGS,
    pairs=recording_tables,
    summaries=recording_means,
    needs=Needs.RECORDINGS,
)

_TABLES = ["layers", "recordings", "fig8", "fig8_course", "fig8_best"]
_MEAN = ["mean", "low", "high"]
_ROW = 50.0  # mm
_ALWAYS_SHOWN = 1.5  # a ceiling up to this many times the highest score is shown whole
_OFF_SCALE = 2.0  # one that begins beyond this many times it is no longer drawn to scale

_CEILING = "#D2D2D2"
_SPREAD = 0.06  # of depth, over which groups stand side by side where they are not joined
_ORDER = (0, 2, 3, 4, 5, 1)  # of the looks of groups: the most different first


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 8 from the tables folder into a PDF and a PNG."""
    common.draw_by_dataset(tables, _TABLES, _height, _panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    loaded = read_tables(tables, ["groups", *_TABLES])
    recordings, fig8 = loaded["recordings"], loaded["fig8"]
    responses = _maps(fig8)
    third = (
        " Right: mean over recorded units of the held-out correlation of responses predicted from "
        "a layer, linear map; thin, other metrics; grey, mean ceiling of the units, "
        "from their reliability over repeats."
        if not responses.empty
        else ""
    )
    said = "; ".join(system_in_words(row) for row in recordings.itertuples())
    epochs = common.time_unit(loaded["groups"], fig8) == "epoch"
    stretched = "; the first epoch, shaded, is stretched to half of the axis" if epochs else ""
    return (
        "Networks and brains, one row per recorded system. Left: Spearman correlation of "
        "dissimilarities (1 − Pearson r between patterns) of the layer with those of the system, "
        f"mean over subjects, by depth. Solid, {words.finished(loaded['groups'])}; dashed and "
        "hollow, untrained; shaded at the right: pooled features, then logits, which are no "
        "blocks. Grey band: noise ceiling, from the correlation of each subject with the mean of "
        "the others to that with the mean of all. Star: layer with the highest solid score, filled "
        f"where p ≤ {ALPHA:g} against the highest of all layers with the images shuffled (maxT). "
        f"{'Middle' if third else 'Right'}: what share of its rise over training, mean over the "
        "last third of the blocks, the correlation with the system (solid) and the alignment of "
        "the group's networks with one another (dotted; Procrustes, test images) has reached"
        f"{stretched}.{third} n: {said}; "
        f"{_networks_in_words(fig8)}. {_intervals_in_words(fig8)}"
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    rows = with_stages(read_tables(tables, ("fig8", "groups")))["fig8"]
    recordings = read_table(tables, "recordings")
    ends = rows.stage.isin((UNTRAINED, TRAINED))
    late = rows[(rows.metric == "rsa") & (rows.layer == "late") & ends & rows["mean"].notna()]
    said = []
    for system in recordings.itertuples():
        own = late[(late.recording == system.recording) & (late.system == system.system)]
        levels = [
            f"{style.group(str(group))} {_before_and_after(scores)}"
            for group, scores in own.groupby("group", sort=False)
        ]
        ceiling = ceiling_in_words(system)
        levels += [f"noise ceiling {ceiling}"] if ceiling else []
        said.append(f"{system.recording}, {system.system}: {', '.join(levels) or 'no scores'}")
    return (
        "Curves of the correlation of dissimilarities of layers with those of recorded systems "
        "along depth, and of its rise over training beside that of the alignment of networks with "
        f"one another. Mean over the last third of the blocks: {'; '.join(said)}."
    )


def _before_and_after(rows: pd.DataFrame) -> str:
    """Scores before and after training, as far as there are both."""
    after = rows.stage == TRAINED
    before, trained = rows[~after]["mean"], rows[after]["mean"]
    said = [
        f"{score.mean():.2f} {when}"
        for score, when in ((before, "before"), (trained, "after"))
        if len(score)
    ]
    return f"{' and '.join(said)} training"


def looks_of(groups: Sequence[str]) -> Looks:
    """Colour and marker of each group."""
    return {name: style.nth_group(_ORDER[place % len(_ORDER)]) for place, name in enumerate(groups)}


def system_in_words(row: Any) -> str:
    """What a row of recordings.csv rests on: images, subjects, units, ceiling."""
    parts = [counted(int(row.n), "image")]
    if row.kind == "responses":
        left_out = [
            f"{number:.0f} {why}"
            for number, why in ((row.n_unreliable, "unreliable"), (row.n_constant, "constant"))
            if number > 0
        ]
        without = f" ({' and '.join(left_out)} left out)" if left_out else ""
        parts.append(f"{counted(int(row.n_units), 'unit')}{without}")
        if np.isfinite(row.unit_ceiling):
            parts.append(f"mean ceiling of units {in_print(row.unit_ceiling, 2)}")
    else:
        count = int(row.n_subjects)
        parts.append(counted(count, "subject"))
    ceiling = ceiling_in_words(row)
    parts.append(f"noise ceiling {ceiling}" if ceiling else _why_no_ceiling(row))
    return f"{row.recording}, {row.system}: {', '.join(parts)}"


def ceiling_in_words(row: Any) -> str:
    """Both ends of the noise ceiling; nothing where there is none."""
    if not np.isfinite([row.ceiling_low, row.ceiling_high]).all():
        return ""
    return f"{in_print(row.ceiling_low, 2)} to {in_print(row.ceiling_high, 2)}"


def _why_no_ceiling(row: Any) -> str:
    if row.kind == "responses":
        return "no ceiling of dissimilarities"
    return "no ceiling: one subject" if row.n_subjects < 2 else "no ceiling"


def _networks_in_words(fig8: pd.DataFrame) -> str:
    counts = fig8.groupby("group", sort=False).n_networks.max()
    said = [
        f"{style.group(str(name))}, {counted(int(count), 'network')}"
        for name, count in counts.items()
    ]
    return f"{'; '.join(said)}, which differ in their seed alone"


def _intervals_in_words(fig8: pd.DataFrame) -> str:
    said = (
        "Bands, and bars without caps: 95% intervals of the mean over networks (delete-one-network "
        "jackknife); one that reaches the frame goes on beyond it."
        if fig8.low.notna().any()
        else "No intervals over networks: they need 3 networks of each group."
    )
    if fig8.stimuli_low.notna().any():
        said += " Bar with caps at a star: 95% interval over images and subjects (bootstrap)."
    return said


def _height(tables: Tables) -> float:
    return _ROW * len(tables["recordings"]) + 14.0


def _panels(figure: Figure | SubFigure, tables: Tables) -> None:
    looks = looks_of(common.groups(tables))
    mapped = not _maps(tables["fig8"]).empty
    columns = 3 if mapped else 2
    axes = figure.subplots(len(tables["recordings"]), columns, squeeze=False)
    letters = 0
    for row, system in enumerate(tables["recordings"].itertuples()):
        own = {name: _of_system(tables[name], system) for name in _TABLES[2:]}
        titles = [
            f"{system.recording}, {system.system}",
            f"{system.system}: over training",
            f"{system.system}: responses",
        ]
        drawn = 2 if _maps(own["fig8"]).empty else 3
        for ax, title in zip(axes[row, :drawn], titles, strict=False):
            style.panel(ax, style.nth_letter(letters), title)
            letters += 1
        _by_depth(axes[row, 0], tables, own, system, looks)
        unit = common.time_axis(axes[row, 1], tables["groups"], tables["fig8"], few=mapped)
        axes[row, 1].set_xlabel(unit)
        _over_training(axes[row, 1], own["fig8_course"], looks)
        if drawn == 3:
            _responses(axes[row, 2], tables, own, system, looks)
        for ax in axes[row, drawn:]:
            ax.remove()
    common.legend_below(figure, _legend(tables, looks), 4)


def _of_system(table: pd.DataFrame, system: Any) -> pd.DataFrame:
    return table[(table.recording == system.recording) & (table.system == system.system)]


def _maps(fig8: pd.DataFrame) -> pd.DataFrame:
    """Scores of layers that are mapped onto recorded units."""
    return fig8[fig8.direction == "to"]


def _by_depth(ax: Axes, tables: Tables, own: Tables, system: Any, looks: Looks) -> None:
    rows = own["fig8"][own["fig8"].metric == "rsa"]
    drawn = _curves(ax, tables["layers"], rows, looks)
    starred = _stars(ax, drawn[drawn.stage == TRAINED], own["fig8_best"], looks)
    wide = starred[["mean", "stimuli_low", "stimuli_high"]].set_axis(_MEAN, axis=1)
    low, high = common.limits(pd.concat([drawn[_MEAN], wide]), _MEAN[:1], _MEAN[1:])
    ax.set_ylabel("Spearman correlation\nof dissimilarities")
    said = ceiling_in_words(system)
    if said:
        ends = system.ceiling_low, system.ceiling_high
        high = _ceiling(ax, ends, f"noise ceiling {said}", low, high)
    else:
        high += 0.1 * (high - low)
        y = high - 0.03 * (high - low)
        ax.text(-0.03, y, _why_no_ceiling(system), va="top", fontsize=6, color=style.GREY)
    ax.set_ylim(low, high)


def _curves(ax: Axes, layers: pd.DataFrame, rows: pd.DataFrame, looks: Looks) -> pd.DataFrame:
    """Curves of each group, trained and untrained; returns the rows that are drawn."""
    common.depth_axis(ax, layers)
    ax.set_xlabel("depth")
    single = rows[rows.depth.notna() & rows.stage.isin((UNTRAINED, TRAINED)) & rows["mean"].notna()]
    if single.empty:
        style.note(ax, "no scores")
    for name, (colour, marker) in looks.items():
        group, aside = single[single.group == name], _aside(name, looks)
        untrained = group[group.stage == UNTRAINED]
        _along_depth(ax, untrained, colour, aside, marker=marker, **_HOLLOW)
        _along_depth(ax, group[group.stage == TRAINED], colour, aside, marker=marker)
    return single


def _aside(group: str, looks: Looks) -> float:
    """How far from its depth a group stands where layers are not joined."""
    return _SPREAD * ([*looks].index(group) / (len(looks) - 1) - 0.5) if len(looks) > 1 else 0.0


def _along_depth(ax: Axes, rows: pd.DataFrame, colour: str, aside: float, **look: Any) -> None:
    """Blocks as a line with a band; pooled features and logits as points with bars."""
    default: dict[str, Any] = {"color": colour, "zorder": 3}
    look = default | look
    blocks = rows[rows.role == "block"].sort_values("depth")
    ax.plot(blocks.depth, blocks["mean"], **look)
    common.band(ax, blocks.depth, blocks.low, blocks.high, colour)
    apart = rows[rows.role != "block"]
    points = apart[_MEAN]
    look |= {"linestyle": "none", "elinewidth": 0.7}
    common.bars(ax, apart.depth + aside, points, **look)


def _stars(ax: Axes, trained: pd.DataFrame, best: pd.DataFrame, looks: Looks) -> pd.DataFrame:
    """The best layer of each group, with its interval over images and subjects; their rows."""
    starred = trained.merge(best[["group", "layer", "p"]], on=["group", "layer"])
    for name, (colour, _) in looks.items():
        rows = starred[starred.group == name]
        x = rows.depth + _aside(name, looks) * (rows.role != "block")
        points = rows[["mean", "stimuli_low", "stimuli_high"]]
        bar = {"elinewidth": 0.7, "capsize": 2, "capthick": 0.7}
        common.bars(ax, x, points, fmt="none", ecolor=colour, zorder=4, **bar)
        for where, value, p in zip(x, rows["mean"], rows.p, strict=True):
            clear = p <= ALPHA
            face, edge = (colour, style.INK) if clear else ("white", colour)
            ax.plot(where, value, "*", ms=6.5, mfc=face, mec=edge, mew=0.5, zorder=5)
    return starred


def _ceiling(ax: Axes, ends: tuple[float, float], text: str, low: float, high: float) -> float:
    """Draw a noise ceiling, whole, from below, or off the scale; returns the top of the axis."""
    begin, end = ends
    if begin > _OFF_SCALE * high:
        top = high + 0.16 * (high - low)
        begin, end = top - 0.1 * (top - low), top
        text += ", off the scale"
        ax.set_yticks([tick for tick in _ticks(low, high) if tick < begin])
        _break_axis(ax, (begin - low) / (top - low) - 0.03)
    elif end <= _ALWAYS_SHOWN * high:
        top = max(high, end + 0.04 * (end - low), begin + 0.11 * (begin - low))
    else:
        top = max(high, begin + 0.14 * (begin - low))
        text += " (continues)" if end > top else ""
    ax.axhspan(begin, end, color=_CEILING, linewidth=0, zorder=1)
    ax.text(-0.03, begin + 0.02 * (top - low), text, va="bottom", fontsize=6)
    return top


def _break_axis(ax: Axes, height: float) -> None:
    """Two strokes across the vertical axis: what is above is not to scale."""
    for y in (height - 0.01, height + 0.01):
        ax.plot(
            (-0.012, 0.012),
            (y - 0.008, y + 0.008),
            color=style.INK,
            linewidth=0.7,
            transform=ax.transAxes,
            clip_on=False,
            zorder=6,
        )


def _ticks(low: float, high: float) -> Sequence[float]:
    return style.locator(6).tick_values(low, high)


def _over_training(ax: Axes, course: pd.DataFrame, looks: Looks) -> None:
    ends = ["gain_share_low", "gain_share_high"]
    drawn, missing = [], []
    for name, (colour, marker) in looks.items():
        rows = course[course.group == name]
        risen, among = (_rise(rows, which) for which in ("recording", "networks"))
        look: dict[str, Any] = {"color": colour, "marker": marker}
        if among is not None:
            ax.plot(among.epoch, among.gain_share, zorder=3, **look, **_AMONG_NETWORKS)
            points = among[["gain_share", *ends]]
            common.bars(ax, among.epoch, points, fmt="none", ecolor=colour, elinewidth=0.6)
            drawn.append(among)
        if risen is not None:
            ax.plot(risen.epoch, risen.gain_share, zorder=4, **look)
            common.band(ax, risen.epoch, risen.gain_share_low, risen.gain_share_high, colour)
            drawn.append(risen)
        if risen is None or among is None:
            missing.append(_why_no_rise(rows, name, risen is None, among is None))
    ax.set_ylabel("share of the rise\nover training")
    if not drawn:
        style.note(ax, "\n".join(missing))
        ax.set_ylim(-0.05, 1.05)
        return
    for level in (0, 1):
        ax.axhline(level, color=style.GREY, linewidth=0.6, zorder=1)
    ax.set_ylim(*common.limits(pd.concat(drawn), ["gain_share"], ends))
    ax.annotate(
        "\n".join(missing),
        (0.99, 0),
        xycoords=ax.get_yaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=6,
        color=style.GREY,
    )


def _rise(course: pd.DataFrame, which: str) -> pd.DataFrame | None:
    """Shares of the rise over epochs; None where there are none beside that of step 0."""
    rows = course[(course.course == which) & course.gain_share.notna()]
    rows = rows.drop_duplicates("step").sort_values("step")
    return rows if len(rows) > 1 and rows.step.iloc[0] == 0 else None


def _why_no_rise(rows: pd.DataFrame, group: str, system: bool, networks: bool) -> str:
    """Why a group lacks the curve with the system, or that of its networks, or both."""
    name = style.group(group)
    if not (rows.step == 0).any() or not (rows.step > 0).any():
        return f"{name}: not trained here"
    if networks and not system and not (rows.course == "networks").any():
        return f"{name}: one network alone"
    which = "" if system and networks else " with the system" if system else " with one another"
    if rows.n_networks.max() < 3:
        return f"{name}: shares need 3 networks"
    return f"{name}: no clear rise{which}"


def _responses(ax: Axes, tables: Tables, own: Tables, system: Any, looks: Looks) -> None:
    rows = _maps(own["fig8"])
    linear = rows.metric == "linear"
    drawn = _curves(ax, tables["layers"], rows[linear], looks)
    others = rows[~linear & (rows.stage == TRAINED) & (rows.role == "block")]
    for (metric, group), curve in others.groupby(["metric", "group"], sort=False):
        curve = curve.sort_values("depth")
        colour = style.metric_colour(str(metric))
        marker = looks[str(group)][1]
        ax.plot(
            curve.depth, curve["mean"], color=colour, marker=marker, ms=1.6, linewidth=0.6, zorder=2
        )
    low, high = common.limits(pd.concat([drawn, others]), _MEAN[:1], _MEAN[1:])
    if np.isfinite(system.unit_ceiling):
        ends = system.unit_ceiling, system.unit_ceiling + 0.012 * (high - low)  # a line
        text = f"mean ceiling of units {in_print(system.unit_ceiling, 2)}"
        high = _ceiling(ax, ends, text, low, high)
    ax.set_ylim(low, high)
    ax.set_ylabel("held-out correlation,\nlayer to recording")


def _legend(tables: Tables, looks: Looks) -> list[Artist]:
    keys: list[Artist] = [
        common.key(common.title(tables, name), color=colour, marker=marker)
        for name, (colour, marker) in looks.items()
    ]
    if (tables["fig8"].stage == UNTRAINED).any():
        keys.append(common.key("untrained", marker="o", **_HOLLOW))
    star: dict[str, Any] = {"linestyle": "none", "marker": "*", "ms": 6.5, "mew": 0.5}
    best = tables["fig8_best"]
    if (best.p <= ALPHA).any():
        keys.append(common.key(f"best layer, p ≤ {ALPHA:g}", **star))
    if (best.p > ALPHA).any():
        keys.append(common.key(f"best layer, p > {ALPHA:g}", mfc="white", **star))
    cells = tables["fig8_course"].groupby(["recording", "system", "group"])
    if any(_rise(rows, "networks") is not None for _, rows in cells):
        keys.append(common.key("alignment with the recorded system", marker="o"))
        text = "alignment of networks with one another"
        keys.append(common.key(text, marker="o", **_AMONG_NETWORKS))
    metrics = dict.fromkeys(_maps(tables["fig8"]).metric)
    if metrics:
        keys.append(common.key("Linear (responses): in the group's colour"))
    return keys + [
        common.key(
            f"{style.metric_label(metric)} (responses)",
            color=style.metric_colour(metric),
            linewidth=0.6,
        )
        for metric in metrics
        if metric != "linear"
    ]
