"""Low-pass and high-pass filtered grey images."""

from __future__ import annotations

import functools

import numpy as np

from convergent_learning.images.arrays import grey
from convergent_learning.stimuli.registry import Setting, family

# Mean grey of the ImageNet test images of the published experiments: border and new mean.
BACKGROUND = 0.4423

_SOURCE = "Geirhos et al. 2018, Generalisation in humans and deep neural networks"


@family(
    "high_pass",
    levels=(3, 1.5, 1, 0.7, 0.55, 0.45, 0.4),
    identity=float("inf"),
    default=(1, 0.55),
    kind="spectra",
    source=_SOURCE + "; sigma in pixels of the image whatever its size",
)
def high_pass(images: np.ndarray, level: float, setting: Setting) -> np.ndarray:
    """I − Gσ(I), each image shifted to the background's mean; σ in the image's own pixels."""
    image = grey(images)
    if np.isinf(level):
        return image
    fine = image - _blur(image, level)
    return fine - fine.mean(axis=(1, 2), keepdims=True) + BACKGROUND


@family(
    "low_pass",
    levels=(1, 3, 5, 7, 10, 15, 40),
    identity=0,
    default=(5, 10),
    kind="spectra",
    source=_SOURCE + "; sigma for images of 224 pixels, scaled to the image's side",
)
def low_pass(images: np.ndarray, level: float, setting: Setting) -> np.ndarray:
    """Gσ(I); σ is that of an image of 224 pixels and scales with the (shorter) side."""
    image = grey(images)
    return _blur(image, level * min(image.shape[1:]) / 224)


def gaussian_matrix(side: int, sigma: float, mode: str) -> np.ndarray:
    """Gaussian filter of a line of ``side`` pixels as a (side, side) matrix.

    Kernel sampled, cut at 4 σ and normalised, as in ``scipy.ndimage.gaussian_filter1d``; ``mode``
    is that of SciPy: "constant" (zeros), "reflect" (mirrored) or "wrap" (periodic). As a matrix,
    the cost does not grow with σ, and an image gives the same result in any batch.
    """
    return _gaussian_matrix(side, float(sigma), mode)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter of (n, h, w) with a constant border of the background grey."""
    rows, columns = (gaussian_matrix(side, sigma, "constant") for side in image.shape[1:])
    # Relative to the border's value the border is zero, and the filter a plain matrix.
    return rows @ (image - BACKGROUND) @ columns.T + BACKGROUND


@functools.lru_cache(maxsize=256)
def _gaussian_matrix(side: int, sigma: float, mode: str) -> np.ndarray:
    if sigma == 0:
        return np.eye(side)
    # Imported here: it takes 0.15 s, and all that reads stimuli passes by this module.
    from scipy import ndimage

    matrix = ndimage.gaussian_filter1d(np.eye(side), sigma, axis=0, mode=mode)
    matrix.setflags(write=False)
    return matrix
