"""A source and a target layer: their moments over any folds, and the splits that metrics see."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from .moments import Center, Eigh, Folds, LayerMoments, Sums, Svd, block, common_grid

_T = TypeVar("_T")


def paired(
    x: LayerMoments, y: LayerMoments, cross: np.ndarray, center: Center = "position"
) -> LayerPair:
    """Source x with target y, from their cross moments.

    cross : (K, p, q) fold products on the coarser of the two grids
    center : "position" (each unit centred at each position) or "unit" (one mean a unit)
    """
    if center not in ("position", "unit"):
        raise ValueError(f"center is {center!r}: use 'position' or 'unit'")
    grid = common_grid(x.grid, y.grid)
    products = Sums(x.counts, cross, x.offsets(grid, center), y.offsets(grid, center), center)
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
        self.folds = tuple(range(len(source.counts)))
        self._products, self._flipped = products, flipped
        self._cache: dict[Hashable, Any] = {}
        self._reverse: LayerPair | None = None

    @property
    def same_grid(self) -> bool:
        return self.source.grid == self.target.grid

    def reversed(self) -> LayerPair:
        """The pair with y as source and x as target, from the same products."""
        if self._reverse is None:
            turned = (self.target, self.source, self._products, self.center, not self._flipped)
            self._reverse = LayerPair(*turned)
        return self._reverse

    def xx(self, folds: Folds) -> np.ndarray:
        return self.source.sums(self.grid, self.center).over(folds)

    def yy(self, folds: Folds) -> np.ndarray:
        return self.target.sums(self.target.grid, self.center).over(folds)

    def xy(self, folds: Folds) -> np.ndarray:
        product = self._products.over(folds)
        return product.T if self._flipped else product

    def variance_x(self, folds: Folds) -> np.ndarray:
        return self.xx(folds).diagonal()

    def variance_y(self, folds: Folds) -> np.ndarray:
        return self.yy(folds).diagonal()

    def live_x(self, folds: Folds) -> np.ndarray:
        return self.source.live(self.grid, self.center, folds)

    def live_y(self, folds: Folds) -> np.ndarray:
        return self.target.live(self.target.grid, self.center, folds)

    def eigh(self, folds: Folds, live: np.ndarray) -> Eigh:
        """Eigenvalues and vectors of the source's live block; one decomposition for all targets."""
        return self.source.kept(
            ("eigh", self.grid, self.center, folds, live.tobytes()),
            lambda: np.linalg.eigh(block(self.xx(folds), live, live)),
        )

    def eigh_y(self, folds: Folds, live: np.ndarray) -> Eigh:
        """The same of the target, shared with the pairs that it is a source of."""
        return self.target.kept(
            ("eigh", self.target.grid, self.center, folds, live.tobytes()),
            lambda: np.linalg.eigh(block(self.yy(folds), live, live)),
        )

    def svd(self, folds: Folds, live_x: np.ndarray, live_y: np.ndarray) -> Svd:
        """Thin SVD of the live block of xy; one serves both directions."""
        if self._flipped:
            u, s, vt = self._products.svd(folds, live_y, live_x)
            return vt.T, s, u.T
        return self._products.svd(folds, live_x, live_y)

    def xy_each(self, sets: Sequence[Folds]) -> np.ndarray:
        """`xy` of each of several sets of folds, (len(sets), p, q)."""
        products = self._products.each(sets)
        return products.transpose(0, 2, 1) if self._flipped else products

    @property
    def unrotated(self) -> LayerPair:
        """The pair in the basis of the units: this one, unless its source was rotated."""
        return self

    def warn_dead(self, fold: int, live_x: np.ndarray) -> None:
        """Warn that a layer has no live unit: the source, unless some of `live_x` are."""
        dead = self.target if live_x.any() else self.source
        warnings.warn(
            f"no unit of {dead.label} varies over the stimuli (fold {fold}): its score is NaN",
            RuntimeWarning,
            stacklevel=4,
        )

    def kept(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """What `compute` returns, kept under `key` for all splits."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]


@dataclass(frozen=True)
class Moments:
    """Centred second moments of one split: what a metric fits on, or is scored on.

    xx, xy, yy : (p, p), (p, q), (q, q) over all units, dead ones included
    live_x, live_y : bool masks, live in the training and the held-out split
    """

    pair: LayerPair
    folds: Folds
    live_x: np.ndarray
    live_y: np.ndarray

    @property
    def xx(self) -> np.ndarray:
        return self.pair.xx(self.folds)

    @property
    def xy(self) -> np.ndarray:
        return self.pair.xy(self.folds)

    @property
    def yy(self) -> np.ndarray:
        return self.pair.yy(self.folds)

    @property
    def variance_x(self) -> np.ndarray:
        return self.pair.variance_x(self.folds)

    @property
    def variance_y(self) -> np.ndarray:
        return self.pair.variance_y(self.folds)

    @property
    def correlation(self) -> np.ndarray:
        """(p, q) Pearson r between units; 0 where either is dead."""
        x = np.where(self.live_x, self.variance_x, np.inf)
        y = np.where(self.live_y, self.variance_y, np.inf)
        correlation = self.xy * (1 / np.sqrt(x))[:, None]
        correlation *= 1 / np.sqrt(y)
        return correlation

    def eigh(self) -> Eigh:
        """Eigenvalues and vectors of the live block of xx."""
        return self.pair.eigh(self.folds, self.live_x)

    def eigh_y(self) -> Eigh:
        """Eigenvalues and vectors of the live block of yy."""
        return self.pair.eigh_y(self.folds, self.live_y)

    def svd(self) -> Svd:
        """u, s, vt of the thin SVD of the live block of xy, shared by both directions."""
        return self.pair.svd(self.folds, self.live_x, self.live_y)


def split(
    pair: LayerPair, fold: int, scored_on: LayerPair | None = None
) -> tuple[Moments, Moments]:
    """Training moments of all other folds and held-out moments of `fold`, with shared live masks.

    scored_on : optional
        The same layers on another stimulus set: the held-out moments come from it (transfer).
    """
    scored_on = pair if scored_on is None else scored_on
    training = tuple(k for k in pair.folds if k != fold)
    live_x = pair.live_x(training) & scored_on.live_x((fold,))
    live_y = pair.live_y(training) & scored_on.live_y((fold,))
    return (
        Moments(pair, training, live_x, live_y),
        Moments(scored_on, (fold,), live_x, live_y),
    )
