"""What scoring has to do: comparisons of layers, decompositions of sources, rows, memory.

A comparison of two layers of n units has parts that grow with n³, with n² and not at all, and
which of them rules depends on the width: each is an amount of its own, which `calibrate` prices.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from convergent_learning.alignment.arrays import WIDE
from convergent_learning.alignment.comparisons import prepared_together
from convergent_learning.alignment.registry import metrics
from convergent_learning.config.experiment import Network, NetworkPair
from convergent_learning.config.jobs import BlockJob
from convergent_learning.config.sizes import LayerSize, NetworkSize, Sizes

LayerPair = tuple[LayerSize, LayerSize]

_GIGA, _MEGA = 1e9, 1e6
# Bytes for a pair of units with five folds. Kept of a layer for all partners: moments and what is
# made of them, with λ chosen by cross-validation or not; of its ID moments, whose maps are tried on
# others, besides. At once, while one pair is scored: products, and eigenproblems of the choice.
# Measured at 640 to 2,048 units: what is freed of arrays below 32 MB stays with the process.
_BYTES_OF_SOURCE, _BYTES_OF_IDENTITY, _BYTES_AT_ONCE = 750, 440, 940
_BYTES_OF_LARGE_SOURCE, _LARGE = 500, 32 << 20
_BYTES_OF_PLAIN_SOURCE, _BYTES_PLAIN_AT_ONCE = 250, 440
_BYTES_OF_ROTATION = 10  # a draw with its transpose, in float32
_BYTES_OF_ROTATED = 250e6  # products of rotated layers, some draws at a time
_BYTES_A_KEPT_ROW = 2.5e3  # of scores in memory


@dataclass
class ScoreWork:
    """Amounts by kind of work, rows of scores, and bytes at the peak.

    wide : whether layers are so wide that torch scores them
    """

    amounts: dict[str, float] = field(default_factory=dict)
    rows: float = 0.0
    bytes: float = 0.0
    wide: bool = False

    def add(self, kind: str, amount: float) -> None:
        self.amounts[kind] = self.amounts.get(kind, 0.0) + amount


def score_work(job: BlockJob, sizes: Sizes) -> ScoreWork:
    """The work of a scoring job, without its start."""
    return _Counted(job, sizes).work


class _Counted:
    def __init__(self, job: BlockJob, sizes: Sizes):
        self.work, experiment = ScoreWork(), job.experiment
        self._job, self._folds = job, experiment.config.alignment.folds
        self._sizes = {n.name: sizes.of(job.dataset, n) for n in job.tile.networks}
        widest = max(layer.units for size in self._sizes.values() for layer in size.layers)
        self.work.wide = widest >= WIDE
        asked, fitted = job.params, bool(job.params["identity"])
        crossed = asked.get("crossed", asked["metrics"])
        self._chosen = "linear" in asked["metrics"] and experiment.config.alignment.ridge == "cv"
        draws = experiment.config.alignment.rotations
        mapped_at = [experiment.mapped(job.dataset, sample) for sample in job.samples]
        for mapped, alike in itertools.groupby(mapped_at):
            samples = len([*alike])
            for metric in asked["metrics"]:
                # Shuffled; by unit; transferred; learned, unless that comes with all layer pairs.
                times = 1 + ("unit" in asked["centers"]) + fitted + (not mapped)
                self._compare(metric, [], samples * times, metric)
                if mapped and metric in crossed:
                    self._compare(metric, mapped, samples, metric)
                self._count(metric, self._across(mapped), samples, metric)
            if "linear" in asked["metrics"]:
                self._decompose([], samples * (1 + ("unit" in asked["centers"]) + fitted))
                if mapped and "linear" in crossed:
                    self._decompose(mapped, samples)
            if asked["context"]:
                self._compare("context", [], samples * len(metrics(context=True)))
            before = self.work.rows
            for _ in asked["rotated"]:
                self._compare("rotated", [], samples * draws)
            turned = self.work.rows - before
            self.work.bytes = max(
                self.work.bytes,
                self._own_bytes(draws if asked["rotated"] else 0, fitted)
                + _BYTES_A_KEPT_ROW * turned,
                self._map_bytes(mapped),
            )

    def _compare(self, kind: str, mapped: list[Network], times: int, metric: str = "") -> None:
        """Count comparisons of all pairs of layers, each so many times."""
        self._count(kind, self._layer_pairs(mapped), times, metric)

    def _count(
        self, kind: str, pairs: Iterable[tuple[int, LayerPair]], times: int, metric: str
    ) -> None:
        comparisons = squares = cubes = 0.0
        for count, (i, j) in pairs:
            if metric != "permutation" or i.units == j.units:
                comparisons += count * times
                squares += count * times * i.units * j.units
                cubes += count * times * _cube(i.units, j.units, kind)
        self.work.add(f"kcomparison:{kind}", comparisons / 1e3)
        self.work.add(f"msquare:{kind}", self._folds * squares / _MEGA)
        self.work.add(f"gcube:{kind}", self._folds * cubes / _GIGA)
        self.work.rows += 2 * self._folds * comparisons

    def _decompose(self, mapped: list[Network], times: int) -> None:
        """Count decompositions of sources: one on each grid for all partners.

        Those of wide layers are made again for each partner in the layer x layer maps.
        """
        cubes = 0.0
        known: set[tuple[str, str, int, int]] = set()
        for x, y in self._job.tile:
            [*kinds] = compared([(x, y)], mapped)
            if not kinds or (mapped and kinds[0][2]):
                continue
            partners = self._sizes[y.name].layers
            frugal = mapped and self.work.wide
            if frugal:
                known.clear()
            for turn, part in enumerate(prepared_together(partners) if frugal else [partners]):
                for i, j in layer_pairs(self._sizes[x.name], self._sizes[y.name], own=kinds[0][2]):
                    grid = min(i.positions, j.positions)
                    # Those of x are made again for each part of y's layers.
                    sources = ((x.name, i, turn), (y.name, j, 0)) if j in part else ()
                    for network, layer, when in sources:
                        if (network, layer.name, grid, when) not in known:
                            known.add((network, layer.name, grid, when))
                            cubes += layer.units**3
        self.work.add("gsource:linear", times * self._folds * cubes / _GIGA)

    def _layer_pairs(self, mapped: list[Network]) -> Iterator[tuple[int, LayerPair]]:
        """How many pairs of networks have two layers compared, and the layers.

        Pairs of `mapped` networks only if there are any, else own layers within groups.
        """
        for (x, y), count, own in compared(self._job.tile, mapped):
            if own and mapped:
                continue
            for pair in layer_pairs(self._sizes[x.name], self._sizes[y.name], own=own):
                yield count, pair

    def _across(self, mapped: list[Network]) -> Iterator[tuple[int, LayerPair]]:
        """As `_layer_pairs`, of pairs across groups that have own layers only."""
        for (x, y), count, own in across(self._job.tile, mapped):
            for pair in layer_pairs(self._sizes[x.name], self._sizes[y.name], own=own):
                yield count, pair

    def _own_bytes(self, draws: int, fitted: bool) -> float:
        """Bytes kept for one layer of all networks of a group, which are scored together."""
        by_layer: defaultdict[tuple[str, str], float] = defaultdict(float)
        at_once: dict[tuple[str, str], float] = {}
        for network in self._job.tile.networks:
            for layer in self._sizes[network.name].layers:
                which, squares = (network.group, layer.name), layer.units**2
                by_layer[which] += self._kept_bytes(layer)
                by_layer[which] += (
                    _BYTES_OF_IDENTITY * fitted + _BYTES_OF_ROTATION * draws
                ) * squares
                at_once[which] = self._bytes_at_once * squares
        rotated = _BYTES_OF_ROTATED if draws else 0.0
        return max(kept + at_once[which] for which, kept in by_layer.items()) + rotated

    def _map_bytes(self, mapped: list[Network]) -> float:
        """Bytes kept for layers of mapped networks: all; if wide, one and a part of a partner's."""
        layers = [
            layer
            for network in self._job.tile.networks
            if network in mapped
            for layer in self._sizes[network.name].layers
        ]
        if not layers:
            return 0.0
        at_once = self._bytes_at_once * max(layer.units for layer in layers) ** 2
        kept = [self._kept_bytes(layer) for layer in layers]
        if not self.work.wide:
            return sum(kept) + at_once
        part = max(
            sum(map(self._kept_bytes, part))
            for size in self._sizes.values()
            for part in prepared_together(size.layers)
        )
        return max(kept) + part + at_once

    def _kept_bytes(self, layer: LayerSize) -> float:
        """Bytes kept of a layer for all its partners."""
        squares = layer.units**2
        if not self._chosen:
            return _BYTES_OF_PLAIN_SOURCE * squares
        is_large = 8 * self._folds * squares >= _LARGE
        return (_BYTES_OF_LARGE_SOURCE if is_large else _BYTES_OF_SOURCE) * squares

    @property
    def _bytes_at_once(self) -> int:
        return _BYTES_AT_ONCE if self._chosen else _BYTES_PLAIN_AT_ONCE


