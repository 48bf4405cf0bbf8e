"""Second moments of one or two layers, for any split of the folds.

Stored per fold k: the stimulus count n_k, the mean of each unit at each position, and products
centred within fold and position, summed over stimuli and averaged over positions. They merge into
any union of folds without cancellation. Averaging over positions makes a coarser source repeated
over its cells need nothing more: its own product is unchanged, and its product with a finer
target equals the one with the target averaged over the cells.

Moments of several sets of folds are made together, with the sets on the leading axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import numpy as np
from array_api_compat import array_namespace

from .arrays import Array, like

Center: TypeAlias = Literal["position", "unit"]
Folds: TypeAlias = tuple[int, ...]
Sets: TypeAlias = tuple[Folds, ...]
Grid: TypeAlias = tuple[int, int]  # rows, columns
_T = TypeVar("_T")

DEAD = 1e-9  # variance of a dead unit, relative to the largest of its layer


def training(n_folds: int) -> Sets:
    """Training folds of each split."""
    return tuple(tuple(k for k in range(n_folds) if k != fold) for fold in range(n_folds))


def held_out(n_folds: int) -> Sets:
    """Held-out fold of each split."""
    return tuple((fold,) for fold in range(n_folds))


def two_left_out(n_folds: int) -> tuple[list[tuple[int, int]], Sets]:
    """Each two folds, and the folds without them."""
    two = list(itertools.combinations(range(n_folds), 2))
    return two, tuple(tuple(k for k in range(n_folds) if k not in left) for left in two)


@dataclass(frozen=True, eq=False)
class LayerMoments:
    """Own fold moments of one layer, arrays of NumPy or torch.

    counts : (K,) stimuli a fold
    grid : (rows, columns) of the layer's own grid
    means : (K, positions, p) float64 on the own grid
    products : dict grid -> (K, p, p) float64, the own grid and every coarser one a partner has
    label : what messages call it
    """

    counts: Array
    grid: Grid
    means: Array
    products: dict[Grid, Array]
    label: str = "a layer"
    _cache: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    @property
    def units(self) -> int:
        return self.means.shape[2]

    def sums(self, grid: Grid, center: Center) -> Sums:
        """Own products as `Sums`."""
        offsets = self.offsets(grid, center)
        return self.kept(
            ("sums", grid, center),
            lambda: Sums.of(self.counts, self.products[grid], offsets, offsets, center),
        )

    def offsets(self, grid: Grid, center: Center) -> Array:
        """Fold means (K, positions, p) on a grid, less the mean over all folds."""
        return self.kept(("offsets", grid, center), lambda: self._offsets(grid, center))

    def kept(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """What `compute` returns, kept under `key`: all partners of a layer share it."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    def variances(self, grid: Grid, center: Center, sets: Sets) -> Array:
        """(len(sets), p) variance of each unit over the stimuli of each set of folds."""
        return self.kept(
            ("variances", grid, center, sets), lambda: self.sums(grid, center).diagonals(sets)
        )

    def live(self, grid: Grid, center: Center, sets: Sets) -> Array:
        """Masks (len(sets), p) of the units that vary over the stimuli of each set of folds."""
        return self.kept(
            ("live", grid, center, sets), lambda: live(self.variances(grid, center, sets))
        )

    def inner_live(self, grid: Grid, center: Center) -> Array:
        """Masks (K, p): units that vary in every split of the other folds into one and the rest."""
        return self.kept(("inner live", grid, center), lambda: self._inner_live(grid, center))

    def _inner_live(self, grid: Grid, center: Center) -> Array:
        n_folds = len(self.counts)
        two, rest = two_left_out(n_folds)
        alone = self.live(grid, center, held_out(n_folds))
        fitted = self.live(grid, center, rest)
        xp = array_namespace(alone)
        masks = []
        for outer in range(n_folds):
            others = [alone[k] for k in range(n_folds) if k != outer]
            others += [fitted[i] for i, left in enumerate(two) if outer in left]
            masks.append(xp.all(xp.stack(others), axis=0))
        return xp.stack(masks)

    def _offsets(self, grid: Grid, center: Center) -> Array:
        means, xp = self.means, array_namespace(self.means)
        if grid != self.grid:
            rows, columns = self.grid[0] // grid[0], self.grid[1] // grid[1]
            cells = xp.reshape(means, (len(means), grid[0], rows, grid[1], columns, -1))
            means = xp.reshape(
                xp.mean(cells, axis=(2, 4)), (len(means), grid[0] * grid[1], means.shape[2])
            )
        counts = xp.astype(self.counts, means.dtype)
        origin = xp.tensordot(counts / xp.sum(counts), means, axes=1)
        if center == "unit":
            origin = xp.mean(origin, axis=0, keepdims=True)
        offsets = means - origin
        # Rounding of a constant unit's mean is not variance.
        rounding = 16 * np.finfo(np.float64).eps * xp.abs(origin)
        return xp.where(xp.abs(offsets) <= rounding, xp.zeros_like(offsets), offsets)


