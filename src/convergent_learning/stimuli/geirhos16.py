"""The 16-class decision of a network with the 1,000 ImageNet classes."""

from __future__ import annotations

import functools
import json
from importlib import resources

import numpy as np


def sixteen_class_decision(probabilities: np.ndarray) -> np.ndarray:
    """Category of highest mean probability over its ImageNet classes.

    Parameters
    ----------
    probabilities : ndarray (n, 1000)
        Softmax outputs, classes in the order of ILSVRC 2012 (ascending WordNet ids).

    Returns
    -------
    ndarray (n,) int64
        Indices into :func:`sixteen_categories`; ties go to the first.

    Raises
    ------
    ValueError
        For another shape, or values that are no probabilities (logits, for example).

    Notes
    -----
    Geirhos et al. 2018, *Generalisation in humans and deep neural networks*; the index lists and
    their source are in ``geirhos16.json``.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 2 or probabilities.shape[1] != 1000:
        raise ValueError(f"probabilities must be (n, 1000), not {probabilities.shape}")
    if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1.001):
        raise ValueError("probabilities must lie in [0, 1]: apply softmax to logits first")
    means = [probabilities[:, list(indices)].mean(axis=1) for indices in _categories().values()]
    return np.argmax(means, axis=0) if len(probabilities) else np.empty(0, dtype=np.int64)


def sixteen_categories() -> tuple[str, ...]:
    """Names of the 16 categories, in the order of the decision."""
    return tuple(_categories())


@functools.cache
def _categories() -> dict[str, tuple[int, ...]]:
    text = resources.files(__package__).joinpath("geirhos16.json").read_text(encoding="utf-8")
    return {name: tuple(indices) for name, indices in json.loads(text)["categories"].items()}
