"""Second moments of a directed comparison, for any split of the folds. numpy only.

Stored per fold k: the stimulus count n_k, the mean of each unit at each position, and products
centred within fold and position, summed over stimuli and averaged over positions. They merge into
any union of folds without cancellation. Averaging over positions makes a coarser source repeated
over its cells need nothing more: its own product is unchanged, and its product with a finer
target equals the one with the target averaged over the cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

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
    grid: tuple[int, int]
    means: np.ndarray
    products: dict[tuple[int, int], np.ndarray]
    label: str = "a layer"
    _cache: dict = field(default_factory=dict, repr=False)

    @property
    def units(self):
        return self.means.shape[2]

    def sums(self, grid, center):
        """Own products as `Sums`."""
        offsets = self.offsets(grid, center)
        return self.kept(
            ("sums", grid, center),
            lambda: Sums(self.counts, self.products[grid], offsets, offsets, center),
        )

    def offsets(self, grid, center):
        """Fold means (K, positions, p) on a grid, less the mean over all folds."""
        return self.kept(("offsets", grid, center), lambda: self._offsets(grid, center))

    def kept(self, key, compute):
        """What `compute` returns, kept under `key`: all partners of a layer share it."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    def live(self, grid, center, folds):
        """Mask of the units that vary over the stimuli of `folds`."""
        return self.kept(
            ("live", grid, center, folds),
            lambda: live(self.sums(grid, center).over(folds).diagonal()),
        )

    def inner_live(self, grid, center, folds):
        """Mask of the units that vary in every split of `folds` into one and the rest."""
        sets = [part for parts in _leave_one_out(folds) for part in parts]
        return self.kept(
            ("inner live", grid, center, folds),
            lambda: np.all([self.live(grid, center, part) for part in sets], axis=0),
        )

    def _offsets(self, grid, center):
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

    def __init__(self, counts, products, x, y, center):
        self._counts = np.asarray(counts, dtype=np.float64)
        weight = self._counts[:, None, None]
        self._raw = products + np.matmul((weight * x).transpose(0, 2, 1), y) / x.shape[1]
        self._x, self._y = weight * x, weight * y
        if center == "unit":  # one mean a unit: only the sum over positions matters
            self._x = self._x.mean(1, keepdims=True)
            self._y = self._y.mean(1, keepdims=True)
        self._cache = {}

    def over(self, folds):
        """(p, q) product over the stimuli of `folds`, centred with the means of those folds."""
        if folds not in self._cache:
            chosen = list(folds)
            x, y = self._x[chosen].sum(0), self._y[chosen].sum(0)
            correction = x.T @ y / (self._counts[chosen].sum() * len(x))
            self._cache[folds] = self._raw[chosen].sum(0) - correction
        return self._cache[folds]

    def svd(self, folds, rows, columns):
        """Thin SVD of the block of two masks of `over`."""
        key = "svd", folds, rows.tobytes(), columns.tobytes()
        if key not in self._cache:
            product = block(self.over(folds), rows, columns)
            self._cache[key] = np.linalg.svd(product, full_matrices=False)
        return self._cache[key]

    def each(self, sets):
        """`over` each of several sets of folds, (len(sets), p, q), in one product."""
        chosen = np.array([[k in folds for k in range(len(self._counts))] for folds in sets], float)
        x, y = np.tensordot(chosen, self._x, 1), np.tensordot(chosen, self._y, 1)
        weight = (chosen @ self._counts * x.shape[1])[:, None, None]
        return np.tensordot(chosen, self._raw, 1) - x.transpose(0, 2, 1) @ y / weight


def compare(x, y, cross, center="position"):
    """Comparison of source x with target y (LayerMoments) from their cross moments.

    cross : (K, p, q) fold products on the coarser of the two grids
    center : "position" (each unit centred at each position) or "unit" (one mean a unit)
    """
    if center not in ("position", "unit"):
        raise ValueError(f"center is {center!r}: use 'position' or 'unit'")
    grid = common_grid(x.grid, y.grid)
    products = Sums(x.counts, cross, x.offsets(grid, center), y.offsets(grid, center), center)
    return Comparison(x, y, products, center)


