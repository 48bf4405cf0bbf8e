"""The recordings in a table: what was recorded, its ceiling, and the layer that matches it best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convergent_learning.figures import style
from convergent_learning.figures.fig8 import ceiling_in_words
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.storage import read_tables

_COLUMNS = ["System", "Images", "Subjects", "Units", "Noise ceiling", "Networks", "Best layer"]
_COLUMNS += ["Score", "p"]
_NUMBERS = ("Images", "Subjects", "Units", "Noise ceiling", "Score", "p")
_NOTE = (
    "Score and noise ceiling: Spearman correlation of dissimilarities (RSA). Best layer: the one "
    "with the highest mean score after training; p: that any layer scores as high with the images "
    "shuffled (maxT). Numbers:"
)


@dataclass(frozen=True)
class Listing:
    """A table of the page: rows of text under `columns`; `numbers` are places of columns."""

    title: str
    columns: list[str]
    numbers: list[int]
    rows: list[list[str]]
    note: str
    tables: list[str]


def recordings_table(tables: Path) -> Listing:
    """A row for each system and group."""
    frames = read_tables(tables, ("datasets", "recordings", "fig8_best"))
    datasets, recordings, best = frames.values()
    several = len(datasets) > 1
    rows: list[list[str]] = []
    for system in recordings.itertuples():
        own = best[(best.recording == system.recording) & (best.system == system.system)]
        for row in own.itertuples():
            trained = f" ({row.dataset})" if several else ""
            rows.append([*_system(system), f"{style.group(row.group)}{trained}", *_match(row)])
        if own.empty:
            rows.append([*_system(system), *["–"] * 4])
    places = [_COLUMNS.index(name) for name in _NUMBERS]
    links = [f"tables/{name}.csv" for name in ("recordings", "fig8_best", "fig8")]
    return Listing(
        "Recordings and the layers that match them best", _COLUMNS, places, rows, _NOTE, links
    )


def _system(row: Any) -> list[str]:
    responses = row.kind == "responses"
    left_out = row.n_unreliable + row.n_constant
    units = f"{row.n_units:.0f}" + (f" ({left_out:.0f} left out)" if left_out > 0 else "")
    return [
        f"{row.recording}, {row.system}",
        f"{row.n:.0f}",
        "–" if responses else f"{row.n_subjects:.0f}",
        units if responses else "–",
        ceiling_in_words(row) or "–",
    ]


def _match(row: Any) -> list[str]:
    return [row.layer, in_print(row.score), in_print(row.p)]
