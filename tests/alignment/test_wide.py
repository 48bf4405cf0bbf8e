"""Layers with more units than rows: the route by rows against the one by second moments."""

import literal
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convergent_learning.alignment import (
    FewRowsWarning,
    array_pair,
    folds,
    pair_scores,
    score,
    shuffled,
    transfer,
)
from convergent_learning.alignment.crossvalidation import shuffle_within

METRICS = ("linear", "procrustes", "permutation", "soft_matching")
pytestmark = pytest.mark.filterwarnings(
    "ignore::convergent_learning.alignment.FewRowsWarning",
)


@pytest.fixture
def route(monkeypatch):
    """Chooses the route of what follows: by rows, or by moments."""

    def choose(by_rows):
        monkeypatch.setattr(pair_scores, "WIDE", 1 if by_rows else 10**9)

    return choose


def responses(seed, p, q, grids=(1, 1), n=30):
    """Two float64 layers (n, units, g, g) that share latent maps, offsets far from 0."""
    rng = np.random.default_rng(seed)
    side = max(grids)
    latent = rng.standard_normal((n, 5, side, side)) + 2 * rng.standard_normal((5, side, side))

    def layer(units, grid):
        mixed = np.einsum("nchw,cd->ndhw", latent, rng.standard_normal((5, units)))
        mixed = np.maximum(mixed + rng.standard_normal(mixed.shape), 0)
        mixed += 100 + 0.1 * rng.standard_normal(mixed.shape)  # no two plans are equally good
        cell = side // grid
        return mixed.reshape(n, units, grid, cell, grid, cell).mean((3, 5))

    return layer(p, grids[0]), layer(q, grids[1])


def available(x, y):
    return [name for name in METRICS if x.shape[1] == y.shape[1] or name != "permutation"]


def assert_same(route, scored, *arrays, **options):
    before = [array.copy() for array in arrays]
    route(by_rows=True)
    found = scored(*arrays, available(*arrays[:2]), **options)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    route(by_rows=False)
    expected = scored(*arrays, available(*arrays[:2]), **options)
    for name, entry in expected.items():
        for direction, values in entry.directions.items():
            np.testing.assert_allclose(
                found[name].directions[direction], values, atol=1e-9, err_msg=f"{name} {direction}"
            )
        assert found[name].n_dead == entry.n_dead


@pytest.mark.parametrize("center", ["position", "unit"])
@pytest.mark.parametrize(
    "shape",
    [
        (40, 40, (1, 1)),
        (12, 60, (1, 1)),
        (60, 12, (1, 1)),
        (140, 140, (2, 2)),
        (140, 50, (2, 1)),
        (140, 50, (1, 2)),
    ],
    ids=str,
)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16), ridge=st.sampled_from([0.0, 1e-4, 1.0]))
def test_rows_give_the_scores_of_moments(shape, center, seed, ridge):
    p, q, grids = shape
    with pytest.MonkeyPatch.context() as patch:

        def route(by_rows):
            patch.setattr(pair_scores, "WIDE", 1 if by_rows else 10**9)

        arrays = responses(seed, p, q, grids)
        assert_same(route, score, *arrays, center=center, ridge=ridge)


@pytest.mark.parametrize("center", ["position", "unit"])
@pytest.mark.parametrize("grids", [(1, 1), (2, 1)])
def test_shuffled_and_transfer(route, grids, center):
    x, y = responses(0, 130, 130, grids)
    assert_same(route, shuffled, x, y, center=center, ridge=0.01)
    noise = np.random.default_rng(1).standard_normal(x.shape)
    assert_same(route, transfer, x, y, x + noise, y**2, center=center, ridge=0.01)


@pytest.mark.parametrize("far", ["a fold shifted", "a stimulus scaled"])
def test_stimuli_far_from_the_others_do_not_change_the_axes(route, far):
    """Products of rows round relative to the largest of them, 10¹² times the others here."""
    x, y = responses(0, 300, 300, n=100)
    x, y = x[:, :, 0, 0], y[:, :, 0, 0]
    fold_of = folds(len(x))
    held_out = np.flatnonzero(fold_of == 0)
    for array in (x, y):
        if far == "a fold shifted":
            array[held_out] += 1e6
        else:
            array[held_out[0]] *= 1e6
    route(by_rows=True)
    found = score(x, y, ["linear", "procrustes"], ridge=0.01, directions=["x->y"])
    linear = literal.directed(x, y, "linear", fold_of, ridge=0.01)
    np.testing.assert_allclose(found["linear"].folds[0], linear[0], atol=1e-3)
    np.testing.assert_allclose(
        found["procrustes"].folds[0], procrustes(x, y, fold_of == 0), atol=5e-3
    )


