"""Figure 1: the stimuli, how the networks trained, and their accuracy on every condition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convergent_learning.figures import common, style, words
from convergent_learning.tables.figure_data import FigureData
from convergent_learning.tables.schema import named
from convergent_learning.tables.stages import TRAINED
from convergent_learning.tables.storage import Tables, read_table, read_tables, with_stages
from convergent_learning.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

_TILE_MM = 13.5
_MIN_COLUMNS = 10  # so that a few families do not make large tiles

TITLE = "Stimuli and networks"
ABOUT = (
    "A test image under every condition; loss and accuracy over training, one line per "
    "network; accuracy after training on every condition, one marker per network, with a bar "
    "at their mean."
)
DATA = FigureData(
    tables=named("fig1_training", "fig1_stimuli"),
    pictures=("fig1_stimuli.png",),
    facts=("accuracy", "datasets", "groups", "conditions"),
)

_SPLITS = {"train": ("training set", "--"), "test": ("test set", "-")}
_ACROSS = 5  # entries of a legend beside each other


def draw(
    tables: str | Path, out_pdf: str | Path, out_png: str | Path, provenance: str = ""
) -> None:
    """Draw figure 1 from the tables folder (with fig1_stimuli.png) into a PDF and a PNG."""
    tiles = _tiles(Path(tables))
    first = _first_dataset(tables)

    def height(parts: Tables) -> float:
        return sum(_heights(parts, first))

    def panels(figure: Figure | SubFigure, parts: Tables) -> None:
        _panels(figure, parts, tiles, first)

    names = ["conditions", "accuracy", "fig1_training", "fig1_stimuli"]
    common.draw_by_dataset(tables, names, height, panels, out_pdf, out_png, provenance)


def caption(tables: str | Path) -> str:
    """The caption, with n and accuracies taken from the tables."""
    loaded = with_stages(read_tables(tables, ["datasets", "groups", "conditions", "accuracy"]))
    accuracy, conditions = loaded["accuracy"], loaded["conditions"]
    final = accuracy[(accuracy.stimuli == "id") & (accuracy.stage == TRAINED)]
    datasets = loaded["datasets"]
    networks = [
        f"{style.group(name)}{f' on {dataset}' * (len(datasets) > 1)}, "
        f"{counted(rows.seed.nunique(), 'network')}, accuracy "
        f"{rows.accuracy.mean():.3f} ({rows.accuracy.min():.3f}–{rows.accuracy.max():.3f})"
        for (dataset, name), rows in final.groupby(["dataset", "group"], sort=False)
    ]
    images = f"{datasets.stimuli.iloc[0]:,} test images"
    if len(datasets) > 1:
        images += f" of {_first_dataset(tables)}"
    shown = f"{counted(len(conditions), 'condition')} of {conditions.family.nunique()} families"
    return (
        f"Stimuli and networks. Top: one of the {images} under each of "
        f"{shown}, mild to strong from top to bottom. Middle: loss and accuracy over training, one "
        "line per network; dashed, training set; solid, test set. Bottom: accuracy on each "
        f"condition that has one, networks {words.finished(loaded['groups'])}, one marker per "
        "network, a bar at their mean; dashed lines, mean accuracy on the unaltered images; "
        f"dotted, chance. n: {'; '.join(networks)}." + words.probe_sentence(tables)
    )


def alternative(tables: str | Path) -> str:
    """The text alternative, with numbers taken from the tables."""
    conditions = read_table(tables, "conditions")
    kept, whose = words.of_one_kind(tables, "accuracy")
    accuracy = kept["accuracy"]
    last = accuracy[accuracy.stage == TRAINED]
    means = last.groupby(["stimuli", "condition"], sort=False).accuracy.mean().dropna()
    plain = means[means.index.get_level_values("stimuli") == "id"]
    shifted = means.drop(plain.index)
    text = (
        f"A test image under each of {len(conditions)} conditions; curves of loss and accuracy "
        "over training; accuracy on each condition."
    )
    if plain.empty:
        return text
    text += f" Mean accuracy{whose} is {plain.mean():.2f} on the unaltered images"
    if shifted.empty:
        return text + "."
    best, worst = (style.condition(*shifted.idxmax()), style.condition(*shifted.idxmin()))
    return (
        f"{text}, highest on {best} ({shifted.max():.2f}) and lowest on {worst} "
        f"({shifted.min():.2f})."
    )


def _tiles(folder: Path) -> list[np.ndarray]:
    """The tiles of fig1_stimuli.png, one per row of fig1_stimuli.csv: squares, left to right."""
    from matplotlib.image import imread

    path = folder / "fig1_stimuli.png"
    count = len(read_table(folder, "fig1_stimuli"))
    try:
        picture = imread(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such picture; run the rule that writes it") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f"{path}: not a readable picture ({error}); delete it and rerun"
        ) from error
    height, width = picture.shape[:2]
    side = round((height * width / max(count, 1)) ** 0.5)
    if not side or (height // side) * (width // side) < count:
        raise ValueError(f"{path}: {width} × {height} pixels do not hold {count} square tiles")
    across = width // side
    return [picture[i // across * side :, i % across * side :][:side, :side] for i in range(count)]


def _grid(stimuli: pd.DataFrame) -> tuple[list[str], int, int]:
    """Columns (stimulus families), levels of the longest, images."""
    families = list(dict.fromkeys(stimuli.stimuli))
    levels = int(stimuli.groupby(["image", "stimuli"]).size().max()) if len(stimuli) else 0
    return families, max(levels, 1), max(stimuli.image.nunique(), 1)


def _first_dataset(tables: str | Path) -> str:
    """The dataset whose image is shown under every condition."""
    return str(read_table(tables, "datasets").dataset.iloc[0])


def _top_height(tables: Tables) -> float:
    _, levels, images = _grid(tables["fig1_stimuli"])
    return 7 + (_TILE_MM + 3) * levels * images


def _heights(tables: Tables, first: str) -> list[float]:
    """Of the three parts, the lower ones with a line more for each line of their legends.

    The first part is of the dataset `first` alone, and of no height for another one.
    """
    groups, trained = set(tables["groups"].group), set(tables["fig1_training"].group)
    more = [4 * max(-(-n // _ACROSS) - 1, 0) for n in (len(trained) + len(_SPLITS), len(groups))]
    shown = tables["datasets"].dataset.iloc[0] == first
    return [_top_height(tables) if shown else 0, 48 + more[0], 60 + more[1]]


def _panels(
    figure: Figure | SubFigure, tables: Tables, tiles: list[np.ndarray], first: str
) -> None:
    *above, middle, bottom = [height for height in _heights(tables, first) if height]
    *top, middle_figure, bottom_figure = style.split(
        figure, len(above) + 2, 1, height_ratios=[*above, middle, bottom]
    )
    for part in top:
        _draw_stimuli(part, tables["fig1_stimuli"], tiles)
    _draw_training(middle_figure, tables)
    _draw_accuracy(bottom_figure.subplots(), tables)


def _draw_stimuli(figure: SubFigure, stimuli: pd.DataFrame, tiles: list[np.ndarray]) -> None:
    families, levels, images = _grid(stimuli)
    axes = figure.subplots(
        levels * images,
        max(len(families), _MIN_COLUMNS),
        squeeze=False,
        gridspec_kw={"wspace": 0, "hspace": 0},
    )
    for ax in axes.flat:
        ax.set_axis_off()
    pictures = list(dict.fromkeys(stimuli.image))
    for (image, family), rows in stimuli.groupby(["image", "stimuli"], sort=False):
        for level, row in enumerate(rows.itertuples()):
            ax = axes[pictures.index(image) * levels + level, families.index(family)]
            ax.set_axis_on()
            ax.imshow(tiles[row.Index], interpolation="nearest", cmap="gray", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
            ax.set_xlabel(style.level(family, row.condition), fontsize=6, labelpad=1)
    for column, family in enumerate(families):
        label = "original" if family == "id" else style.family(family).label
        axes[0, column].set_title(label.replace(" ", "\n"), fontsize=6, pad=2)
    style.letter(figure, "a")


def _draw_training(figure: SubFigure, tables: Tables) -> None:
    axes = figure.subplots(1, 2)
    training, looks = tables["fig1_training"], common.looks(tables["groups"])
    if training.empty:
        for ax, letter in zip(axes, "bc", strict=True):
            style.panel(ax, letter)
            ax.set_axis_off()
            style.note(ax, "no network is trained here")
        return
    untrained = set(tables["groups"].group[tables["groups"].objective == "none"])
    for ax, letter, quantity in zip(axes, "bc", ("loss", "accuracy"), strict=True):
        style.panel(ax, letter)
        for name, (colour, _) in looks.items():
            runs = training[training.group == name]
            # A network that is never trained has no loss on the training set.
            splits = ["test"] if name in untrained else [*_SPLITS]
            for _, run in runs.sort_values("epoch").groupby("seed"):
                for split in splits:
                    known = run[run[f"{split}_{quantity}"].notna()]
                    values = known[f"{split}_{quantity}"]
                    ax.plot(known.epoch, values, _SPLITS[split][1], color=colour, linewidth=0.8)
        ax.set_xlabel("epoch")
        ax.set_ylabel(quantity)
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(style.locator(6, integer=True))
    axes[0].set_ylim(bottom=0)
    axes[1].set_ylim(0, 1)
    handles = _key(looks, set(training.group))
    common.legend_below(figure, handles, min(len(handles), _ACROSS))


def _key(looks: common.Looks, trained: set[str]) -> list[Line2D]:
    lines = [
        common.key(style.group(name), color=colour)
        for name, (colour, _) in looks.items()
        if name in trained
    ]
    splits = reversed(_SPLITS.values())
    return lines + [common.key(label, color=style.GREY, ls=dashes) for label, dashes in splits]


def _draw_accuracy(ax: Axes, tables: Tables) -> None:
    style.panel(ax, "d")
    looks, conditions = common.looks(tables["groups"]), tables["conditions"]
    accuracy = tables["accuracy"]
    accuracy = accuracy[accuracy.stage == TRAINED]
    decided = accuracy[accuracy.accuracy.notna()][["stimuli", "condition"]].drop_duplicates()
    conditions = conditions.merge(decided, on=["stimuli", "condition"])
    common.chance_line(ax, tables, 0.004, "left", "top")
    ax.set_ylim(0, 1)
    ax.set_ylabel("accuracy")
    if conditions.empty:
        style.note(ax, "no out-of-distribution conditions with an accuracy")
        return
    for place, (name, (colour, marker)) in enumerate(looks.items()):
        rows = accuracy[accuracy.group == name]
        plain = rows[rows.stimuli == "id"].accuracy.mean()
        ax.axhline(plain, color=colour, linewidth=0.7, linestyle="--", zorder=1)
        apart = min(0.28, 0.8 / len(looks))
        shift = (place - (len(looks) - 1) / 2) * apart
        for x, condition in enumerate(conditions.itertuples()):
            here = rows[
                (rows.stimuli == condition.stimuli) & (rows.condition == condition.condition)
            ]
            at = np.full(len(here), x + shift)
            tint = style.family(condition.stimuli).colour
            ax.plot(at, here.accuracy, marker, ms=2.6, mfc="none", mec=tint, mew=0.6)
            ends = x + shift - 0.43 * apart, x + shift + 0.43 * apart
            ax.hlines(here.accuracy.mean(), *ends, tint, linewidth=1.4)
    labels = list(map(style.condition, conditions.stimuli, conditions.condition))
    ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    ax.set_xlim(-0.7, len(conditions) - 0.3)
    _separate_families(ax, conditions)
    how = {"ls": "--", "lw": 0.7, "mfc": "none", "mec": style.INK}
    handles = [
        common.key(common.title(tables, name), marker=marker, color=colour, **how)
        for name, (colour, marker) in looks.items()
    ]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=_ACROSS, borderpad=0)


def _separate_families(ax: Axes, conditions: pd.DataFrame) -> None:
    families = conditions.family.to_numpy()
    for edge in np.flatnonzero(families[1:] != families[:-1]):
        ax.axvline(edge + 0.5, color=style.PALE, linewidth=0.8, zorder=0)
