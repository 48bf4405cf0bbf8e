"""A job of the plan, and the pairs of networks and layers that jobs go through."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from convergent_learning.experiment import Network
from convergent_learning.planning.sizes import LayerSize, NetworkSize

NetworkPair = tuple[Network, Network]
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


def by_group(
    pairs: Iterable[NetworkPair],
) -> list[tuple[NetworkPair, int]]:
    """One pair of networks for each pair of groups, and how many such pairs there are."""
    counted: dict[tuple[str, str], tuple[NetworkPair, int]] = {}
    for pair in pairs:
        groups = pair[0].group, pair[1].group
        first, count = counted.get(groups, (pair, 0))
        counted[groups] = first, count + 1
    return list(counted.values())


def compared_layers(
    pairs: Iterable[NetworkPair], mapped: list[Network]
) -> Iterator[tuple[NetworkPair, int, bool]]:
    """Pairs that are compared, as above, and whether in own layers only.

    Pairs of `mapped` networks are compared in every pair of their layers, others in own layers
    within group.
    """
    pairs, names = list(pairs), {network.name for network in mapped}

    def has_map(x: Network, y: Network) -> bool:
        return x.name in names and y.name in names

    for pair, count in by_group(pair for pair in pairs if has_map(*pair)):
        yield pair, count, False
    rest = (pair for pair in pairs if not has_map(*pair))
    for pair, count in by_group(rest):
        if pair[0].group == pair[1].group:
            yield pair, count, True
