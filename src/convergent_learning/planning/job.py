"""A job of the plan, and the pairs of networks and layers that jobs go through."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from convergent_learning.experiment import Network
from convergent_learning.planning.sizes import LayerSize, NetworkSize

STAGES = ("dataset", "stimuli", "training", "activations", "moments", "scores", "figures")
GIGA, MEGA = 1e9, 1e6


@dataclass(frozen=True)
class Job:
    """A job of `rule` in `stage`; `benchmark` is its file below the benchmarks' folder.

    `work` is amounts of the kinds of work that `costs` has prices for; `memory` is the megabytes
    that the largest arrays take, `disk` the bytes that are left.
    Jobs of one `kind` need memory alike; a `transient` job's output is deleted when it was read.
    """

    stage: str
    rule: str
    benchmark: str
    work: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0
    disk: float = 0.0
    transient: bool = False
    metric: str = ""

    @property
    def kind(self) -> str:
        return f"{self.stage}:{self.metric}" if self.metric else self.stage


def values(layer: LayerSize) -> int:
    return layer.units * layer.side**2


def layer_pairs(x: NetworkSize, y: NetworkSize, own: bool) -> list[tuple[LayerSize, LayerSize]]:
    """Pairs of the same layer, or all pairs of layers."""
    if own:
        return list(zip(x.layers, y.layers, strict=True))
    return list(itertools.product(x.layers, y.layers))


def pairs_by_architecture(
    networks: list[Network],
) -> Iterator[tuple[tuple[Network, Network], int]]:
    """One pair of networks for each pair of architectures, and how many such pairs there are."""
    first = {network.architecture: network for network in reversed(networks)}
    count = {name: sum(n.architecture == name for n in networks) for name in first}
    for x, y in itertools.combinations_with_replacement(first, 2):
        pairs = count[x] * (count[x] - 1) // 2 if x == y else count[x] * count[y]
        if pairs:
            yield (first[x], first[y]), pairs


def unmapped_pairs(
    networks: list[Network], mapped: list[Network]
) -> Iterator[tuple[tuple[Network, Network], int]]:
    """Pairs of one architecture that no layer x layer map is made of, as above."""
    maps = {x.architecture: n for (x, y), n in pairs_by_architecture(mapped) if _same(x, y)}
    for (x, y), pairs in pairs_by_architecture(networks):
        if _same(x, y) and pairs > maps.get(x.architecture, 0):
            yield (x, y), pairs - maps.get(x.architecture, 0)


def _same(x: Network, y: Network) -> bool:
    return x.architecture == y.architecture
