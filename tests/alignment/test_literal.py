"""The engine against the row-by-row definition."""

import literal
import numpy as np
import pytest

from convergent_learning.alignment import folds, score, shuffled, transfer
from convergent_learning.alignment.crossvalidation import shuffle_within

METRICS = ("linear", "procrustes", "permutation", "soft_matching")


def responses(n=60, p=10, q=10, grid_x=4, grid_y=4, seed=0):
    """Two layers that share latent maps and a strong positional mean."""
    rng = np.random.default_rng(seed)
    side = max(grid_x, grid_y)
    latent = rng.standard_normal((n, 5, side, side)) + 2 * rng.standard_normal((5, side, side))

    def layer(units, grid):
        mixed = np.einsum("nchw,cd->ndhw", latent, rng.standard_normal((5, units)))
        mixed = np.maximum(mixed + rng.standard_normal(mixed.shape), 0)
        cell = side // grid
        return mixed.reshape(n, units, grid, cell, grid, cell).mean((3, 5))

    return layer(p, grid_x), layer(q, grid_y)


def assert_agrees(result, x, y, fold_of, tolerance=1e-6, **options):
    for metric, got in result.items():
        for direction, a, b in (("x->y", x, y), ("y->x", y, x)):
            onto = options.get("onto")
            if onto is not None and direction == "y->x":
                onto = onto[::-1]
            expected = literal.directed(a, b, metric, fold_of, **{**options, "onto": onto})
            np.testing.assert_allclose(
                got.directions[direction], expected, atol=tolerance, err_msg=f"{metric} {direction}"
            )


def available(p, q):
    return [metric for metric in METRICS if p == q or metric != "permutation"]


@pytest.mark.parametrize("center", ["position", "unit"])
@pytest.mark.parametrize("ridge", ["cv", 0.01])
@pytest.mark.parametrize(
    "shape", [(10, 10, 4, 4), (10, 10, 4, 2), (8, 12, 2, 4), (6, 12, 1, 1), (9, 9, 1, 4)], ids=str
)
def test_same_scores(shape, ridge, center):
    p, q, grid_x, grid_y = shape
    x, y = responses(p=p, q=q, grid_x=grid_x, grid_y=grid_y)
    result = score(x, y, available(p, q), center=center, ridge=ridge)
    assert_agrees(result, x, y, folds(len(x), 5, 0), center=center, ridge=ridge)


@pytest.mark.parametrize("center", ["position", "unit"])
def test_same_scores_with_dead_units(center):
    """Dead throughout, in one training split only, and in one held-out split only."""
    x, y = responses()
    fold_of = folds(len(x), 5, 0)
    x[:, 2] = 5.0
    y[:, :2] = 0.0
    y[fold_of != 2, 3] = 1.0
    y[fold_of == 1, 4] = 0.0
    result = score(x, y, METRICS, center=center)
    assert_agrees(result, x, y, fold_of, center=center)
    assert result["linear"].n_dead == (1, 4)


@pytest.mark.slow
def test_same_scores_when_units_outnumber_rows():
    x, y = responses(n=30, p=40, q=40, grid_x=1, grid_y=1)
    assert_agrees(score(x, y, ["linear", "permutation"]), x, y, folds(30, 5, 0))


def test_rank_deficient_source():
    x, y = responses(p=6)
    x = np.concatenate([x, x[:, ::-1], x + x[:, ::-1]], axis=1)
    assert_agrees(score(x, y, "linear"), x, y, folds(len(x), 5, 0))


def test_transfer_scores_fitted_maps_on_the_other_condition():
    x, y = responses()
    other = responses(seed=1)
    result = transfer(x, y, *other)
    assert_agrees(result, x, y, folds(len(x), 5, 0), onto=other)


def test_shuffled_permutes_whole_images_within_folds():
    x, y = responses()
    fold_of = folds(len(x), 5, 0)
    order = shuffle_within(fold_of, 0)
    assert (fold_of[order] == fold_of).all()
    assert sorted(order) == list(range(len(x)))
    assert_agrees(shuffled(x, y), x, y[order], fold_of)
