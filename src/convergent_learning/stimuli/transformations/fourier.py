"""Families made in the Fourier domain of the grey image."""

from __future__ import annotations

import numpy as np
from scipy import fft

from convergent_learning.images.arrays import grey
from convergent_learning.stimuli.registry import Setting, family


@family(
    "phase_scrambling",
    levels=(30, 60, 90, 120, 150, 180),
    identity=0,
    default=(60, 180),
    kind="spectra",
    source="Geirhos et al. 2018; phase shifts made odd under frequency reversal, so that the "
    "amplitude spectrum is kept (deviation of this project)",
)
def phase_scrambling(images: np.ndarray, level: float, setting: Setting) -> np.ndarray:
    """Phases shifted by uniform draws in ±``level`` degrees, amplitudes kept."""
    image = grey(images)
    h, w = image.shape[1:]
    shifts = np.deg2rad(level) * _odd(setting.draws.uniform((h, w // 2 + 1)), w)
    spectrum = fft.rfft2(image)
    spectrum *= np.exp(1j * shifts)
    return fft.irfft2(spectrum, s=(h, w))


@family(
    "power_equalisation",
    levels=("pow",),
    kind="spectra",
    needs_spectrum=True,
    source="Geirhos et al. 2018; mean amplitude spectrum of the data set's test images",
)
def power_equalisation(images: np.ndarray, level: str, setting: Setting) -> np.ndarray:
    """Amplitude spectrum (DC included) replaced by the mean one, phase kept."""
    assert setting.spectrum is not None, "a family with needs_spectrum is given one"
    image = grey(images)
    h, w = image.shape[1:]
    spectrum = fft.rfft2(image)
    amplitude = np.abs(spectrum)
    # Where an image has no amplitude (a constant one) its phase is rounding noise: taken as 0.
    empty = amplitude <= 1e-12 * amplitude.max(axis=(1, 2), keepdims=True)
    assert setting.spectrum is not None  # as `needs_spectrum` says
    phase = np.where(empty, 1, spectrum / np.where(empty, 1, amplitude))
    return fft.irfft2(phase * setting.spectrum[:, : w // 2 + 1], s=(h, w))


def _odd(draws: np.ndarray, w: int) -> np.ndarray:
    """Make (n, h, w//2 + 1) shifts of a half spectrum odd; 0 at DC and Nyquist frequencies.

    In the half spectrum only the first column holds pairs of opposite frequencies; the Nyquist
    row and column (even sides) are left alone.
    """
    h = draws.shape[1]
    below = (h - 1) // 2
    draws[:, 0, 0] = 0
    draws[:, h - below :, 0] = -draws[:, below:0:-1, 0]
    if h % 2 == 0:
        draws[:, h // 2, :] = 0
    if w % 2 == 0:
        draws[:, :, -1] = 0
    return draws
