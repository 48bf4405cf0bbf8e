"""One look for all figures: sizes in mm, type, colours, and saving without a trace of the time.

The functions here and in `common` import matplotlib where they use it: whoever only asks which
figures there are, as the workflow does whenever it is parsed, need not wait for it.
"""

from __future__ import annotations

import re
import textwrap
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, NamedTuple

from convergent_learning.alignment.registry import looks
from convergent_learning.alignment.registry import metrics as registered

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.ticker import Locator

ONE_COLUMN, TWO_COLUMNS = 89.0, 183.0  # mm
SHOWN_DPI = 200  # of figures that are returned
LETTER = 1.3  # mm that a letter of 7 points takes
_MM = 1 / 25.4

INK, GREY, PALE = "#222222", "#767676", "#ECECEC"


class FamilyLook(NamedTuple):
    """How a family of conditions is drawn."""

    label: str
    colour: str
    marker: str


# Tol's "muted" scheme, with black for its pale grey; markers tell apart what colour may not.
_FAMILIES = {
    "colour": FamilyLook("greyscale", "#222222", "X"),
    "contrast": FamilyLook("contrast", "#332288", "o"),
    "high_pass": FamilyLook("high-pass", "#88CCEE", "^"),
    "low_pass": FamilyLook("low-pass", "#44AA99", "v"),
    "phase_scrambling": FamilyLook("phase scrambled", "#117733", "s"),
    "power_equalisation": FamilyLook("power equalised", "#999933", "p"),
    "false_colour": FamilyLook("false colour", "#AA4499", "D"),
    "rotation": FamilyLook("rotation", "#DDAA33", "P"),
    "eidolon_I": FamilyLook("eidolon I", "#CC6677", "<"),
    "eidolon_II": FamilyLook("eidolon II", "#CC6677", ">"),
    "eidolon_III": FamilyLook("eidolon III", "#CC6677", "d"),
    "uniform_noise": FamilyLook("uniform noise", "#882255", "h"),
    # Sets that a user brings, under the names they were published with.
    "sketch": FamilyLook("sketch", "#0077BB", "H"),
    "stylized": FamilyLook("stylized", "#EE7733", "8"),
    "edge": FamilyLook("edge", "#009988", "*"),
    "silhouette": FamilyLook("silhouette", "#BB5566", "p"),
    "cue_conflict": FamilyLook("cue conflict", "#555555", "D"),
}
# Tol's "bright" scheme: groups beside one that is drawn in ink.
_GROUPS = [
    ("#4477AA", ">"),
    ("#66CCEE", "s"),
    ("#EE6677", "^"),
    ("#228833", "v"),
    ("#CCBB44", "D"),
    ("#AA3377", "P"),
]
# Of metrics that declare none: two of Okabe & Ito's, and two of Tol's.
_SPARE_METRICS = ["#56B4E9", "#E69F00", "#999933", "#882255"]
_SPARE_COLOURS = ["#0077BB", "#EE7733", "#009988", "#BB5566", "#555555"]
_SPARE_MARKERS = ["s", "^", "v", "o", "P", "X"]
_LEVELS = {
    "contrast": "{}%",
    "high_pass": "σ {}",
    "low_pass": "σ {}",
    "phase_scrambling": "±{}°",
    "rotation": "{}°",
    "eidolon_I": "{} px",
    "eidolon_II": "{} px",
    "eidolon_III": "{} px",
    "uniform_noise": "±{}",
}
_ABBREVIATIONS = {"cca", "cka", "r2", "rsa"}
_ACRONYMS = {"simclr": "SimCLR", "moco": "MoCo"}
# Names of architectures as papers write them, ours and torchvision's; other groups keep theirs.
_ARCHITECTURES = {
    r"resnet(\d+)": r"ResNet-\1",
    r"vgg(\d+)": r"VGG-\1",
    r"vit_small": "ViT-S",
    r"vit_b_(\d+)": r"ViT-B/\1",
    r"vit_l_(\d+)": r"ViT-L/\1",
    r"alexnet": "AlexNet",
}

_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlepad": 4,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "lines.linewidth": 1.1,
    "lines.markersize": 2.6,
    "lines.markeredgewidth": 0.7,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "figure.dpi": 100,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "path.simplify": False,
}


@contextmanager
def applied() -> Iterator[None]:
    """The style, whatever the user's matplotlibrc says; restored afterwards."""
    from matplotlib.style import context

    with context(_RC, after_reset=True):
        yield


def figure(height_mm: float, width_mm: float = TWO_COLUMNS, dpi: float | None = None) -> Figure:
    """An empty figure of a size in mm; `dpi` matters if it is not `save` that writes it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width_mm * _MM, height_mm * _MM), layout="constrained", dpi=dpi)
    FigureCanvasAgg(made)
    return made


def settled(made: Figure) -> Figure:
    """A figure to be returned, with ticks and layout made: later they would not have this style."""
    made.draw_without_rendering()
    return made


def ticks() -> Locator:
    """At most six ticks, however large the labels of the user's own figures are."""
    return locator(6, steps=[1, 2, 2.5, 5, 10])


