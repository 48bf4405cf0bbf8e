"""A layer as rows (stimuli x positions), for layers with more units than rows.

Second moments of p units need p² numbers. Fewer rows than units span a smaller space, and products
of rows say all about it: with the centred training rows X = U diag(s) V', XX' = U diag(s²) U', and
other rows H have the coordinates HV = HX' U diag(1/s) on the axes V.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from array_api_compat import array_namespace

from .arrays import Array, to_numpy
from .layer_stack import average, gram
from .moments import Center, Grid, LayerMoments, Sets, Sums, held_out, training
from .responses import Responses

_BLOCK_BYTES = 16 << 20  # float64 responses of some units, held at once


@dataclass(frozen=True, eq=False)
class UnitMoments(LayerMoments):
    """Fold moments of which only each unit's own variance is known: `products` are (K, p)."""

    def variances(self, grid: Grid, center: Center, sets: Sets) -> Array:
        """(len(sets), p), as those of `LayerMoments`."""
        return self.kept(
            ("variances", grid, center, sets), lambda: self._variances(grid, center, sets)
        )

    def _variances(self, grid: Grid, center: Center, sets: Sets) -> Array:
        products, offsets = self.products[grid], self.offsets(grid, center)
        xp = array_namespace(products)
        counts = xp.astype(self.counts, products.dtype)
        raw = products + counts[:, None] * xp.mean(offsets**2, axis=1)
        x = counts[:, None, None] * offsets
        if center == "unit":
            x = xp.mean(x, axis=1, keepdims=True)
        sums = Sums(counts, raw, x, x)
        means = sums.summed(x, sets)
        return sums.summed(raw, sets) - xp.sum(means**2 / sums.weights(sets), axis=1)


class Axes(NamedTuple):
    """Principal axes of centred training rows X = U diag(s) V', directions of no rank left out.

    singular : (k,) s
    left : (m, positions, k) U, of the training stimuli
    others : (n - m, positions, k) rows of the other stimuli on the axes V, not centred
    place : int array (n,), where a stimulus is in `left` or in `others`
    """

    singular: torch.Tensor
    left: torch.Tensor
    others: torch.Tensor
    place: np.ndarray

    def fitted(self, stimuli: np.ndarray) -> torch.Tensor:
        """U of training stimuli in this order, (stimuli x positions, k)."""
        return self.left[self.place[stimuli]].flatten(0, 1)


