"""Image arrays: what is accepted, grey values, the way back to the caller's dtype, batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SMALLEST_SIDE = 8

# CIE luminance weights of scikit-image's rgb2gray, which the published stimuli were made with.
_GREY_WEIGHTS = (0.2125, 0.7154, 0.0721)

# 256 images of 32 pixels, 5 of 224: some tens of MB of float64 intermediates, and cache-friendly.
_PIXELS_PER_BATCH = 2**18


def check_images(images: np.ndarray) -> np.ndarray:
    """The images as an array, if they are (n, h, w, 3) uint8 or float in [0, 1].

    Raises
    ------
    ValueError
        For another shape or dtype, values outside [0, 1], or sides under 8 pixels.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images must be (n, h, w, 3), not {images.shape}")
    if min(images.shape[1:3]) < SMALLEST_SIDE:
        raise ValueError(
            f"images of {images.shape[1]}×{images.shape[2]} pixels are too small: "
            f"a side has at least {SMALLEST_SIDE}"
        )
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"images must be uint8 or float, not {images.dtype}")
    # Negated, so that NaN is refused too.
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"images of dtype {images.dtype} must lie in [0, 1]; uint8 goes to 255")
    return images


def to_unit(images: np.ndarray) -> np.ndarray:
    """uint8 or float images as float64 in [0, 1]."""
    return images / 255 if images.dtype == np.uint8 else images.astype(np.float64)


def from_unit(images: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Clip float64 images to [0, 1] and return the dtype; uint8 rounds half to even."""
    images = np.clip(images, 0, 1)
    return np.rint(images * 255).astype(np.uint8) if dtype == np.uint8 else images.astype(dtype)


def grey(images: np.ndarray) -> np.ndarray:
    """Grey values (n, h, w) of images (n, h, w, 3): 0.2125 R + 0.7154 G + 0.0721 B."""
    # Summed by hand: a matrix product rounds differently with the number of rows.
    red, green, blue = (images[..., c] * weight for c, weight in enumerate(_GREY_WEIGHTS))
    return red + green + blue


def batches(n: int, pixels: int) -> Iterator[slice]:
    """Slices over n images that hold about as many values each, whatever the image size."""
    size = max(1, _PIXELS_PER_BATCH // pixels)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
