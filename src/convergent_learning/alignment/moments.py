"""Second moments of one or two layers, for any split of the folds. numpy only.

Stored per fold k: the stimulus count n_k, the mean of each unit at each position, and products
centred within fold and position, summed over stimuli and averaged over positions. They merge into
any union of folds without cancellation. Averaging over positions makes a coarser source repeated
over its cells need nothing more: its own product is unchanged, and its product with a finer
target equals the one with the target averaged over the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

Center: TypeAlias = Literal["position", "unit"]
Folds: TypeAlias = tuple[int, ...]
Grid: TypeAlias = tuple[int, int]  # rows, columns
Eigh: TypeAlias = tuple[np.ndarray, np.ndarray]  # values, vectors
Svd: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # u, s, vt
_T = TypeVar("_T")

DEAD = 1e-9  # variance of a dead unit, relative to the largest of its layer


@dataclass(frozen=True, eq=False)
class LayerMoments:
    """Own fold moments of one layer.

    counts : (K,) stimuli a fold
    grid : (rows, columns) of the layer's own grid
    means : (K, positions, p) on the own grid
    products : dict grid -> (K, p, p), the own grid and every coarser one a partner has
    label : what messages call it
    """

    counts: np.ndarray
    grid: Grid
    means: np.ndarray
    products: dict[Grid, np.ndarray]
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
            lambda: Sums(self.counts, self.products[grid], offsets, offsets, center),
        )

    def offsets(self, grid: Grid, center: Center) -> np.ndarray:
        """Fold means (K, positions, p) on a grid, less the mean over all folds."""
        return self.kept(("offsets", grid, center), lambda: self._offsets(grid, center))

    def kept(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """What `compute` returns, kept under `key`: all partners of a layer share it."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    def live(self, grid: Grid, center: Center, folds: Folds) -> np.ndarray:
        """Mask of the units that vary over the stimuli of `folds`."""
        return self.kept(
            ("live", grid, center, folds),
            lambda: live(self.sums(grid, center).over(folds).diagonal()),
        )

    def inner_live(self, grid: Grid, center: Center, folds: Folds) -> np.ndarray:
        """Mask of the units that vary in every split of `folds` into one and the rest."""
        sets = [part for parts in leave_one_out(folds) for part in parts]
        return self.kept(
            ("inner live", grid, center, folds),
            lambda: np.all([self.live(grid, center, part) for part in sets], axis=0),
        )

    def _offsets(self, grid: Grid, center: Center) -> np.ndarray:
        means = self.means
        if grid != self.grid:
            rows, columns = self.grid[0] // grid[0], self.grid[1] // grid[1]
            cells = means.reshape(len(means), grid[0], rows, grid[1], columns, -1)
            means = cells.mean((2, 4)).reshape(len(means), grid[0] * grid[1], -1)
        origin = np.tensordot(self.counts / self.counts.sum(), means, 1)
        if center == "unit":
            origin = origin.mean(0, keepdims=True)
        offsets = means - origin
        # Rounding of a constant unit's mean is not variance.
        offsets[np.abs(offsets) <= 16 * np.finfo(np.float64).eps * np.abs(origin)] = 0.0
        return offsets


class Sums:
    """Products about a common origin: additive over folds, centred for any union of them."""

    def __init__(
        self,
        counts: np.ndarray,
        products: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        center: Center,
    ):
        self._counts = np.asarray(counts, dtype=np.float64)
        weight = self._counts[:, None, None]
        self._raw = products + np.matmul((weight * x).transpose(0, 2, 1), y) / x.shape[1]
        self._x, self._y = weight * x, weight * y
        if center == "unit":  # one mean a unit: only the sum over positions matters
            self._x = self._x.mean(1, keepdims=True)
            self._y = self._y.mean(1, keepdims=True)
        self._cache: dict[Hashable, Any] = {}

    def over(self, folds: Folds) -> np.ndarray:
        """(p, q) product over the stimuli of `folds`, centred with the means of those folds."""
        if folds not in self._cache:
            chosen = list(folds)
            x, y = self._x[chosen].sum(0), self._y[chosen].sum(0)
            correction = x.T @ y / (self._counts[chosen].sum() * len(x))
            self._cache[folds] = self._raw[chosen].sum(0) - correction
        return self._cache[folds]

    def svd(self, folds: Folds, rows: np.ndarray, columns: np.ndarray) -> Svd:
        """Thin SVD of the block of two masks of `over`."""
        key = "svd", folds, rows.tobytes(), columns.tobytes()
        if key not in self._cache:
            product = block(self.over(folds), rows, columns)
            self._cache[key] = np.linalg.svd(product, full_matrices=False)
        return self._cache[key]

    def each(self, sets: Sequence[Folds]) -> np.ndarray:
        """`over` each of several sets of folds, (len(sets), p, q), in one product."""
        chosen = np.array([[k in folds for k in range(len(self._counts))] for folds in sets], float)
        x, y = np.tensordot(chosen, self._x, 1), np.tensordot(chosen, self._y, 1)
        weight = (chosen @ self._counts * x.shape[1])[:, None, None]
        return np.tensordot(chosen, self._raw, 1) - x.transpose(0, 2, 1) @ y / weight


def common_grid(a: Grid, b: Grid) -> Grid:
    """The coarser of two grids; ValueError unless it divides the other."""
    coarse, fine = (a, b) if a[0] * a[1] <= b[0] * b[1] else (b, a)
    if fine[0] % coarse[0] or fine[1] % coarse[1]:
        raise ValueError(
            f"a {a[0]}x{a[1]} and a {b[0]}x{b[1]} grid do not divide: sample both on "
            "grids that do, with positions=64 (a power-of-two grid) or positions='average'"
        )
    return coarse


def block(matrix: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """matrix[..., rows, columns] for two masks; the matrix itself when both are full."""
    if not rows.all():
        matrix = matrix[..., rows, :]
    return matrix if columns.all() else matrix[..., columns]


def live(variances: np.ndarray) -> np.ndarray:
    """Mask of the units whose variance is above ``DEAD`` times the layer's largest."""
    return variances > live_floor(variances)


def live_floor(variances: np.ndarray) -> np.ndarray:
    """Variance (..., 1) of a dead unit at most, for variances (..., p) of layers."""
    largest = variances.max(axis=-1, initial=0.0, keepdims=True)
    return np.maximum(DEAD * largest, np.finfo(np.float64).tiny)


def leave_one_out(folds: Folds) -> list[tuple[Folds, Folds]]:
    """Each split of `folds` into all but one and that one."""
    return [(tuple(k for k in folds if k != j), (j,)) for j in folds]
