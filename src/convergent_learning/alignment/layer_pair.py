"""A source and a target layer: their moments over any folds, and the splits that metrics see."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from array_api_compat import array_namespace

from .arrays import Array, masked, to_numpy
from .factors import polar
from .moments import (
    Center,
    LayerMoments,
    Sets,
    Sums,
    check_center,
    common_grid,
    held_out,
    training,
)

_T = TypeVar("_T")


class Eigen(NamedTuple):
    """Eigenvalues (..., p), ascending, and vectors (..., p, p), in columns."""

    values: Array
    vectors: Array


def paired(
    x: LayerMoments, y: LayerMoments, cross: Array, center: Center = "position"
) -> LayerPair:
    """Source x with target y, from their cross moments.

    cross : (K, p, q) fold products on the coarser of the two grids
    center : "position" (each unit centred at each position) or "unit" (one mean a unit)
    """
    check_center(center)
    grid = common_grid(x.grid, y.grid)
    products = Sums.of(x.counts, cross, x.offsets(grid, center), y.offsets(grid, center), center)
    return LayerPair(x, y, products, center)


class LayerPair:
    """Moments of source x and target y, on the target's grid.

    Parameters
    ----------
    source, target : own moments of the two layers
    products :
        Cross products on the coarser of the two grids; (q, p) if `flipped`, else (p, q).
    """

    def __init__(
        self,
        source: LayerMoments,
        target: LayerMoments,
        products: Sums,
        center: Center,
        flipped: bool = False,
    ):
        self.source, self.target, self.center = source, target, center
        self.grid = common_grid(source.grid, target.grid)
        self.n_folds = len(source.counts)
        self.products, self.flipped = products, flipped
        self._cache: dict[Hashable, Any] = {}
        self._reverse: LayerPair | None = None
        # No cycle: gigabytes would wait for the garbage collector.
        self._forward: weakref.ref[LayerPair] | None = None

    @property
    def same_grid(self) -> bool:
        return self.source.grid == self.target.grid

    def reversed(self) -> LayerPair:
        """The pair with y as source and x as target, from the same products."""
        forward = None if self._forward is None else self._forward()
        if forward is not None:
            return forward
        if self._reverse is None:
            turned = (self.target, self.source, self.products, self.center, not self.flipped)
            self._reverse = LayerPair(*turned)
            self._reverse._forward = weakref.ref(self)
        return self._reverse

    def xx(self, sets: Sets) -> Array:
        """(len(sets), p, p), as all that follows with the sets of folds on the leading axis."""
        return self.source.sums(self.grid, self.center).over(sets)

    def yy(self, sets: Sets) -> Array:
        return self.target.sums(self.target.grid, self.center).over(sets)

    def xy(self, sets: Sets) -> Array:
        products = self.products.over(sets)
        return products.mT if self.flipped else products

    def variance_x(self, sets: Sets) -> Array:
        return self.source.variances(self.grid, self.center, sets)

    def variance_y(self, sets: Sets) -> Array:
        return self.target.variances(self.target.grid, self.center, sets)

    def live_x(self, sets: Sets) -> Array:
        return self.source.live(self.grid, self.center, sets)

    def live_y(self, sets: Sets) -> Array:
        return self.target.live(self.target.grid, self.center, sets)

    def eigen_x(self, sets: Sets, live_x: Array) -> Eigen:
        """Of the live blocks of xx; one decomposition for all targets of the source."""
        return _eigen(self.source, (self.grid, self.center), sets, live_x, lambda: self.xx(sets))

    def eigen_y(self, sets: Sets, live_y: Array) -> Eigen:
        """The same of the target, shared with the pairs that it is a source of."""
        where = (self.target.grid, self.center)
        return _eigen(self.target, where, sets, live_y, lambda: self.yy(sets))

    def polar(self, sets: Sets, live_x: Array, live_y: Array) -> Array:
        """Polar factors (len(sets), p, q) of the live blocks of xy; one serves both directions."""
        if self.flipped:
            return self.reversed().polar(sets, live_y, live_x).mT
        masks = (to_numpy(live).tobytes() for live in (live_x, live_y))
        return self.kept(
            ("polar", sets, *masks), lambda: polar(masked(self.xy(sets), live_x, live_y))
        )

    def kept(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """What `compute` returns, kept under `key` for all metrics."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]


def warn_dead(source: str, target: str, fold: int, live_x: Array) -> None:
    """Warn that a layer, by its label, has no live unit: the source unless some of `live_x` are."""
    warnings.warn(
        f"no unit of {target if live_x.any() else source} varies over the stimuli (fold {fold}): "
        "its score is NaN",
        RuntimeWarning,
        stacklevel=4,
    )


