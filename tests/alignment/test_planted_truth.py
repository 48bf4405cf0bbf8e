"""Measures find what was put in: a planted matching, less noise, groups that differ."""

import numpy as np
import pytest

from convergent_learning.alignment import measure, measures
from convergent_learning.alignment.unit_matching import best_partial_transport

LIKE = {name: -1 if name == "angular_procrustes" else 1 for name in measures()}


def test_a_planted_permutation_among_noise_units_is_recovered():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((300, 20))
    order = rng.permutation(20)
    x = np.concatenate([shared, rng.standard_normal((300, 20))], axis=1)
    y = np.concatenate([shared[:, order], rng.standard_normal((300, 20))], axis=1)
    x, y = x + 0.3 * rng.standard_normal(x.shape), y + 0.3 * rng.standard_normal(y.shape)
    plan = best_partial_transport(np.corrcoef(x.T, y.T)[:40, 40:], 0.5)
    planted = np.zeros((40, 40))
    planted[order, np.arange(20)] = 1 / 40
    np.testing.assert_allclose(plan, planted, atol=1e-12)
    half, all_units = (measure(x, y, "partial_soft_matching", mass=m) for m in (0.5, 1.0))
    assert half > 0.85
    assert all_units < 0.6


@pytest.mark.parametrize("name", measures())
def test_more_noise_is_less_alike(name):
    rng = np.random.default_rng(1)
    shared, mixing = rng.standard_normal((200, 5)), rng.standard_normal((2, 5, 12))
    noise = rng.standard_normal((2, 200, 12))
    scores = [
        LIKE[name] * measure(*(shared @ mixing + level * noise), name)
        for level in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert (np.diff(scores) < 0).all(), scores


@pytest.mark.parametrize("name", measures())
def test_networks_of_two_groups_are_told_apart(name):
    rng = np.random.default_rng(2)
    groups = [rng.standard_normal((150, 5)) @ rng.standard_normal((5, 10)) for _ in range(2)]
    networks = [
        (group, signal + rng.standard_normal(signal.shape))
        for group, signal in enumerate(groups)
        for _ in range(3)
    ]
    within, across = [], []
    for i, (group_x, x) in enumerate(networks):
        for group_y, y in networks[:i]:
            (within if group_x == group_y else across).append(LIKE[name] * measure(x, y, name))
    assert min(within) > max(across)
