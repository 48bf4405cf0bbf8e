"""What each directed score is invariant to, and what it is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergent_learning.alignment import folds, score
from convergent_learning.alignment.crossvalidation import shuffle_within

FORWARD = "x->y"
METRICS = ("linear", "procrustes", "permutation", "soft_matching")
few = settings(max_examples=8, deadline=None, derandomize=True)
seeds = st.integers(0, 2**16)


def pair(seed, n=80, p=6, q=6, grid=2):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 4, grid, grid))
    return [
        np.maximum(np.einsum("nchw,cd->ndhw", latent, rng.standard_normal((4, units))), 0)
        + 0.5 * rng.standard_normal((n, units, grid, grid))
        for units in (p, q)
    ]


def transform(x, matrix):
    return np.einsum("nchw,cd->ndhw", x, matrix)


def directed(x, y, metric, **options):
    return score(x, y, metric, **options)[metric].directions[FORWARD]


def differs(a, b):
    return np.abs(a - b).max() > 1e-3


@few
@given(seed=seeds)
def test_linear_is_invariant_to_invertible_affine_maps_of_the_source(seed):
    x, y = pair(seed)
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((6, 6)) + 3 * np.eye(6)
    moved = transform(x, matrix) + rng.standard_normal((6, 1, 1))
    expected = directed(x, y, "linear", ridge=0)
    np.testing.assert_allclose(directed(moved, y, "linear", ridge=0), expected, atol=1e-6)
    assert differs(directed(moved, y, "procrustes"), directed(x, y, "procrustes"))


@few
@given(seed=seeds)
def test_linear_is_not_invariant_to_what_no_affine_map_undoes(seed):
    x, y = pair(seed)
    assert differs(directed(np.abs(x), y, "linear"), directed(x, y, "linear"))


@few
@given(seed=seeds, scale=st.floats(0.01, 100))
def test_procrustes_is_invariant_to_rotation_shift_and_scale_of_the_source(seed, scale):
    x, y = pair(seed)
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    moved = scale * transform(x, rotation) + rng.standard_normal((6, 1, 1))
    expected = directed(x, y, "procrustes")
    np.testing.assert_allclose(directed(moved, y, "procrustes"), expected, atol=1e-8)
    assert differs(directed(moved, y, "permutation"), directed(x, y, "permutation"))


@few
@given(seed=seeds)
def test_matching_is_invariant_to_order_shift_and_positive_scale_of_units(seed):
    x, y = pair(seed)
    rng = np.random.default_rng(seed)
    scales = rng.uniform(0.1, 10, (6, 1, 1))
    moved = (scales * x + rng.standard_normal((6, 1, 1)))[:, rng.permutation(6)]
    for metric in ("permutation", "soft_matching"):
        expected = directed(x, y, metric)
        np.testing.assert_allclose(directed(moved, y, metric), expected, atol=1e-9)
        assert differs(directed(-x, y, metric), expected)


@few
@given(seed=seeds)
def test_rotating_the_target_changes_directed_scores(seed):
    x, y = pair(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((6, 6)))[0]
    for metric in METRICS:
        assert differs(directed(x, transform(y, rotation), metric), directed(x, y, metric))


@few
@given(seed=seeds, dead_x=st.integers(0, 3), dead_y=st.integers(0, 3))
def test_soft_matching_equals_permutation_at_equal_widths(seed, dead_x, dead_y):
    x, y = pair(seed)
    x[:, :dead_x], y[:, :dead_y] = 0, 1
    result = score(x, y, ["permutation", "soft_matching"])
    for direction, values in result["permutation"].directions.items():
        np.testing.assert_allclose(
            result["soft_matching"].directions[direction], values, atol=1e-12
        )


@few
@given(seed=seeds, q=st.sampled_from([2, 3, 4, 9, 12]))
def test_soft_matching_of_unequal_widths_is_the_optimal_plan(seed, q):
    """An assignment of repeated units where widths divide, the transport solver elsewhere."""
    import ot

    x, y = pair(seed, q=q, grid=1)
    plans = score(x, y, "soft_matching", keep_maps=True)["soft_matching"].maps
    held_in = folds(len(x)) != 0
    r = np.corrcoef(x[held_in, :, 0, 0].T, y[held_in, :, 0, 0].T)[:6, 6:]
    plan = plans[FORWARD][0]
    np.testing.assert_allclose(plan.sum(0), 1 / q)
    np.testing.assert_allclose(plan.sum(1), 1 / 6)
    optimum = ot.emd2(np.full(6, 1 / 6), np.full(q, 1 / q), 1 - r)
    np.testing.assert_allclose((plan * (1 - r)).sum(), optimum, atol=1e-10)


def in_sample(x, y, metric, ridge=0.0):
    """Fit and score on the same images: every fold holds a copy of them."""
    copies = [np.concatenate([a, a, a]) for a in (x, y)]
    fold_of = np.repeat(np.arange(3), len(x))
    result = score(*copies, metric, folds=fold_of, ridge=ridge, keep_maps=True)[metric]
    return result.directions[FORWARD][0], result.maps[FORWARD][0]


@few
@given(seed=seeds)
def test_in_sample_order_of_the_metrics(seed):
    x, y = pair(seed)
    linear, _ = in_sample(x, y, "linear")
    for metric in ("procrustes", "permutation", "soft_matching"):
        assert linear >= in_sample(x, y, metric)[0] - 1e-9
    cross = np.einsum("nchw,ndhw->cd", x - x.mean(0), y - y.mean(0))
    _, rotation = in_sample(x, y, "procrustes")
    rng = np.random.default_rng(seed)
    best = (rotation * cross).sum()
    assert best >= (in_sample(x, y, "permutation")[1] * cross).sum()
    assert all(best >= cross[np.arange(6), rng.permutation(6)].sum() for _ in range(20))


@few
@given(seed=seeds)
def test_shared_mean_map_scores_zero_only_when_centred_per_position(seed):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((1, 6, 4, 4))
    x, y = (shared + 0.3 * rng.standard_normal((400, 6, 4, 4)) for _ in range(2))
    for metric in METRICS:
        assert abs(score(x, y, metric)[metric].mean) < 0.06
        assert score(x, y, metric, center="unit")[metric].mean > 0.5


@few
@given(n=st.integers(10, 60), n_folds=st.integers(2, 5), seed=seeds)
def test_folds_are_balanced_and_depend_on_their_arguments_only(n, n_folds, seed):
    fold_of = folds(n, n_folds, seed)
    assert np.ptp(np.bincount(fold_of, minlength=n_folds)) <= 1
    assert (fold_of == folds(n, n_folds, seed)).all()
    order = shuffle_within(fold_of, seed, "network")
    assert (fold_of[order] == fold_of).all()


def test_folds_hold_whole_images():
    """An image repeated over all positions must not help: no position of it is in training."""
    rng = np.random.default_rng(0)
    x, y = (np.repeat(rng.standard_normal((40, 8, 1, 1)), 16, 3) for _ in range(2))
    assert abs(score(x, y, "linear", ridge=0)["linear"].mean) < 0.3


@pytest.mark.parametrize("metric", METRICS)
def test_directions_come_in_the_order_asked_for(metric):
    x, y = np.random.default_rng(0).normal(size=(2, 60, 4))
    forward = score(x, y, metric)[metric].directions
    turned = score(x, y, metric, directions=("y->x", "x->y"))[metric].directions
    assert [*turned] == [*forward][::-1]
    for direction, values in turned.items():
        np.testing.assert_allclose(values, forward[direction], atol=1e-9)
