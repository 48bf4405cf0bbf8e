"""Grey images and grey images of low contrast."""

from __future__ import annotations

import numpy as np

from convergent_learning.images.arrays import grey
from convergent_learning.stimuli.registry import Setting, family

_SOURCE = "Geirhos et al. 2018, Generalisation in humans and deep neural networks"


@family("colour", levels=("bw",), kind="pixel_values", source=_SOURCE)
def colour(images: np.ndarray, level: str, setting: Setting) -> np.ndarray:
    """Grey version of the image."""
    return grey(images)


@family(
    "contrast",
    levels=(50, 30, 15, 10, 5, 3, 1),
    identity=100,
    default=(50, 30),
    kind="pixel_values",
    source=_SOURCE,
)
def contrast(images: np.ndarray, level: float, setting: Setting) -> np.ndarray:
    """Contrast of the grey image reduced to ``level`` per cent about mid-grey."""
    return reduced_contrast(grey(images), level / 100)


def reduced_contrast(image: np.ndarray, c: float) -> np.ndarray:
    """c·I + (1 − c)/2."""
    return c * image + (1 - c) / 2
