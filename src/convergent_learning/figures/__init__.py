"""One module per figure: what it is drawn from, `draw`, `caption` and `alternative`; no torch.

A module `fig<number>.py` in this package is the figure of that number. It has

- `TITLE` and `ABOUT`, texts: the heading in the report, and what the figure shows;
- `DATA`, a `FigureData`: the scores behind it, its tables, and how they follow from these;
- `draw(tables, out_pdf, out_png, provenance="")`, which draws from the tables folder into both
  files and stores the text `provenance` in them;
- `caption(tables)` and `alternative(tables)`, which return the caption and the text alternative.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from convergent_learning.tables.schema import TABLES, Table
from convergent_learning.tables.storage import tables_in

_PARTS = ("TITLE", "ABOUT", "DATA", "draw", "caption", "alternative")


@functools.cache
def figures() -> dict[int, ModuleType]:
    """The module of each figure, by its number in ascending order.

    Raises ValueError naming a module that lacks a part of a figure, and what it lacks.
    """
    names = (re.fullmatch(r"fig(\d+)", module.name) for module in pkgutil.iter_modules(__path__))
    numbers = sorted(int(name[1]) for name in names if name)
    found = {number: importlib.import_module(f"{__name__}.fig{number}") for number in numbers}
    for number, module in found.items():
        if missing := [part for part in _PARTS if not hasattr(module, part)]:
            raise ValueError(f"figures/fig{number}.py has no {', '.join(missing)}")
    return found


def schema() -> dict[str, Table]:
    """All tables, those that figures declare among them."""
    figures()
    return TABLES


def drawable(numbers: Iterable[int], tables: str | Path) -> list[int]:
    """Those of the figures whose own tables lie in a folder: one may be older than a figure."""
    there = {*tables_in(tables)}
    return [n for n in numbers if {*figures()[n].DATA.names(calibrated=False)} <= there]