@dataclass(frozen=True)
class Moments:
    """Centred second moments that a metric fits on, or is scored on: of all splits, or of one.

    Arrays are of NumPy or torch. Those of all splits have them on the leading axis, which `at`
    takes away. Units that are dead have zeros.

    sets : the folds of each split
    live_x, live_y : (K, p) and (K, q) masks, live in the training and the held-out split
    split : None for all splits
    """

    pair: LayerPair
    sets: Sets
    live_x: Array
    live_y: Array
    split: int | None = None

    def at(self, split: int) -> Moments:
        """Those of one split."""
        own = {"live_x": self.live_x[split], "live_y": self.live_y[split]}
        return replace(self, split=split, **own)

    @property
    def xx(self) -> Array:
        return masked(self._of(self.pair.xx(self.sets)), self.live_x, self.live_x)

    @property
    def xy(self) -> Array:
        return masked(self._of(self.pair.xy(self.sets)), self.live_x, self.live_y)

    @property
    def yy(self) -> Array:
        return masked(self._of(self.pair.yy(self.sets)), self.live_y, self.live_y)

    @property
    def variance_x(self) -> Array:
        return self._of(self.pair.variance_x(self.sets)) * self.live_x

    @property
    def variance_y(self) -> Array:
        return self._of(self.pair.variance_y(self.sets)) * self.live_y

    @property
    def correlation(self) -> Array:
        """(..., p, q) Pearson r between units; 0 where either is dead."""
        correlation = self._of(self.pair.xy(self.sets)) * self._scale_x[..., :, None]
        correlation *= self._scale_y[..., None, :]
        return correlation

    def eigen_x(self) -> Eigen:
        """Eigenvalues and vectors of `xx`: those of dead units are 0."""
        values, vectors = self.pair.eigen_x(self.sets, self._all(self.live_x))
        return Eigen(self._of(values), self._of(vectors))

    def eigen_y(self) -> Eigen:
        """Eigenvalues and vectors of `yy`."""
        values, vectors = self.pair.eigen_y(self.sets, self._all(self.live_y))
        return Eigen(self._of(values), self._of(vectors))

    def polar(self) -> Array:
        """(..., p, q) orthogonal polar factor UV' of `xy`, without directions of no rank."""
        return self._of(self.pair.polar(self.sets, self._all(self.live_x), self._all(self.live_y)))

    @property
    def scored(self) -> Array:
        """(...) mask of the splits where units of both sides are live."""
        xp = array_namespace(self.live_x)
        return xp.any(self.live_x, axis=-1) & xp.any(self.live_y, axis=-1)

    @property
    def _scale_x(self) -> Array:
        return deviations(self._of(self.pair.variance_x(self.sets)), self.live_x)

    @property
    def _scale_y(self) -> Array:
        return deviations(self._of(self.pair.variance_y(self.sets)), self.live_y)

    def _of(self, stacked: Array) -> Array:
        return stacked if self.split is None else stacked[self.split]

    def _all(self, live: Array) -> Array:
        xp = array_namespace(live)
        return live if self.split is None else xp.stack([live] * len(self.sets))


def splits(pair: LayerPair, scored_on: LayerPair | None = None) -> tuple[Moments, Moments]:
    """Training moments of all splits and held-out moments, with shared live masks.

    scored_on : optional
        The same layers on another stimulus set: the held-out moments come from it (transfer).
    """
    scored_on = pair if scored_on is None else scored_on
    fitted, left_out = training(pair.n_folds), held_out(pair.n_folds)
    live_x = pair.live_x(fitted) & scored_on.live_x(left_out)
    live_y = pair.live_y(fitted) & scored_on.live_y(left_out)
    return (
        Moments(pair, fitted, live_x, live_y),
        Moments(scored_on, left_out, live_x, live_y),
    )


def deviations(variances: Array, live: Array) -> Array:
    """1/deviation, and 0 of dead units."""
    xp = array_namespace(variances)
    return xp.where(live, 1 / xp.sqrt(xp.where(live, variances, xp.ones_like(variances))), 0.0)


def _eigen(
    layer: LayerMoments, where: Any, sets: Sets, live: Array, products: Callable[[], Array]
) -> Eigen:
    def compute() -> Eigen:
        matrix = masked(products(), live, live)
        return Eigen(*array_namespace(matrix).linalg.eigh(matrix))

    return layer.kept(("eigen", where, sets, to_numpy(live).tobytes()), compute)
