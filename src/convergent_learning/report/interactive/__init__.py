"""Interactive plots of the page: `fig<number>.py` belongs to the figure of that number.

A module has `plot(tables)`, which returns a `plots.Plot` or None, and may have `listing(tables)`,
which returns a `recordings_table.Listing`. A figure without a module has neither.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType


def name_of(number: int) -> str | None:
    """The name of the module of a figure, which is not imported; None if it has none."""
    name = f"{__name__}.fig{number}"
    return name if find_spec(name) else None


def module_of(number: int) -> ModuleType | None:
    """The module of a figure, or None."""
    name = name_of(number)
    return importlib.import_module(name) if name else None
