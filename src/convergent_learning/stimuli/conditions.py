"""Put images under an OOD condition."""

from __future__ import annotations

import numpy as np

from convergent_learning.images.arrays import batches, check_images, from_unit, to_unit
from convergent_learning.images.spectra import check_spectrum, mean_spectrum

from .draws import Draws
from .registry import Level, Setting, get_family


def apply(
    family: str,
    images: np.ndarray,
    level: Level,
    seed: int = 0,
    indices: np.ndarray | None = None,
    spectrum: np.ndarray | None = None,
) -> np.ndarray:
    """Images under one condition of an OOD family.

    Parameters
    ----------
    family : str
        A name in :func:`families`.
    images : ndarray (n, h, w, 3)
        uint8, or float in [0, 1]; sides of 8 pixels or more.
    level : number or str
        A level of the family, or its identity level; as a number or as text.
    seed : int
        Seed of the random families. Draws depend on seed, family and image index only: they are
        the same at all levels.
    indices : (n,) int, optional
        Index of each image in its data set (default 0 … n−1), so that a subset or another batch
        size gives the same pictures.
    spectrum : ndarray (h, w), optional
        Mean amplitude spectrum of the data set for ``power_equalisation`` (see
        :func:`images.spectra.mean_spectrum`); by default that of the images passed.

    Returns
    -------
    ndarray (n, h, w, 3)
        Clipped to [0, 1], in the dtype of ``images``; uint8 rounds half to even.

    Raises
    ------
    ValueError
        For an unknown family or level (listing the allowed ones), or images, indices or a spectrum
        of the wrong shape, dtype or range.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.stimuli import apply
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> faint = apply("contrast", images, 10)
    >>> faint.shape, str(faint.dtype), int(faint.min()), int(faint.max())
    ((2, 32, 32, 3), 'uint8', 115, 140)
    """
    chosen = get_family(family)
    level = chosen.level(level)
    images = check_images(images)
    indices = _check_indices(indices, len(images))
    shape = images.shape[1:3]
    if not chosen.needs_spectrum or not len(images):
        spectrum = None
    elif spectrum is None:
        spectrum = mean_spectrum(images)
    else:
        spectrum = check_spectrum(spectrum, shape)
    out = np.empty_like(images)
    for rows in batches(len(images), shape[0] * shape[1]):
        setting = Setting(Draws(seed, family, indices[rows]), spectrum)
        changed = from_unit(chosen.transform(to_unit(images[rows]), level, setting), images.dtype)
        out[rows] = changed if changed.ndim == 4 else changed[..., None]
    return out


def _check_indices(indices: np.ndarray | None, n: int) -> np.ndarray:
    if indices is None:
        return np.arange(n)
    indices = np.asarray(indices)
    if indices.shape != (n,) or not (np.issubdtype(indices.dtype, np.integer) or n == 0):
        raise ValueError(
            f"indices must be {n} integers, one an image, not {indices.dtype} {indices.shape}"
        )
    if (indices < 0).any():
        raise ValueError("indices must not be negative")
    return indices
