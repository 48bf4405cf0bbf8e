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
from convergent_learning.config.experiment import Experiment, Network, NetworkPair
from convergent_learning.config.jobs import BlockJob
from convergent_learning.config.sizes import LayerSize, NetworkSize, Sizes

LayerPair = tuple[LayerSize, LayerSize]

_GIGA, _MEGA = 1e9, 1e6
# Bytes for a pair of units: what is made of own moments for all partners, and of a pair's products.
_BYTES_OF_SOURCE, _BYTES_OF_PAIR = 750, 120
_BYTES_OF_ROTATION = 8  # a draw with its transpose, in float32
_BYTES_A_KEPT_ROW = 2e3  # of scores in memory


@dataclass
class ScoreWork:
    """Amounts by kind of work, rows of scores, and bytes at the peak."""

    amounts: dict[str, float] = field(default_factory=dict)
    rows: float = 0.0
    bytes: float = 0.0

    def add(self, kind: str, amount: float) -> None:
        self.amounts[kind] = self.amounts.get(kind, 0.0) + amount


def score_work(job: BlockJob, experiment: Experiment, sizes: Sizes) -> ScoreWork:
    """The work of a scoring job, without its start."""
    return _Counted(job, experiment, sizes).work


class _Counted:
    def __init__(self, job: BlockJob, experiment: Experiment, sizes: Sizes):
        self.work = ScoreWork()
        self._job, self._folds = job, experiment.config.alignment.folds
        self._sizes = {n.name: sizes.of(job.dataset, n) for n in job.tile.networks}
        asked, fitted = job.params, bool(job.params["identity"])
        crossed = asked.get("crossed", asked["metrics"])
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
            frugal = mapped and self._widest >= WIDE
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

    @property
    def _widest(self) -> int:
        return max(layer.units for size in self._sizes.values() for layer in size.layers)

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
        """Of a layer of all networks of a group, which are scored together."""
        by_layer: defaultdict[tuple[str, str], float] = defaultdict(float)
        for network in self._job.tile.networks:
            for layer in self._sizes[network.name].layers:
                square = _BYTES_OF_SOURCE * (1 + fitted) + _BYTES_OF_PAIR
                square += _BYTES_OF_ROTATION * draws
                by_layer[network.group, layer.name] += square * layer.units**2
        return max(by_layer.values())

    def _map_bytes(self, mapped: list[Network]) -> float:
        """Of layers of mapped networks: all; where they are wide one, and a part of a partner's."""
        bytes_of = [
            _BYTES_OF_SOURCE * layer.units**2
            for network in self._job.tile.networks
            if network in mapped
            for layer in self._sizes[network.name].layers
        ]
        if self._widest < WIDE or not bytes_of:
            return sum(bytes_of)
        return max(bytes_of) + max(
            sum(_BYTES_OF_SOURCE * layer.units**2 for layer in part)
            for size in self._sizes.values()
            for part in prepared_together(size.layers)
        )


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