def locator(most: int, **how: Any) -> Locator:
    """At most `most` ticks, at round numbers; `how` goes to matplotlib's `MaxNLocator`."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, **how)


def split(made: Figure | SubFigure, rows: int, columns: int, **ratios: Any) -> list[SubFigure]:
    """Parts of a figure, row by row."""
    return list(made.subfigures(rows, columns, squeeze=False, **ratios).flat)


def save(made: Figure, out_pdf: str | Path, out_png: str | Path, provenance: str = "") -> None:
    """Write PDF (fonts embedded) and PNG (300 dpi), the same bytes for the same figure.

    `provenance` (ASCII) goes into the metadata of both, unless it is empty.
    """
    undated = {"CreationDate": None, "ModDate": None}
    made.savefig(out_pdf, format="pdf", metadata={**undated, "Keywords": provenance or None})
    made.savefig(
        out_png, format="png", metadata={"Software": None, "provenance": provenance or None}
    )


def panel(ax: Axes, letter: str, title: str = "") -> None:
    """Panel letter at the left, title in the middle."""
    if letter:
        ax.set_title(letter, loc="left", fontsize=8, fontweight="bold")
    ax.set_title(title)


def nth_letter(place: int) -> str:
    """Letter of the panel at `place`, from 0: a … z, aa, ab …"""
    more, last = divmod(place, 26)
    return (nth_letter(more - 1) if more else "") + ascii_lowercase[last]


def letter(made: SubFigure, text: str) -> None:
    """A letter for a part of several axes."""
    made.suptitle(text, x=0.004, y=0.995, ha="left", fontsize=8, fontweight="bold")


def note(ax: Axes, text: str) -> None:
    """Say in an empty panel why it is empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GREY, wrap=True)


def metric_label(metric: str) -> str:
    """A metric's name in print."""
    known = looks()
    if metric in known:
        return known[metric].label
    words = metric.split("_")
    return " ".join(word.upper() if word in _ABBREVIATIONS else word for word in words)


def score_label(metrics: Iterable[str]) -> str:
    """What scores are: held-out correlations, unless a context metric is among them."""
    return "held-out correlation" if set(metrics) <= set(registered()) else "score"


def metric_colour(metric: str) -> str:
    """A metric's colour; one that declares none has a spare one, a context metric grey."""
    known = looks()
    if metric in known:
        return known[metric].colour
    others = [name for name in registered() if name not in known]
    if metric not in others:
        return GREY
    return _SPARE_METRICS[others.index(metric) % len(_SPARE_METRICS)]


def is_drawn(metric: str) -> bool:
    """Whether figures draw a metric: those that are registered, and not for context."""
    return metric in registered()


def metrics(table: pd.DataFrame) -> list[str]:
    """Metrics that a figure draws of its table, in the order in which they are registered."""
    present = set(table.metric)
    return [metric for metric in registered() if metric in present]


def shade(colour: str, strength: float) -> tuple[float, float, float]:
    """`colour` for the strongest level (1) of a family, lighter for milder ones (down to 0)."""
    from matplotlib.colors import to_rgb

    lightness = 0.55 * (1 - strength)
    red, green, blue = (c + (1 - c) * lightness for c in to_rgb(colour))
    return red, green, blue


def colour_map(name: str) -> Colormap:
    """One of matplotlib's colour maps."""
    from matplotlib import colormaps

    return colormaps[name]


def family(name: str) -> FamilyLook:
    """How a family is drawn; one that is not built in gets a spare look by its name."""
    if name in _FAMILIES:
        return _FAMILIES[name]
    number = zlib.crc32(name.encode())
    colour = _SPARE_COLOURS[number % len(_SPARE_COLOURS)]
    marker = _SPARE_MARKERS[number // len(_SPARE_COLOURS) % len(_SPARE_MARKERS)]
    return FamilyLook(name.replace("_", " "), colour, marker)


def level(name: str, text: str) -> str:
    """A level of a family with its unit; nothing for a family that has only one way to be."""
    if text in ("bw", "pow", "opponent"):
        return ""
    return _LEVELS.get(name, "{}").format(text)


def condition(stimuli: str, text: str) -> str:
    """A condition in print: its family and level."""
    return f"{family(stimuli).label} {level(stimuli, text)}".strip()


def group(name: str) -> str:
    """A group's name in print: resnet18 is ResNet-18."""
    for pattern, printed in _ARCHITECTURES.items():
        if found := re.fullmatch(pattern, name):
            return found.expand(printed)
    return _ACRONYMS.get(name, name)


def in_lines(text: str) -> str:
    """A name over a narrow panel: broken at hyphens and spaces."""
    return textwrap.fill(text, 11, break_long_words=False)


def nth_group(place: int) -> tuple[str, str]:
    """Colour and marker of the group at `place`, from 0, beside a group drawn in ink."""
    return _GROUPS[place % len(_GROUPS)]


def pair(x: str, y: str) -> str:
    """Two groups in print: one name for pairs within a group."""
    return group(x) if x == y else f"{group(x)} – {group(y)}"


def nth_of_many(place: int) -> tuple[str, str]:
    """Colour and marker of one of many groups, or pairs of them; their combinations differ."""
    colour, _ = nth_group(place)
    _, marker = nth_group(place + place // len(_GROUPS))
    return colour, marker
