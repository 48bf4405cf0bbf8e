"""In which passes over stimuli the moments of networks are made, so that their sums fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_Names = tuple[str, str]  # of two networks, x and y


ROWS = 16384  # samples a product: float32 sums stay short, and the block stays near the cache


class Shaped(Protocol):
    """A network by what decides how its moments are made.

    attrs : mapping with the key ``group``
    shapes : layer -> ``(n, c, h, w)`` or ``(n, c)``, in depth order
    together : bool
        Whether reading one layer costs what reading all of them does.
    """

    @property
    def attrs(self) -> Mapping[str, Any]: ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    @property
    def together(self) -> bool: ...


@dataclass(frozen=True)
class Pass:
    """One stream over some layers of some networks; `matched` as for `accumulate`."""

    layers: Mapping[str, Sequence[str]]
    pairs: Sequence[_Names]
    own: Collection[str]
    matched: bool
    learned: bool
    shuffled: bool


def passes_over(
    networks: Mapping[str, Shaped],
    pairs: Sequence[_Names],
    mapped: Collection[str],
    n_folds: int,
    shuffled: bool,
    memory: int,
) -> Iterator[Pass]:
    """Passes whose sums fit: layer x layer in groups of pairs, own layers in groups of layers."""
    maps = [pair for pair in pairs if set(pair) <= set(mapped)]
    if mapped:
        yield from _groups(networks, maps, n_folds, memory)
    group_of = {name: network.attrs["group"] for name, network in networks.items()}
    for names in _with_equal_layers(networks):
        alike = [pair for pair in pairs if set(pair) <= set(names)]
        within = [(x, y) for x, y in alike if group_of[x] == group_of[y]]
        rest = [pair for pair in alike if pair not in maps]
        own = () if mapped else names
        both = shuffled and rest == within
        sums = len(own) + len(rest) * (1 + both)
        for layers in _layer_groups(networks[names[0]], 8 * n_folds * sums, memory):
            if rest or own:
                yield Pass(dict.fromkeys(names, layers), rest, own, True, True, both)
        if shuffled and within and not both:
            for layers in _layer_groups(networks[names[0]], 8 * n_folds * len(within), memory):
                yield Pass(dict.fromkeys(names, layers), within, (), True, False, True)


def _with_equal_layers(networks: Mapping[str, Shaped]) -> list[list[str]]:
    """Names of networks whose layers have the same names and shapes, set by set."""
    sets: dict[tuple, list[str]] = {}
    for name, network in networks.items():
        sets.setdefault(tuple(network.shapes.items()), []).append(name)
    return list(sets.values())


def _layer_groups(network: Shaped, bytes_a_product: int, memory: int) -> Iterator[list[str]]:
    """Layers in groups whose sums fit, or one by one if nothing is gained by reading more.

    bytes_a_product : of all sums of a pair of units
    """
    group: list[str] = []
    size = 0
    for layer, shape in network.shapes.items():
        needed = bytes_a_product * shape[1] ** 2
        if group and (size + needed > memory or not network.together):
            yield group
            group, size = [], 0
        group.append(layer)
        size += needed
    yield group


def _groups(
    networks: Mapping[str, Shaped], pairs: Sequence[_Names], n_folds: int, memory: int
) -> Iterator[Pass]:
    width = {n: sum(shape[1] for shape in networks[n].shapes.values()) for n in networks}
    group: list[_Names] = []
    size, groups = 0, []
    for x, y in pairs:
        needed = n_folds * width[x] * width[y] * 8
        if group and size + needed > memory:
            groups.append(group)
            group, size = [], 0
        group.append((x, y))
        size += needed
    done: set[str] = set()
    for chosen in [*groups, group]:
        names = {name for pair in chosen for name in pair} if done else set(networks)
        layers = {name: list(networks[name].shapes) for name in networks if name in names}
        yield Pass(layers, chosen, names - done, False, True, False)
        done |= names
