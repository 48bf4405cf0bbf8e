"""Amplitude spectra of grey images."""

from __future__ import annotations

import numpy as np
from scipy import fft

from convergent_learning.images.arrays import batches, check_images, grey, to_unit


def mean_spectrum(images: np.ndarray) -> np.ndarray:
    """Mean amplitude spectrum of the grey images, for ``power_equalisation``.

    Parameters
    ----------
    images : ndarray (n, h, w, 3)
        uint8, or float in [0, 1].

    Returns
    -------
    ndarray (h, w) float64
        Mean over images of |FFT| (not the square), zero frequency first.
    """
    images = check_images(images)
    if not len(images):
        raise ValueError("the mean spectrum of no images is undefined")
    total = np.zeros(images.shape[1:3])
    for rows in batches(len(images), total.size):
        total += np.abs(fft.fft2(grey(to_unit(images[rows])))).sum(axis=0)
    return total / len(images)


def check_spectrum(spectrum: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The spectrum as float64, if it is one for images of ``shape``; ValueError otherwise."""
    spectrum = np.asarray(spectrum, dtype=np.float64)
    if spectrum.shape != shape:
        raise ValueError(f"spectrum is {spectrum.shape}, the images are {shape}")
    if not (np.isfinite(spectrum).all() and (spectrum >= 0).all()):
        raise ValueError("spectrum must be finite and not negative")
    return spectrum