class Comparison:
    """Moments of source x and target y, on the target's grid.

    Parameters
    ----------
    source, target : LayerMoments
    products : Sums
        Cross products on the coarser of the two grids; (q, p) if `flipped`, else (p, q).
    """

    def __init__(self, source, target, products, center, flipped=False):
        self.source, self.target, self.center = source, target, center
        self.grid = common_grid(source.grid, target.grid)
        self.folds = tuple(range(len(source.counts)))
        self._products, self._flipped = products, flipped

    @property
    def same_grid(self):
        return self.source.grid == self.target.grid

    def reversed(self):
        """The comparison with y as source and x as target, from the same products."""
        return Comparison(self.target, self.source, self._products, self.center, not self._flipped)

    def xx(self, folds):
        return self.source.sums(self.grid, self.center).over(folds)

    def yy(self, folds):
        return self.target.sums(self.target.grid, self.center).over(folds)

    def xy(self, folds):
        product = self._products.over(folds)
        return product.T if self._flipped else product

    def variance_x(self, folds):
        return self.xx(folds).diagonal()

    def variance_y(self, folds):
        return self.yy(folds).diagonal()

    def live_x(self, folds):
        return self.source.live(self.grid, self.center, folds)

    def live_y(self, folds):
        return self.target.live(self.target.grid, self.center, folds)

    def eigh(self, folds, live):
        """Eigenvalues and vectors of the source's live block; one decomposition for all targets."""
        return self.source.kept(
            ("eigh", self.grid, self.center, folds, live.tobytes()),
            lambda: np.linalg.eigh(block(self.xx(folds), live, live)),
        )

    def svd(self, folds, live_x, live_y):
        """Thin SVD of the live block of xy; one serves both directions."""
        if self._flipped:
            u, s, vt = self._products.svd(folds, live_y, live_x)
            return vt.T, s, u.T
        return self._products.svd(folds, live_x, live_y)

    def _xy_each(self, sets):
        products = self._products.each(sets)
        return products.transpose(0, 2, 1) if self._flipped else products

    def inner(self, folds, live_x, live_y):
        """Each of `folds` in turn left out of the others, for the choice of a penalty."""
        live_x = live_x & self.source.inner_live(self.grid, self.center, folds)
        live_y = live_y & self.target.inner_live(self.target.grid, self.center, folds)
        fitted, held_out = zip(*_leave_one_out(folds), strict=True)

        def decompose():
            # The training set without j and k serves the outer folds j and k alike.
            values, vectors = zip(*(self.eigh(part, live_x) for part in fitted), strict=True)
            held = self.source.sums(self.grid, self.center).each(held_out)
            held = block(held, live_x, live_x)
            rotated = [
                u.T @ v @ u / s.mean() for s, u, v in zip(values, vectors, held, strict=True)
            ]
            return np.stack(values), np.float32(vectors), np.float32(rotated)

        key = ("inner", self.grid, self.center, folds, live_x.tobytes())
        return InnerSplits(
            *self.source.kept(key, decompose),
            *(block(self._xy_each(sets), live_x, live_y) for sets in (fitted, held_out)),
            np.stack([self.variance_y(part)[live_y] for part in held_out]),
        )


class InnerSplits(NamedTuple):
    """J splits of a training set, stacked; live units only.

    values, vectors : (J, p), (J, p, p) float32, eigendecomposition of the fitted xx
    held_out_xx : (J, p, p) float32, in these eigenvectors, divided by the mean eigenvalue
    fitted_xy, held_out_xy : (J, p, q)
    variance_y : (J, q), held out
    """

    values: np.ndarray
    vectors: np.ndarray
    held_out_xx: np.ndarray
    fitted_xy: np.ndarray
    held_out_xy: np.ndarray
    variance_y: np.ndarray


@dataclass(frozen=True)
class Moments:
    """Centred second moments of one split: what a metric fits on, or is scored on.

    xx, xy, yy : (p, p), (p, q), (q, q) over all units, dead ones included
    live_x, live_y : bool masks, live in the training and the held-out split
    """

    comparison: Comparison
    folds: tuple[int, ...]
    live_x: np.ndarray
    live_y: np.ndarray

    @property
    def xx(self):
        return self.comparison.xx(self.folds)

    @property
    def xy(self):
        return self.comparison.xy(self.folds)

    @property
    def yy(self):
        return self.comparison.yy(self.folds)

    @property
    def variance_x(self):
        return self.comparison.variance_x(self.folds)

    @property
    def variance_y(self):
        return self.comparison.variance_y(self.folds)

    @property
    def correlation(self):
        """(p, q) Pearson r between units; 0 where either is dead."""
        x = np.where(self.live_x, self.variance_x, np.inf)
        y = np.where(self.live_y, self.variance_y, np.inf)
        correlation = self.xy * (1 / np.sqrt(x))[:, None]
        correlation *= 1 / np.sqrt(y)
        return correlation

    def eigh(self):
        """Eigenvalues and vectors of the live block of xx."""
        return self.comparison.eigh(self.folds, self.live_x)

    def svd(self):
        """u, s, vt of the thin SVD of the live block of xy, shared by both directions."""
        return self.comparison.svd(self.folds, self.live_x, self.live_y)

    def inner(self):
        """Inner splits of this training split's folds."""
        return self.comparison.inner(self.folds, self.live_x, self.live_y)


def split(comparison, fold, scored_on=None):
    """Training moments of all other folds and held-out moments of `fold`, with shared live masks.

    scored_on : Comparison, optional
        The same layers on another stimulus set: the held-out moments come from it (transfer).
    """
    scored_on = comparison if scored_on is None else scored_on
    training = tuple(k for k in comparison.folds if k != fold)
    live_x = comparison.live_x(training) & scored_on.live_x((fold,))
    live_y = comparison.live_y(training) & scored_on.live_y((fold,))
    return (
        Moments(comparison, training, live_x, live_y),
        Moments(scored_on, (fold,), live_x, live_y),
    )


def common_grid(a, b):
    """The coarser of two grids; ValueError unless it divides the other."""
    coarse, fine = (a, b) if a[0] * a[1] <= b[0] * b[1] else (b, a)
    if fine[0] % coarse[0] or fine[1] % coarse[1]:
        raise ValueError(
            f"a {a[0]}x{a[1]} and a {b[0]}x{b[1]} grid do not divide: sample both on "
            "grids that do, with positions=64 (a power-of-two grid) or positions='average'"
        )
    return coarse


def block(matrix, rows, columns):
    """matrix[..., rows, columns] for two masks; the matrix itself when both are full."""
    if not rows.all():
        matrix = matrix[..., rows, :]
    return matrix if columns.all() else matrix[..., columns]


def live(variances):
    """Mask of the units whose variance is above ``DEAD`` times the layer's largest."""
    largest = variances.max(initial=0.0)
    return variances > max(DEAD * largest, np.finfo(np.float64).tiny)


def _leave_one_out(folds):
    return [(tuple(k for k in folds if k != j), (j,)) for j in folds]
