"""The mark on results that were drawn from a reference, so that nothing takes them for computed."""

from __future__ import annotations

import shutil
from pathlib import Path

MARK = "DRAWN_FROM_REFERENCE"


class DrawingError(ValueError):
    """Computed results and drawings from the reference would mix."""


def clear_drawings(results: Path) -> None:
    """Remove what was drawn from a reference; a folder with computed results is left alone."""
    if (results / MARK).exists():
        shutil.rmtree(results)


def refuse_drawings(results: Path) -> None:
    """Raise DrawingError if `results` was drawn from a reference: nothing in it was computed."""
    if (results / MARK).exists():
        raise DrawingError(
            f"{results} was drawn from the reference by `make figures`, not computed: remove it"
            f" first (rm -r {results}); `make reproduce` and `make scores` do so"
        )
