"""Factors by products and by eigenproblems, NumPy and torch, and what condition decides."""

import numpy as np
import pytest
import torch

from convergent_learning.alignment import evaluate, registry, ridge
from convergent_learning.alignment.array_pair import ArrayPair
from convergent_learning.alignment.arrays import placed, to_numpy
from convergent_learning.alignment.factors import (
    RANK,
    polar,
    polar_by_eigenproblem,
    polar_by_products,
)
from convergent_learning.alignment.layer_pair import paired, splits
from convergent_learning.alignment.moments import LayerMoments

WAYS = [polar_by_eigenproblem, polar_by_products]
DEVICES = [None, "cpu"]


def matrix(p, q, singular, seed=0):
    """(2, p, q) with these singular values."""
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.standard_normal((2, n, len(singular))))[0] for n in (p, q))
    return (u * singular) @ v.swapaxes(1, 2), u @ v.swapaxes(1, 2)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("least", [0.1, 1e-3, 1e-5])
def test_polar_factor(way, device, least):
    given, expected = matrix(30, 20, np.geomspace(1e3, 1e3 * least, 20))
    found = to_numpy(way(placed(given, device)))
    # Singular values are known to the rounding of the largest: directions of the least are not.
    # Products let directions fade near RANK.
    faded = (2 * RANK / least) ** 2 if way is polar_by_products else 0.0
    np.testing.assert_allclose(found, expected, atol=1e-15 / least**2 + faded + 1e-9)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rank", [1, 7])
def test_directions_of_no_rank_map_to_zero(way, rank):
    given, expected = matrix(30, 20, np.geomspace(1, 1e-2, rank))
    np.testing.assert_allclose(way(given), expected, atol=1e-6)
    assert not way(np.zeros((1, 4, 3))).any()


def test_rounding_of_stored_products_stays_small():
    """Cross moments have 24 bits: what lies below is no direction."""
    given, expected = matrix(40, 40, np.geomspace(1, 1e-3, 10))
    stored = given.astype(np.float32).astype(np.float64)
    assert np.abs(stored - given).max() > 0
    for way in WAYS:
        np.testing.assert_allclose(way(stored), expected, atol=1e-4)


def test_wide_and_tall_matrices():
    given, expected = matrix(12, 20, np.geomspace(1, 0.1, 12))
    np.testing.assert_allclose(polar(given), expected, atol=1e-12)
    np.testing.assert_allclose(polar(given.swapaxes(1, 2)), expected.swapaxes(1, 2), atol=1e-12)


def layers(n=200, p=24, q=30, spread=2.0, seed=0, device=None):
    """A pair whose source has eigenvalues over `spread` orders of magnitude."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.logspace(0, -spread / 2, p)
    y = x @ rng.standard_normal((p, q)) + 0.1 * rng.standard_normal((n, q))
    pair = ArrayPair(x, y).moments()
    if device is None:
        return pair
    x, y = (moved(side, device) for side in (pair.source, pair.target))
    cross = pair.products.raw - pair.products.x.mT @ pair.products.y / (n / 5)
    return paired(x, y, placed(cross, device))


def moved(layer, device):
    products = {grid: placed(each, device) for grid, each in layer.products.items()}
    counts, means = placed(np.asarray(layer.counts), device), placed(layer.means, device)
    return LayerMoments(counts, layer.grid, means, products, layer.label)


def scores(metric, pair, **how):
    found = evaluate.evaluate(registry.metric(metric), pair, **how)
    return np.array([fold.score for fold in found])


EVERY = [*registry.metrics(), *registry.metrics(context=True)]


@pytest.mark.parametrize("metric", EVERY)
def test_torch_gives_the_scores_of_numpy(metric):
    q = 24 if metric == "permutation" else 30
    here, there = layers(q=q), layers(q=q, device="cpu")
    np.testing.assert_allclose(scores(metric, there), scores(metric, here), atol=1e-8)


@pytest.mark.parametrize("metric", ["linear", "procrustes", "r2", "procrustes_similarity"])
def test_a_gpu_gives_the_scores_of_a_processor(metric, monkeypatch):
    """What runs there is products and Cholesky factors."""
    expected = scores(metric, layers())
    for module in ("factors", "ridge"):
        monkeypatch.setattr(
            f"convergent_learning.alignment.{module}.on_gpu",
            lambda array: isinstance(array, torch.Tensor),
        )
    np.testing.assert_allclose(scores(metric, layers(device="cpu")), expected, atol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 4.0, 9.0])
@pytest.mark.parametrize("device", DEVICES)
def test_penalties_of_wide_layers_are_those_of_float64(spread, device, monkeypatch):
    """Decided in float32 where that is enough; where it is not, float64 decides."""
    pair = layers(spread=spread, n=60)
    expected = ridge.chosen_ridge(splits(pair)[0])
    monkeypatch.setattr(ridge, "WIDE", 1)
    asked = []
    inner = ridge.inner_scores
    monkeypatch.setattr(ridge, "inner_scores", lambda *how: asked.append(how[-1]) or inner(*how))
    found = ridge.chosen_ridge(splits(layers(spread=spread, n=60, device=device))[0])
    np.testing.assert_array_equal(found, expected)
    assert asked[0] == "float32"


def test_smallest_penalties_send_the_choice_to_float64(monkeypatch):
    """Of many stimuli without noise no penalty is best, which float32 cannot tell."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 10)) * np.logspace(0, -3, 10)
    pair = ArrayPair(x, x @ rng.standard_normal((10, 10)), center="unit").moments()
    expected = ridge.chosen_ridge(splits(pair)[0])
    monkeypatch.setattr(ridge, "WIDE", 1)
    pair._cache.clear()
    np.testing.assert_array_equal(ridge.chosen_ridge(splits(pair)[0]), expected)
    assert (expected < 2).all()
