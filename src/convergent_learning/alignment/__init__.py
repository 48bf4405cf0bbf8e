"""Alignment of two sets of responses to the same stimuli: arrays in, scores out.

>>> from convergent_learning.alignment import score
>>> score(x, y)["procrustes"].mean  # doctest: +SKIP

Names are loaded when first used: scoring from stored moments (`tables`) must not import torch.
"""

from __future__ import annotations

import importlib

_HOME = {
    "Score": "api",
    "RotatedBasis": "api",
    "score": "api",
    "rotated_basis": "api",
    "shuffled": "api",
    "transfer": "api",
    "folds": "crossvalidation",
    "metrics": "registry",
    "register": "registry",
    "rotated_table": "tables",
    "score_table": "tables",
    "sample_positions": "positions",
    "grid_size": "positions",
    "write_moments": "store",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__():
    return sorted(set(globals()) | set(_HOME))
