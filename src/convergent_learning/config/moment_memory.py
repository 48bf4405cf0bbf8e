"""Memory that moments take while they are made: what `alignment.accumulate` allocates for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convergent_learning.alignment.passes import ROWS, Pass, passes_over
from convergent_learning.config.sizes import LayerSize, NetworkSize

_Part = Mapping[str, Sequence[LayerSize]]  # layers by network that are summed together
_HALF_TOO = 1.5  # matrices in float32, with the responses in float16 that they are made of


@dataclass(frozen=True)
class ShownNetworks:
    """Networks that are shown a stimulus set.

    sizes, groups : by network, in the order of the sample
    pairs, mapped : names, as for `alignment.store.write_moments`
    held : whether memory holds the activations of all of them
    """

    sizes: Mapping[str, NetworkSize]
    groups: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    mapped: Sequence[str]
    held: bool


@dataclass(frozen=True)
class _Network:  # an `alignment.passes.Shaped`
    attrs: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    together: bool


def summing_bytes(
    shown: ShownNetworks, images: int, n_folds: int, summed: int, *, filed: bool, gpu: bool = False
) -> float:
    """Bytes at the peak of all passes over the stimuli, activations apart.

    summed : bytes that the sums of a pass may take
    filed : whether the file that moments are written to is in memory
    gpu : whether sums are made on a GPU: memory holds those that are finished
    """
    networks = {
        name: _Network(
            {"group": shown.groups[name]},
            {layer.name: (images, layer.units, layer.positions) for layer in size.layers},
            not shown.held,
        )
        for name, size in shown.sizes.items()
    }
    layers = {
        name: {layer.name: layer for layer in size.layers} for name, size in shown.sizes.items()
    }
    peak = written = 0.0
    for job in passes_over(networks, shown.pairs, shown.mapped, n_folds, True, summed):
        of_pass = [_PartSums(part, job, images, n_folds) for part in _parts(job, layers)]
        # Sums of all parts; of one the matrices it is made of, and what centring takes.
        sums = sum(part.own + part.cross for part in of_pass)
        besides = max(part.largest if gpu else part.making for part in of_pass)
        peak = max(peak, written + sums + besides)
        if filed:
            written += sum(part.own + part.cross / 2 for part in of_pass)
    return peak


def _parts(job: Pass, layers: Mapping[str, Mapping[str, LayerSize]]) -> Iterator[_Part]:
    """All layers of a pass at once, or index by index if it is `matched`."""
    read = {name: [layers[name][layer] for layer in names] for name, names in job.layers.items()}
    if not job.matched:
        yield read
        return
    for index in range(len(next(iter(read.values())))):
        yield {name: [of_network[index]] for name, of_network in read.items()}


class _PartSums:
    """Bytes of one part of a pass.

    own, cross : sums over stimuli, float64
    largest : the largest sum
    making : matrices of some stimuli, those of the second network of shuffled pairs twice; two
        copies of the largest sum while it is centred, and another for a product or what is written
    """

    def __init__(self, part: _Part, job: Pass, images: int, n_folds: int):
        self._part, bytes_a_product = part, 8 * n_folds
        grids = {layer.positions for layers in part.values() for layer in layers}
        self._grids = sorted(grids)
        own = [
            bytes_a_product * layer.units**2
            for name in job.own
            for layer in part[name]
            for grid in self._grids
            if grid <= layer.positions
        ]
        products = [bytes_a_product * size for pair in job.pairs for size in self._products(*pair)]
        self.own = float(sum(own))
        self.cross = float((job.learned + job.shuffled) * sum(products))
        self.largest = float(max([*own, *products], default=0))
        stimuli = min(images // n_folds + 1, max(1, ROWS // self._grids[-1]))
        mixed = {y for _, y in job.pairs} if job.shuffled else set()
        values = sum((1 + (name in mixed)) * self._values(name) for name in part)
        self.making = _HALF_TOO * 4 * stimuli * values + 3 * self.largest

    def _products(self, x: str, y: str) -> Iterator[int]:
        """Units x units on each grid: native ones of x with all of y, others of x with native."""
        for grid in self._grids:
            yield self._units(x, grid, native=True) * self._units(y, grid)
            averaged = self._units(x, grid) - self._units(x, grid, native=True)
            yield averaged * self._units(y, grid, native=True)

    def _units(self, name: str, grid: int, native: bool = False) -> int:
        """Of the layers that have this grid, or also of the finer ones, which are averaged."""
        return sum(
            layer.units
            for layer in self._part[name]
            if layer.positions == grid or (layer.positions > grid and not native)
        )

    def _values(self, name: str) -> int:
        """Numbers of one stimulus on all grids."""
        return sum(grid * self._units(name, grid) for grid in self._grids)
