"""Uniform noise on grey images of 30% contrast."""

from __future__ import annotations

import numpy as np

from convergent_learning.images.arrays import grey
from convergent_learning.stimuli.registry import Setting, family
from convergent_learning.stimuli.transformations.contrast import reduced_contrast

# Lowered first so that the milder levels are not clipped.
_CONTRAST = 0.3


@family(
    "uniform_noise",
    levels=(0.03, 0.05, 0.1, 0.2, 0.35, 0.6, 0.9),
    identity=0,
    default=(0.03, 0.05),
    kind="pixel_values",
    source="Geirhos et al. 2018, Generalisation in humans and deep neural networks",
)
def uniform_noise(images: np.ndarray, level: float, setting: Setting) -> np.ndarray:
    """Grey, contrast 30%, plus a draw in ±``level`` a pixel, the same in the three channels."""
    image = reduced_contrast(grey(images), _CONTRAST)
    return image + level * setting.draws.uniform(image.shape[1:])