def _cube(p: int, q: int, kind: str) -> float:
    """Scale of products and decompositions; units of the narrower side are matched repeatedly."""
    if kind == "soft_matching":
        return float(p * q * max(p, q))
    return p * q * (p + q) / 2


def compared(
    pairs: Iterable[NetworkPair], mapped: list[Network]
) -> list[tuple[NetworkPair, int, bool]]:
    """A pair of networks for each two groups, how many there are like it, own layers only or all.

    Pairs of `mapped` networks are compared in every pair of their layers, others in own layers
    within a group; `across` has those across groups.
    """
    names = {network.name for network in mapped}
    counted: dict[tuple[str, str, bool], tuple[NetworkPair, int]] = {}
    for x, y in pairs:
        own = not names >= {x.name, y.name}
        if own and x.group != y.group:
            continue
        first, count = counted.get((x.group, y.group, own), ((x, y), 0))
        counted[x.group, y.group, own] = first, count + 1
    return [(pair, count, own) for (_, _, own), (pair, count) in counted.items()]


def across(
    pairs: Iterable[NetworkPair], mapped: list[Network]
) -> list[tuple[NetworkPair, int, bool]]:
    """As `compared`: pairs across groups of one architecture that have own layers only."""
    names = {network.name for network in mapped}
    own = [(x, y) for x, y in pairs if x.group != y.group and not names >= {x.name, y.name}]
    counts = Counter((x.group, y.group) for x, y in own)
    first = {(x.group, y.group): (x, y) for x, y in reversed(own)}
    return [(first[groups], count, True) for groups, count in counts.items()]


def layer_pairs(x: NetworkSize, y: NetworkSize, own: bool) -> list[LayerPair]:
    """Pairs of the same layer, or all pairs of layers."""
    if own:
        return list(zip(x.layers, y.layers, strict=True))
    return list(itertools.product(x.layers, y.layers))
