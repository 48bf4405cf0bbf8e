"""Numbers as a reader sees them, on figures and pages and in claims."""

from __future__ import annotations

import math


def in_print(value: float | None, decimals: int = 3) -> str:
    """A number with a minus sign and no minus before zero; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}".replace("-", "−")
