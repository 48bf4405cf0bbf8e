"""The graph of a group's pairs, and what the config says of it."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from convergent_learning.config.checks import checked
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.partners import graph, ring

DEFAULT = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())


@given(st.integers(1, 20), st.integers(2, 20))
def test_every_network_has_its_partners_and_is_connected_to_all(size, partners):
    if size % 2 and partners % 2 and partners < size - 1:
        with pytest.raises(ValueError, match=f"{size} networks cannot have {partners}"):
            graph(size, partners)
        return
    adjacency = np.zeros((size, size))
    for i, j in graph(size, partners):
        assert i < j
        adjacency[[i, j], [j, i]] += 1
    assert (adjacency.sum(axis=0) == min(partners, size - 1)).all()
    assert (np.linalg.matrix_power(adjacency + np.eye(size), size) > 0).all()


@given(st.integers(2, 20), st.integers(1, 8), st.integers(1, 8))
def test_more_partners_keep_the_pairs_of_fewer(size, some, more):
    assert graph(size, 2 * some) <= graph(size, 2 * (some + more))


@given(st.sets(st.integers(0, 1000), min_size=2), st.integers(2, 5), st.integers(0, 100))
def test_a_ring_is_drawn_behind_the_networks_with_maps(seeds, together, seed):
    given = sorted(seeds)
    drawn = ring("a", given, together, seed)
    assert drawn[:together] == given[:together]
    assert sorted(drawn) == given
    assert drawn == ring("a", given, together, seed)


def test_rings_differ_between_groups_and_experiment_seeds():
    rings = [ring(group, range(10), 3, seed) for group in "ab" for seed in (0, 1)]
    assert len({*map(tuple, rings)}) == 4


@pytest.mark.parametrize(
    ("seeds", "alignment", "said"),
    [
        (
            9,
            {"partners": 5, "map_seeds": 3},
            "alignment.partners: of group 'vgg11', 9 networks cannot have 5 partners each; take an"
            " even number",
        ),
        (
            10,
            {"partners": 2, "map_seeds": 3},
            "alignment.partners: 2 leave out pairs of the 3 networks of 'vgg11' with layer x layer"
            " maps; raise it to 4, or set alignment.map_seeds to 2",
        ),
        (10, {"partners": 4}, "maps; raise it to 9, or set alignment.map_seeds to 3"),
        (10, {"partners": 1}, "alignment.partners: 1 should be greater than or equal to 2"),
    ],
)
def test_partners_that_do_not_work_out_are_refused(seeds, alignment, said):
    config = copy.deepcopy(DEFAULT)
    config["networks"][1]["seeds"] = list(range(seeds))
    config["alignment"] |= alignment
    with pytest.raises(ConfigError, match=re.escape(said)):
        checked(config)


@pytest.mark.parametrize("partners", [4, 9, 100])
def test_partners_that_work_out_are_taken(partners):
    config = copy.deepcopy(DEFAULT)
    config["networks"][1]["seeds"] = list(range(10))
    config["alignment"] |= {"partners": partners, "map_seeds": 3}
    assert checked(config).alignment.partners == partners
