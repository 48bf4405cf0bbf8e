"""Eidolons: images whose scales are displaced by random fields (partially coherent disarray)."""

from __future__ import annotations

import functools

import numpy as np

from convergent_learning.images.arrays import grey
from convergent_learning.stimuli.registry import Setting, family
from convergent_learning.stimuli.transformations.filters import gaussian_matrix

# Sizes are those of images of 256 pixels and scale with the side.
_SIDE = 256
_SCALES = tuple(2 ** ((k - 1) / 2) for k in range(12))
_OWN_SCALE, _OWN_DEVIATION = 10, 0.75
_SHARED_DEVIATION = 0.12

_COHERENCE = {"eidolon_I": 1.0, "eidolon_II": 0.3, "eidolon_III": 0.0}


def _eidolon(images: np.ndarray, level: float, setting: Setting, *, coherence: float) -> np.ndarray:
    """Slices of scale space, each displaced by its own field and one shared with coarser slices.

    Displacement of slice k is reach·(c·shared_k + (1 − c)·own_k); at reach 0 the sum of the slices
    is the image blurred at the finest scale.
    """
    out = np.empty(images.shape[:3])
    for i, (image, generator) in enumerate(
        zip(grey(images), setting.draws.generators(), strict=True)
    ):
        slices = _slices(image)
        rows, columns = _displacement(slices.shape, coherence, generator)
        reach = level * _scaling(image.shape)
        out[i] = _sample(slices, reach * rows, reach * columns).sum(axis=0)
    return out


for _name, _coherence in _COHERENCE.items():
    family(
        _name,
        levels=(1, 2, 4, 8, 16, 32, 64, 128),
        identity=0,
        default=(8, 32),
        counts_as="eidolon",
        kind="geometry",
        source="Koenderink et al. 2017, Eidolons: novel stimuli for vision research; levels of "
        f"Geirhos et al. 2018; coherence {_coherence:g}",
    )(functools.partial(_eidolon, coherence=_coherence))


def _scaling(shape: tuple[int, ...]) -> float:
    return min(shape[-2:]) / _SIDE


def _slices(image: np.ndarray) -> np.ndarray:
    """Differences of Gaussians, fine to coarse, and the coarsest level: (12, h, w) of (h, w)."""
    rows, columns = (_filters(side, _scaling(image.shape), "reflect") for side in image.shape)
    scale_space = rows @ image @ columns.transpose(0, 2, 1)
    scale_space[:-1] -= scale_space[1:].copy()
    return scale_space


def _displacement(
    shape: tuple[int, ...], coherence: float, generator: np.random.Generator
) -> np.ndarray:
    """Fields of unit reach along rows and columns: (2, 12, h, w)."""
    field = np.zeros((2, *shape))
    scaling = _scaling(shape)
    if coherence > 0:
        noise = generator.standard_normal(field.shape)
        terms = _blurred_noise(noise, scaling, _SCALES, _SHARED_DEVIATION)
        # Sum over this and all coarser scales.
        field += coherence * np.cumsum(terms[:, ::-1], axis=1)[:, ::-1]
    if coherence < 1:
        noise = generator.standard_normal(field.shape)
        field += (1 - coherence) * _blurred_noise(noise, scaling, (_OWN_SCALE,), _OWN_DEVIATION)
    return field


def _blurred_noise(
    noise: np.ndarray, scaling: float, scales: tuple[float, ...], deviation: float
) -> np.ndarray:
    """White noise (…, h, w) blurred (periodic, so that its deviation is the same everywhere)."""
    rows, columns = (_filters(side, scaling, "wrap", scales) for side in noise.shape[-2:])
    # The gain of the filter on white noise: root of the summed squares of its kernel.
    gain = np.sqrt((rows[:, 0] ** 2).sum(axis=-1) * (columns[:, 0] ** 2).sum(axis=-1))
    return rows @ noise @ columns.transpose(0, 2, 1) * (deviation / gain)[:, None, None]


@functools.lru_cache(maxsize=64)
def _filters(
    side: int, scaling: float, mode: str, scales: tuple[float, ...] = _SCALES
) -> np.ndarray:
    return np.stack([gaussian_matrix(side, scale * scaling, mode) for scale in scales])


def _sample(planes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Planes (k, h, w) read at each pixel displaced by (rows, columns), bilinear, mirrored."""
    k, h, w = planes.shape
    y, below = _fold(np.arange(h)[:, None] + rows, h)
    x, right = _fold(np.arange(w) + columns, w)
    # A last row and column, read with weight 0 only, spare a look at the border.
    values = np.pad(planes, ((0, 0), (0, 1), (0, 1))).ravel()
    at = (np.arange(k)[:, None, None] * (h + 1) + y) * (w + 1) + x
    upper = _between(values, at, right)
    lower = _between(values, at + (w + 1), right)
    return upper + below * (lower - upper)


def _fold(position: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Integer part and fraction of positions mirrored at the borders (… b a | a b …)."""
    position = position + 0.5
    # Modulo 2·side, in a third of the time of np.mod.
    position -= 2 * side * np.floor(position / (2 * side))
    np.minimum(position, 2 * side - position, out=position)
    position -= 0.5
    np.clip(position, 0, side - 1, out=position)
    whole = position.astype(np.intp)
    return whole, position - whole


def _between(values: np.ndarray, at: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    left = values.take(at)
    return left + fraction * (values.take(at + 1) - left)
