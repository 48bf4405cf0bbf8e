"""Stimulus sets: in-distribution images and their out-of-distribution conditions."""

from __future__ import annotations

from . import transformations  # noqa: F401  # it registers the families
from .conditions import apply
from .registry import Family, condition_slug, families, get_family, level_text

__all__ = ["Family", "apply", "condition_slug", "families", "get_family", "level_text"]
