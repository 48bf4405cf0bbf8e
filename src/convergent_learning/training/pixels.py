"""What images a network is trained on, by the name that `training.images` gives them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convergent_learning.randomness import derived_seed
from convergent_learning.stimuli import apply, families
from convergent_learning.stimuli.draws import Draws


def natural(images: np.ndarray, experiment_seed: int) -> np.ndarray:
    """The images of the data set."""
    return images


def noise(images: np.ndarray, experiment_seed: int) -> np.ndarray:
    """Uniform pixels in place of each image, drawn from the experiment's seed and its row."""
    draws = Draws(experiment_seed, "training noise", np.arange(len(images)))
    made = np.empty_like(images)
    for image, generator in zip(made, draws.generators(), strict=True):
        image[:] = generator.integers(0, 256, image.shape, dtype=np.uint8)
    return made


IMAGES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"natural": natural, "noise": noise}
"""Images (n, h, w, 3) uint8 of the training subset, and the experiment's seed, to such images."""


def trained_on(
    name: str, images: np.ndarray, experiment_seed: int, spectrum: np.ndarray | None = None
) -> np.ndarray:
    """The training images called `name`: one of `IMAGES`, or a family and level (`contrast 10`).

    What a family draws is not what it draws for the test images. `spectrum` is the mean amplitude
    spectrum of the data set. Raises ValueError for an unknown name, family or level.
    """
    if name in IMAGES:
        return IMAGES[name](images, experiment_seed)
    family, _, level = name.partition(" ")
    if family not in families():
        known = ", ".join([*IMAGES, *families()])
        raise ValueError(f"training.images: {name!r} is none of {known}")
    seed = derived_seed("training images", experiment_seed)
    return apply(family, images, level, seed, spectrum=spectrum)
