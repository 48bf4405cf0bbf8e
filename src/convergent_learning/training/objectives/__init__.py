"""What networks are trained for: each objective is a file here, which defines `Objective`.

The file's name is what `training.objective` calls it; a new file is a new objective.
"""

from __future__ import annotations

import importlib
import pkgutil


def objectives() -> list[str]:
    """The names that there are. Imports none of them, and no torch."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


def objective(name: str):
    """The class `Objective` of the file `name`; ValueError for one that is not there."""
    if name not in objectives():
        raise ValueError(f"training.objective: {name!r} is none of {', '.join(objectives())}")
    return importlib.import_module(f"{__name__}.{name}").Objective