def procrustes(x, y, held_out):
    """Held-out r of the map that turns what the training stimuli span, and nothing else."""
    x_fit, y_fit, x_held, y_held = (
        a[rows] - a[rows].mean(0) for rows in (~held_out, held_out) for a in (x, y)
    )
    left, singular, right = np.linalg.svd(x_fit.T @ y_fit)
    rank = singular > 1e-9 * singular[0]
    predicted = x_held @ left[:, rank] @ right[rank]
    return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(predicted.T, y_held.T, strict=True)])


def test_units_dead_in_some_splits(route):
    x, y = responses(0, 40, 40)
    fold_of = folds(len(x))
    x[:, 2], y[:, :2] = 5.0, 0.0
    x[fold_of == 3, 7] = 0.0
    y[fold_of != 2, 3] = 1.0
    y[fold_of == 1, 4] = 0.0
    assert_same(route, score, x, y, ridge=0.01)


def test_layer_without_a_live_unit_scores_nan_and_warns(route):
    x, y = responses(0, 40, 40)
    route(by_rows=True)
    for constant in (0.0, 0.3, 1e4):
        with pytest.warns(RuntimeWarning, match="no unit of y varies"):
            result = score(x, np.full_like(y, constant), METRICS)
        assert all(np.isnan(entry.mean) for entry in result.values())


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(40, 8, (1, 1)), (8, 40, (1, 1)), (60, 9, (1, 2))], ids=str)
@settings(max_examples=2, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16))
def test_ridge_is_chosen_as_the_definition_says(shape, seed):
    """Of unrelated layers too, where products of moments in float32 may choose another one."""
    x, y = responses(seed, *shape, n=20)
    fold_of = folds(len(x), 4)
    order = shuffle_within(fold_of, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_scores, "WIDE", 1)
        for scored, target in ((score, y), (shuffled, y[order])):
            result = scored(x, y, "linear", n_folds=4)["linear"]
            for direction, a, b in (("x->y", x, target), ("y->x", target, x)):
                expected = literal.directed(a, b, "linear", fold_of)
                np.testing.assert_allclose(result.directions[direction], expected, atol=1e-8)


def test_float32_is_scored_in_float64(route):
    x, y = (a.astype(np.float32) for a in responses(0, 60, 60))
    route(by_rows=True)
    single = score(x, y, ["linear", "procrustes"])
    double = score(torch.tensor(x), y.astype(np.float64), ["linear", "procrustes"])
    for name, entry in double.items():
        np.testing.assert_array_equal(single[name].folds, entry.folds)


@pytest.mark.slow
def test_no_moments_are_made_of_wide_layers(monkeypatch):
    """64 x 2,000 would take 480 MB of them; maps and context measures still do."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 64, 2_000))

    def refuse(*_):
        raise AssertionError("moments")

    monkeypatch.setattr(pair_scores, "pair_moments", refuse)
    assert set(score(x, y)) == set(METRICS)
    with pytest.raises(AssertionError, match="moments"):
        score(x, y, "cka")
    with pytest.raises(AssertionError, match="moments"):
        score(x, y, "linear", keep_maps=True)


def test_wide_layers_are_not_matched_unasked(monkeypatch):
    x, y = responses(0, 40, 40)
    monkeypatch.setattr(array_pair, "MATCHED", 40 * 40 - 1)
    with pytest.warns(UserWarning, match=r"soft_matching left out.* of 40\. To compute"):
        assert set(score(x, y)) == {"linear", "procrustes"}
    assert set(score(x, y, "permutation")) == {"permutation"}


@pytest.mark.filterwarnings("default")
def test_few_rows_per_unit_are_warned_of():
    x, y = responses(0, 3, 2, n=40)
    with pytest.warns(FewRowsWarning, match="x has 24 training rows for 3 units, fewer than 10"):
        score(x[:30], y[:30], "procrustes")
    with pytest.warns(FewRowsWarning, match="y has 12 training rows for 2 units"):
        score(x[:15, :1], y[:15], "procrustes")


@pytest.mark.filterwarnings("error")
def test_ten_rows_per_unit_are_enough():
    x, y = responses(0, 3, 2, n=40)
    score(x, y, "procrustes")


def test_responses_that_are_not_finite_are_named(route):
    x, y = responses(0, 40, 40)
    y[4, 7] = np.nan
    route(by_rows=True)
    with pytest.raises(ValueError, match="y holds NaN at stimulus 4, unit 7"):
        score(x, y)
