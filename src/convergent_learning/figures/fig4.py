"""Figure 4: layer × layer maps within and across architectures, and how often layers match."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from convergent_learning.figures import common, style
from convergent_learning.statistics.depth import chance_within_one

_METRIC = "procrustes"
_SHARED = 0.8
_MAPS_A_ROW = 4


def draw(tables: str | Path, out_pdf: str | Path, out_png: str | Path) -> None:
    """Draw figure 4 from the tables folder into a PDF and a PNG."""
    names = ["datasets", "layers", "fig4", "fig4_matches"]
    common.draw_by_dataset(tables, names, _height, _panels, out_pdf, out_png)


def caption(tables: str | Path) -> str:
    """The caption, with n and intervals taken from the tables."""
    loaded = common.load(tables, ["fig4", "fig4_matches"])
    matches = loaded["fig4_matches"]
    return (
        "Which layer matches which. Maps: Procrustes score of every source layer (rows, by depth) "
        "on every target layer (columns), mean over directed pairs of networks, after training "
        "(top) and at step 0 (bottom), on one colour scale; P, pooled features; L, logits. "
        "Circles: the source block that best matches each target block; line: equal depth. "
        "Below: share of target blocks whose best match, in each pair, is at most one layer from "
        f"the counterpart; dashed, the {_SHARED:g} that the claim asks for; dotted, matching at "
        f"random. {common.sizes(matches)} {common.interval_sentence(matches)}"
    )


def _maps(tables: common.Tables) -> list[tuple[str, str]]:
    """Pairs of source and target architecture: each with itself, then across."""
    names = common.architectures(tables)
    rows = tables["fig4"][tables["fig4"].metric == _METRIC]
    present = set(zip(rows.source_architecture, rows.target_architecture, strict=True))
    order = [(a, a) for a in names] + [(a, b) for a in names for b in names if a != b]
    return [pair for pair in order if pair in present]


def _map_rows(tables: common.Tables) -> int:
    return 2 * max(1, -(-len(_maps(tables)) // _MAPS_A_ROW))


def _height(tables: common.Tables) -> float:
    return 47 * _map_rows(tables) + 46


def _panels(figure: Figure | SubFigure, tables: common.Tables) -> None:
    above, below = figure.subfigures(2, 1, height_ratios=[47 * _map_rows(tables), 46])
    _draw_maps(above, tables)
    _draw_shares(below, tables)


def _draw_maps(figure: SubFigure, tables: common.Tables) -> None:
    maps, final = _maps(tables), common.final_step(tables)
    fig4 = tables["fig4"][tables["fig4"].metric == _METRIC]
    axes = figure.subplots(_map_rows(tables), _MAPS_A_ROW, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    if not maps:
        style.note(axes[0, 0], "no layer × layer scores")
        return
    low, high = min(0.0, fig4["mean"].min()), fig4["mean"].max()
    mesh, drawn = None, []
    for stage, (step, name) in enumerate(((final, "trained"), (0, "untrained"))):
        for place, (source, target) in enumerate(maps):
            row, column = divmod(place, _MAPS_A_ROW)
            ax = axes[stage * (len(axes) // 2) + row, column]
            ax.set_axis_on()
            drawn.append(ax)
            rows = fig4[(fig4.source_architecture == source) & (fig4.step == step)]
            mesh = _draw_map(ax, rows[rows.target_architecture == target], low, high) or mesh
            first = place == 0
            title = _map_title(source, target) if stage == 0 else ""
            style.panel(ax, "ab"[stage] if first else "", title)
            if column == 0:
                ax.set_ylabel(f"{name}\nsource layer")
            if stage == 1:
                ax.set_xlabel("target layer")
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=drawn, fraction=0.025, pad=0.01, aspect=40)
        bar.set_label("held-out correlation")
        bar.outline.set_visible(False)


def _map_title(source: str, target: str) -> str:
    first, second = style.architecture(source), style.architecture(target)
    return first if source == target else f"{first} → {second}"


def _draw_map(ax: Axes, rows: pd.DataFrame, low: float, high: float) -> QuadMesh | None:
    if rows.empty:
        style.note(ax, "no scores")
        return None
    square = rows.pivot(index="source_depth", columns="target_depth", values="mean")
    mesh = ax.pcolormesh(square.to_numpy(), vmin=low, vmax=high, cmap="viridis", rasterized=True)
    ax.set_aspect(len(square.columns) / len(square))
    for side, axis in (("source", ax.yaxis), ("target", ax.xaxis)):
        roles = rows.drop_duplicates(f"{side}_depth").sort_values(f"{side}_depth")
        axis.set_ticks(*_ticks(list(roles[f"{side}_role"])))
        blocks = int((roles[f"{side}_role"] == "block").sum())
        edge = ax.axhline if side == "source" else ax.axvline
        edge(blocks, color="white", linewidth=0.8)
    best = rows[rows.best.astype(bool)]
    x = square.columns.get_indexer(best.target_depth) + 0.5
    y = square.index.get_indexer(best.source_depth) + 0.5
    n_source, n_target = len(square), len(square.columns)
    ax.plot([0, n_target], [0, n_source], color="white", linewidth=0.6, alpha=0.8)
    ax.plot(x, y, "o", ms=3, mfc="white", mec=style.INK, mew=0.6)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return mesh


def _ticks(roles: list[str]) -> tuple[np.ndarray, list[str]]:
    """A number per block, P for pooled features, L for logits; every second number if many."""
    blocks = roles.count("block")
    every = 1 if blocks <= 10 else -(-blocks // 8)
    letters = {"pooled": "P", "logits": "L"}
    numbers = np.cumsum([role == "block" for role in roles])
    labels = [
        letters.get(role) or (str(n) if (n - 1) % every == 0 else "")
        for role, n in zip(roles, numbers, strict=True)
    ]
    return np.arange(len(roles)) + 0.5, labels


def _draw_shares(figure: SubFigure, tables: common.Tables) -> None:
    names, final = common.architectures(tables), common.final_step(tables)
    matches = tables["fig4_matches"]
    matches = matches[matches["mean"].notna()]
    metrics = [metric for metric in style.METRICS if metric in set(matches.metric)]
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for place, (ax, name) in enumerate(zip(axes, names, strict=True)):
        rows = matches[matches.architecture == name]
        style.panel(ax, "cdefgh"[place], f"{style.architecture(name)}: best match within one layer")
        if rows.empty:
            style.note(ax, "no matches within this architecture")
            continue
        _draw_share(ax, rows, metrics, final)
    axes[0].set_ylabel("share of layers")
    axes[0].set_ylim(-0.02, 1.08)
    figure.legend(handles=_key(), loc="outside lower center", ncols=4, handlelength=2.2)


def _draw_share(ax: Axes, rows: pd.DataFrame, metrics: list[str], final: int) -> None:
    chance = chance_within_one(int(rows.n_layers.max()))
    ax.axhline(_SHARED, color=style.INK, linewidth=0.7, linestyle="--")
    ax.axhline(chance, color=style.GREY, linewidth=0.9, linestyle=":")
    for place, metric in enumerate(metrics):
        for step, shift, face in ((final, -0.12, None), (0, 0.12, "white")):
            row = rows[(rows.metric == metric) & (rows.step == step)]
            bars = np.abs(row[["low", "high"]].clip(0, 1).to_numpy().T - row["mean"].to_numpy())
            colour = style.metric_colour(metric)
            look = {"fmt": "o", "color": colour, "mfc": face or colour, "ms": 4}
            at = np.full(len(row), place + shift)
            ax.errorbar(at, row["mean"], yerr=np.nan_to_num(bars), elinewidth=0.9, **look)
    ax.set_xlim(-0.5, len(metrics) - 0.5)
    ax.set_xticks(range(len(metrics)), [style.metric_label(metric) for metric in metrics])


def _key() -> list[Line2D]:
    return [
        Line2D([], [], color=style.INK, ls="", marker="o", ms=4, label="trained"),
        Line2D([], [], color=style.INK, ls="", marker="o", ms=4, mfc="white", label="untrained"),
        Line2D([], [], color=style.INK, lw=0.7, ls="--", label=f"claimed ({_SHARED:g})"),
        Line2D([], [], color=style.GREY, lw=0.9, ls=":", label="matching at random"),
    ]
