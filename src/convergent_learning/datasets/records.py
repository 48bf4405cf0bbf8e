"""Records: one label byte and the channel-first image bytes, as in CIFAR's binary distribution.

Whatever a source's packaging, its content is compared as records in the official order.
"""

from __future__ import annotations

import hashlib

import numpy as np

Splits = dict[str, tuple[np.ndarray, np.ndarray]]


def digest(images: np.ndarray, labels: np.ndarray) -> str:
    """Sha256 of the records of uint8 images (n, h, w, 3) and their labels (n,)."""
    pixels = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return hashlib.sha256(np.column_stack([labels.astype(np.uint8), pixels]).tobytes()).hexdigest()


def channels_last(pixels: np.ndarray, side: int) -> np.ndarray:
    """Images (n, side, side, 3) of the channel-first bytes of records, (n, 3·side²) uint8."""
    return np.ascontiguousarray(pixels.reshape(-1, 3, side, side).transpose(0, 2, 3, 1))
