"""Stimulus sets: in-distribution images and their out-of-distribution conditions."""

from __future__ import annotations

# isort: off
# Imported for the families they register, in the order of docs/methods/stimuli.md.
from . import contrast, filters, fourier, colour_opponent, rotation, eidolon, noise  # noqa: F401

# isort: on
from .conditions import apply
from .registry import Family, condition_slug, families, get_family, level_text

__all__ = ["Family", "apply", "condition_slug", "families", "get_family", "level_text"]
