"""Grey images turned by right angles."""

from __future__ import annotations

import numpy as np

from convergent_learning.images.arrays import grey
from convergent_learning.stimuli.registry import Setting, family


@family(
    "rotation",
    levels=(90, 180, 270),
    identity=0,
    graded=False,
    default=(90, 180),
    kind="geometry",
    source="Geirhos et al. 2018, Generalisation in humans and deep neural networks",
)
def rotation(images: np.ndarray, level: float, setting: Setting) -> np.ndarray:
    """Grey image turned counter-clockwise by ``level`` degrees."""
    h, w = images.shape[1:3]
    if h != w and level % 180:
        raise ValueError(f"images of {h}×{w} pixels cannot be rotated by {level}°: not square")
    return np.rot90(grey(images), k=int(level) // 90, axes=(1, 2))
