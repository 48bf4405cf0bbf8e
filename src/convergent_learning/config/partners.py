"""Which networks of a group are compared where each has only some partners: a regular graph.

The networks stand in a ring, and each is compared with those a few places before and after it. A
larger number of partners keeps the pairs of a smaller even one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from convergent_learning.randomness import derived_seed


def ring(group: str, seeds: Sequence[int], together: int, seed: int) -> list[int]:
    """The seeds of a group in the order of the ring.

    The first so many stand `together` at its start, in the order given; the order of the others is
    drawn with `seed`, the experiment's.
    """
    drawn = np.random.default_rng(derived_seed(f"ring of {group}", seed))
    others = drawn.permutation(np.asarray(seeds[together:], dtype=np.int64))
    return [*seeds[:together], *others.tolist()]


def graph(size: int, partners: int) -> set[tuple[int, int]]:
    """Pairs (i, j) with i < j of `size` networks of a ring that are compared.

    Each network is compared with half of its partners on either side; an odd one is the network
    opposite. With `partners` of size − 1 or more it is compared with all.

    Raises
    ------
    ValueError
        If an odd number of networks cannot have an odd number of partners each.
    """
    every = itertools.combinations(range(size), 2)
    if partners >= size - 1:
        return set(every)
    if partners % 2 and size % 2:
        raise ValueError(f"{size} networks cannot have {partners} partners each")
    distances = {(i, j): min(j - i, size - j + i) for i, j in every}
    opposite = size // 2 if partners % 2 else None
    return {
        pair
        for pair, distance in distances.items()
        if distance <= partners // 2 or distance == opposite
    }