class LayerRows:
    """Responses of one layer on a grid, in float64 where they are used.

    Parameters
    ----------
    parts : the stimuli that maps are fitted on and, if they are scored on others, those
    grid : the coarser of the layer's grid and its partner's; a finer layer is averaged over cells
    fold_of : int array, ``(n,)``
    center : "position" or "unit"
    device : where it is computed

    Raises
    ------
    ValueError
        Responses that are NaN or infinite.
    """

    def __init__(
        self,
        parts: Sequence[Responses],
        grid: Grid,
        fold_of: np.ndarray,
        center: Center,
        device: torch.device,
    ):
        self.label, self.own_grid, self.units = parts[0].label, parts[0].grid, parts[0].units
        self.grid, self.center = grid, center
        self.n = len(fold_of)
        self._device, self._grids = device, [part.grid for part in parts]
        self._values = [part.block(0, part.n) for part in parts]
        self.moments = [
            self._unit_moments(part, values, fold_of)
            for part, values in zip(parts, self._values, strict=True)
        ]
        n_folds = int(fold_of.max()) + 1
        self._always = (
            self.fitted.live(grid, center, training(n_folds)).all(0)
            & self.scored.live(grid, center, held_out(n_folds)).all(0)
            & self.fitted.inner_live(grid, center).all(0)
        )
        self._gram_always: torch.Tensor | None = None
        self._prepared: tuple[bytes, torch.Tensor] | None = None  # of the last mask
        self._axes: dict[tuple[bytes, bytes], Axes] = {}

    @property
    def fitted(self) -> UnitMoments:
        """Variances over the stimuli that maps are fitted on."""
        return self.moments[0]

    @property
    def scored(self) -> UnitMoments:
        """Variances over the stimuli that maps are scored on."""
        return self.moments[-1]

    @property
    def positions(self) -> int:
        return self.grid[0] * self.grid[1]

    def blocks(self) -> Iterator[slice]:
        """All units, some at a time."""
        positions = max(self.positions, self.own_grid[0] * self.own_grid[1])
        size = max(1, _BLOCK_BYTES // (8 * positions * self.n * len(self._values)))
        for start in range(0, self.units, size):
            yield slice(start, min(start + size, self.units))

    def block(self, units: slice | torch.Tensor) -> torch.Tensor:
        """Responses (stimuli, positions, units) of some units, those of all parts in a row."""
        parts = [
            self._on_grid(self._of(values, units), grid).transpose(1, 2)
            for values, grid in zip(self._values, self._grids, strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def shifted(self, units: slice | torch.Tensor) -> torch.Tensor:
        """A block with each part centred as a whole: no offset cancels later."""
        parts = self.block(units).unflatten(0, (len(self._values), -1))
        axes = (1,) if self.center == "position" else (1, 2)
        return (parts - parts.mean(axes, keepdim=True)).flatten(0, 1)

    def centred(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (stimuli, positions, m) centred with their own means, (stimuli x positions, m)."""
        axes = (0,) if self.center == "position" else (0, 1)
        return (rows - rows.mean(axes, keepdim=True)).flatten(0, 1)

    def axes(self, live: torch.Tensor, stimuli: np.ndarray) -> Axes:
        """Principal axes of the live units over `stimuli`, indices in ascending order.

        live : (p,) mask
        """
        mask = to_numpy(live).tobytes()
        key = mask, stimuli.tobytes()
        if key not in self._axes:
            by_units = int(live.sum()) <= self.n * len(self._values) * self.positions
            if self._prepared is None or self._prepared[0] != mask:
                made = self.shifted(live.nonzero()[:, 0]) if by_units else self._products_of(live)
                self._prepared = mask, made
            principal = self._from_units if by_units else self._from_products
            self._axes[key] = principal(self._prepared[1], stimuli)
        return self._axes[key]

    def projected(self, axes: Axes, stimuli: np.ndarray) -> torch.Tensor:
        """Centred rows of stimuli outside the training split on principal axes.

        (stimuli x positions, k)
        """
        return self.centred(axes.others[axes.place[stimuli]])

    def _from_units(self, units: torch.Tensor, stimuli: np.ndarray) -> Axes:
        """Principal axes of units (stimuli, positions, p)."""
        rows = self.centred(units[stimuli])
        tall = rows.shape[0] > rows.shape[1]
        singular, vectors = _roots(gram(rows.T if tall else rows), max(rows.shape))
        other = (rows @ vectors if tall else rows.T @ vectors) / singular
        left, right = (other, vectors) if tall else (vectors, other)
        outside, place = self._places(stimuli)
        return Axes(singular, left.unflatten(0, (len(stimuli), -1)), units[outside] @ right, place)

    def _from_products(self, products: torch.Tensor, stimuli: np.ndarray) -> Axes:
        """The same from products of all rows, (stimuli, positions, stimuli, positions)."""
        axes = (2,) if self.center == "position" else (2, 3)
        with_training = products[:, :, stimuli]
        largest = torch.linalg.vector_norm(with_training[stimuli], torch.inf)
        with_training -= with_training.mean(axes, keepdim=True)
        with_training = with_training.flatten(2)
        n_rows = self.n * self.positions
        singular, left = _roots(self.centred(with_training[stimuli]), n_rows, largest)
        # Rounding of products leaves a constant in U, which would meet the offsets of other rows.
        left = self.centred(left.unflatten(0, (len(stimuli), -1)))
        outside, place = self._places(stimuli)
        others = with_training[outside] @ (left / singular)
        return Axes(singular, left.unflatten(0, (len(stimuli), -1)), others, place)

    def _places(self, stimuli: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stimuli outside the training split, and where each is among those inside or outside."""
        n = self.n * len(self._values)
        outside = np.setdiff1d(np.arange(n), stimuli, assume_unique=True)
        place = np.empty(n, np.int64)
        place[stimuli], place[outside] = np.arange(len(stimuli)), np.arange(len(outside))
        return outside, place

    def _products_of(self, live: torch.Tensor) -> torch.Tensor:
        """Products of all rows over the live units, (stimuli, positions, stimuli, positions).

        Units that are live in every split are summed once.
        """
        if (self._always & ~live).any():
            total = self._products(live)
        else:
            if self._gram_always is None:
                self._gram_always = self._products(self._always)
            total = self._gram_always + self._products(live & ~self._always)
        return total.unflatten(1, (-1, self.positions)).unflatten(0, (-1, self.positions))

    def _products(self, chosen: torch.Tensor) -> torch.Tensor:
        n_rows = self.n * len(self._values) * self.positions
        total = torch.zeros(n_rows, n_rows, dtype=torch.float64, device=self._device)
        for units in self.blocks():
            if chosen[units].any():
                inside = (
                    units if chosen[units].all() else chosen[units].nonzero()[:, 0] + units.start
                )
                total += gram(self.shifted(inside).flatten(0, 1))
        return total

    def _of(self, values: torch.Tensor, units: slice | torch.Tensor) -> torch.Tensor:
        chosen = units if isinstance(units, slice) else units.to(values.device)
        return values[:, chosen].to(self._device, torch.float64)

    def _on_grid(self, values: torch.Tensor, grid: Grid) -> torch.Tensor:
        return values if grid == self.grid else average(values, grid, self.grid)

    def _unit_moments(
        self, part: Responses, values: torch.Tensor, fold_of: np.ndarray
    ) -> UnitMoments:
        members = torch.as_tensor(fold_of == np.arange(fold_of.max() + 1)[:, None])
        counts = members.sum(1).to(self._device)
        chosen = members.to(self._device, torch.float64)
        means: list[torch.Tensor] = []
        squares: dict[Grid, list[torch.Tensor]] = {part.grid: [], self.grid: []}
        for units in self.blocks():
            block = self._of(values, units)
            origin = block[:1]
            block = block - origin  # a constant unit is exactly zero then
            for grid, found in squares.items():
                moved = block if grid == part.grid else self._on_grid(block, part.grid)
                mean = torch.tensordot(chosen, moved, 1) / counts[:, None, None]
                square = chosen @ (moved**2).mean(2)
                found.append(square - counts[:, None] * (mean**2).mean(2))
                if grid == part.grid:
                    means.append((origin + mean).transpose(1, 2))
        products = {grid: torch.cat(found, dim=1) for grid, found in squares.items()}
        if not all(torch.isfinite(each).all() for each in products.values()):
            part.check_finite()
        return UnitMoments(counts, part.grid, torch.cat(means, dim=2), products, part.label)


def _roots(
    square: torch.Tensor, n_rows: int, largest: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Singular values s and their vectors of XX' or X'X, without those of no rank.

    largest : the largest magnitude among the products that were centred to give `square`, ()
    """
    values, vectors = torch.linalg.eigh(square)
    scale = values[-1] if largest is None else torch.maximum(values[-1], largest)
    kept = values > n_rows * torch.finfo(values.dtype).eps * scale
    return values[kept].sqrt(), vectors[:, kept]