class Sums:
    """Products about a common origin: additive over folds, centred for any union of them.

    raw : (K, p, q) products of each fold
    x, y : (K, positions, p) and (K, positions, q) sums of each fold over stimuli
    """

    def __init__(self, counts: Array, raw: Array, x: Array, y: Array):
        self._counts, self.raw, self.x, self.y = counts, raw, x, y
        self._cache: dict[Sets, Array] = {}

    @classmethod
    def of(cls, counts: Array, products: Array, x: Array, y: Array, center: Center) -> Sums:
        """Sums from products (K, p, q) centred within folds and offsets (K, positions, ...)."""
        xp = array_namespace(products)
        counts = xp.astype(counts, products.dtype)
        weight = counts[:, None, None]
        raw = products + (weight * x).mT @ y / x.shape[1]
        x, y = weight * x, weight * y
        if center == "unit":  # one mean a unit: only the sum over positions matters
            x, y = xp.mean(x, axis=1, keepdims=True), xp.mean(y, axis=1, keepdims=True)
        return cls(counts, raw, x, y)

    def rotated(self, rotation: Array, second: bool) -> Sums:
        """With the first layer rotated by a matrix (p, p), or the `second` by one (q, q)."""
        if second:
            return Sums(self._counts, self.raw @ rotation, self.x, self.y @ rotation)
        return Sums(self._counts, rotation.mT @ self.raw, self.x @ rotation, self.y)

    def over(self, sets: Sets) -> Array:
        """(len(sets), p, q) products over the stimuli of each set, centred with its own means."""
        if sets in self._cache:
            return self._cache[sets]
        x, y = self.summed(self.x, sets), self.summed(self.y, sets)
        products = self.summed(self.raw, sets) - x.mT @ (y / self.weights(sets))
        if len(sets) == len(self.raw):  # those of the splits, which are asked for again
            self._cache[sets] = products
        return products

    def diagonals(self, sets: Sets) -> Array:
        """(len(sets), p): the diagonals of `over`, of the products of a layer with itself."""
        xp = array_namespace(self.raw)
        raw = xp.linalg.diagonal(self.raw)
        x, y = self.summed(self.x, sets), self.summed(self.y, sets)
        return self.summed(raw, sets) - xp.sum(x * (y / self.weights(sets)), axis=1)

    def summed(self, each: Array, sets: Sets) -> Array:
        """Sums of (K, ...) over the folds of each set, (len(sets), ...)."""
        xp = array_namespace(each)
        chosen = like(self._membership(sets), each)
        flat = chosen @ xp.reshape(each, (len(each), -1))
        return xp.reshape(flat, (len(sets), *each.shape[1:]))

    def weights(self, sets: Sets) -> Array:
        """(len(sets), 1, 1): samples behind a mean, by which products of sums are divided."""
        chosen = like(self._membership(sets), self._counts)
        return (chosen @ self._counts * self.x.shape[1])[:, None, None]

    def _membership(self, sets: Sets) -> np.ndarray:
        return np.array([[k in folds for k in range(len(self.raw))] for folds in sets], float)


def common_grid(a: Grid, b: Grid) -> Grid:
    """The coarser of two grids; ValueError unless it divides the other."""
    coarse, fine = (a, b) if a[0] * a[1] <= b[0] * b[1] else (b, a)
    if fine[0] % coarse[0] or fine[1] % coarse[1]:
        raise ValueError(
            f"a {a[0]}x{a[1]} and a {b[0]}x{b[1]} grid do not divide: sample both on "
            "grids that do, with positions=64 (a power-of-two grid) or positions='average'; of "
            "tokens, take the patches alone, which are a square grid"
        )
    return coarse


def check_center(center: object) -> None:
    """Raise ValueError unless `center` is one of the two centrings."""
    if center not in get_args(Center):
        raise ValueError(f"center is {center!r}: use 'position' or 'unit'")


def live(variances: Array) -> Array:
    """Mask of the units whose variance is above ``DEAD`` times the layer's largest.

    variances : (..., p)
    """
    xp = array_namespace(variances)
    largest = xp.max(variances, axis=-1, keepdims=True)
    return variances > xp.clip(DEAD * largest, float(np.finfo(np.float64).tiny))
