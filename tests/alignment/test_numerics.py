"""Offsets, scales, dtypes, degenerate inputs, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from convergent_learning.alignment import (
    folds,
    metrics,
    ridge,
    rotated_basis,
    score,
    streamed_sums,
    transfer,
)

METRICS = ("linear", "procrustes", "permutation", "soft_matching")


def pair(n=300, p=12, grid=2, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 6, grid, grid))
    return [
        np.einsum("nchw,cd->ndhw", latent, rng.standard_normal((6, p)))
        + rng.standard_normal((n, p, grid, grid))
        for _ in range(2)
    ]


def means(x, y, **options):
    return np.array([score(x, y, METRICS, **options)[metric].mean for metric in METRICS])


@pytest.mark.parametrize("convert", [np.float16, np.float32, torch.float32, torch.bfloat16])
def test_dtypes(convert):
    x, y = pair()
    if isinstance(convert, torch.dtype):
        low = [torch.tensor(a).to(convert) for a in (x, y)]
        exact = [a.double() for a in low]
    else:
        low = [a.astype(convert) for a in (x, y)]
        exact = [a.astype(np.float64) for a in low]
    np.testing.assert_allclose(means(*low), means(*exact), atol=2e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_scales(scale):
    x, y = pair()
    got = means((scale * x).astype(np.float32), (y / scale).astype(np.float32))
    np.testing.assert_allclose(got, means(x, y), atol=1e-5)


@pytest.mark.parametrize("center", ["position", "unit"])
def test_offset_far_from_the_deviation(center):
    x, y = pair()
    got = means((x + 1e4).astype(np.float32), (y - 1e4).astype(np.float32), center=center)
    np.testing.assert_allclose(got, means(x, y, center=center), atol=1e-3)


def test_unequal_unit_scales_in_float32():
    x, y = pair()
    scales = np.logspace(-2, 2, x.shape[1])[:, None, None]
    wide = means((x * scales).astype(np.float32), y.astype(np.float32))
    np.testing.assert_allclose(wide, means(x * scales, y), atol=1e-4)


def test_chunks_image_order_and_threads_change_nothing(monkeypatch):
    x, y = (a.astype(np.float32) for a in pair())
    expected = means(x, y)
    monkeypatch.setattr(streamed_sums, "ROWS", 64)
    np.testing.assert_allclose(means(x, y), expected, atol=1e-6)
    fold_of = folds(len(x), 5, 0)
    order = np.argsort(fold_of, kind="stable")
    np.testing.assert_allclose(means(x[order], y[order], folds=fold_of[order]), expected, atol=1e-6)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads % 2 + 1)
        np.testing.assert_allclose(means(x, y), expected, atol=1e-6)
    finally:
        torch.set_num_threads(threads)


def test_layer_without_a_live_unit_scores_nan_and_warns():
    x, y = pair()
    for constant in (0.0, 0.3, 1e4):
        with pytest.warns(RuntimeWarning, match="no unit of x varies"):
            result = score(np.full_like(x, constant), y, METRICS)
        assert all(np.isnan(entry.mean) for entry in result.values())
        assert result["linear"].n_dead == (12, 0)


def test_every_measure_lies_within_one():
    x, y = pair()
    for name, entry in score(x, y, [*metrics(), *metrics(context=True)]).items():
        assert -1 <= entry.mean <= 1, name


def test_memory_layouts_of_numpy():
    x, y = pair()
    expected = means(x, y)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_allclose(means(frozen, y[::-1][::-1]), expected, atol=1e-12)
    np.testing.assert_allclose(means(np.asfortranarray(x), y), expected, atol=1e-12)


@pytest.mark.parametrize("units", [60, 12])
def test_rank_deficient_layers_are_scored_alike_in_any_basis(units):
    """More units than training rows, or repeated units: no arbitrary completion enters a score."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 6)) @ rng.standard_normal((6, 60))[:, :units]
    y = x[:, ::-1] + rng.standard_normal((40, units))
    turn = np.linalg.qr(rng.standard_normal((units, units)))[0]
    for metric in ("linear", "procrustes"):
        expected = score(x, y, metric)[metric].directions
        in_float32 = score(x.astype(np.float32), y.astype(np.float32), metric)[metric].directions
        turned = score(x @ turn, y, metric)[metric].directions
        other = score(x, y @ turn, metric)[metric].directions
        np.testing.assert_allclose(turned["x->y"], expected["x->y"], atol=1e-5)
        np.testing.assert_allclose(other["y->x"], expected["y->x"], atol=1e-5)
        for direction, values in expected.items():
            np.testing.assert_allclose(in_float32[direction], values, atol=1e-3)


def test_maps_on_request():
    x, y = pair()
    result = score(x, y, ["procrustes", "permutation"], keep_maps=True)
    rotation = result["procrustes"].maps["x->y"][0]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(12), atol=1e-10)
    plan = result["permutation"].maps["y->x"][4]
    assert (plan.sum(0) == 1).all()
    assert (plan.sum(1) == 1).all()
    assert score(x, y)["linear"].maps is None


def with_value(array, value):
    array = array.copy()
    array[3, 1] = value
    return array


X, Y = pair(n=40)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (with_value(X, np.nan), Y, {}, "x holds NaN at stimulus 3, unit 1, position \\(0, 0\\)"),
        (X, with_value(Y, np.inf), {}, "y holds an infinite response at stimulus 3, unit 1"),
        (X, Y[:-1], {}, "x has 40 stimuli and y has 39"),
        (X[:8], Y[:8], {}, "8 stimuli cannot make 5 folds"),
        (X, Y[:, :5], {"metrics": "permutation"}, "x has 12 and y has 5"),
        (X, Y, {"metrics": ["cosine"]}, "unknown metric 'cosine'"),
        (X, Y, {"positions": "middle"}, "positions is 'middle'"),
        (X, Y, {"positions": 0}, "positions is 0"),
        (X, Y, {"center": "none"}, "center is 'none'"),
        (X, Y, {"ridge": "auto"}, "ridge is 'auto'"),
        (X, Y, {"ridge": -1.0}, "ridge is -1.0"),
        (X, Y, {"ridge": None}, "ridge is None: use 'cv' or a number"),
        (X, Y, {"ridge": [0.1, 1.0]}, "ridge is \\[0.1, 1.0\\]"),
        (X, Y, {"ridge": True}, "ridge is True"),
        (X, Y, {"metrics": []}, "metrics is empty: name some of .*linear"),
        (X, Y, {"metrics": [["linear"]]}, "metric is \\['linear'\\]: name one metric"),
        (X, Y, {"directions": "x->y"}, "directions is 'x->y': use"),
        (X, Y, {"directions": ("y",)}, "directions is \\('y',\\)"),
        (X, Y, {"directions": ["x->y", "x->y"]}, "directions is .*: use"),
        (X, Y, {"n_folds": 2}, "use n_folds >= 3"),
        (X, Y, {"n_folds": 1}, "n_folds is 1"),
        (X, Y, {"folds": np.zeros(40, int)}, "folds must number"),
        (X, Y, {"folds": np.zeros(39, int)}, "one entry per stimulus"),
        (X[:, :, 0], Y, {}, "x has shape \\(40, 12, .*pass \\(n, units\\) or"),
        (X.astype(complex), Y, {}, "x has dtype complex128: pass real numbers"),
        (X.astype(str), Y, {}, "without columns of text"),
        (X[:0], Y[:0], {}, "x is empty"),
        (X.tolist(), Y, {}, "x is a list: pass a numpy array"),
        (np.zeros((40, 2, 3, 3)), np.zeros((40, 2, 2, 2)), {}, "do not divide"),
        ((X * 1e25).astype(np.float32), Y.astype(np.float32), {}, "overflow"),
    ],
)
def test_refused(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        score(x, y, **options)


def test_one_metric_and_some_draws_are_asked_of_a_rotated_basis():
    with pytest.raises(ValueError, match="metric is \\['linear'\\]: name one metric"):
        rotated_basis(X, Y, ["linear"])
    with pytest.raises(ValueError, match="n_draws is 0: use a whole number"):
        rotated_basis(X, Y, n_draws=0)


def test_columns_of_text_are_named():
    table = pd.DataFrame(X[:, :, 0, 0]).add_prefix("unit ")
    np.testing.assert_allclose(
        score(table, Y[:, :, 0, 0], "procrustes")["procrustes"].folds,
        score(X[:, :, 0, 0], Y[:, :, 0, 0], "procrustes")["procrustes"].folds,
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="x has columns that do not hold numbers, area: drop"):
        score(table.assign(area="V4"), Y)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64, torch.int32])
def test_counts_are_scored_as_numbers(dtype):
    rng = np.random.default_rng(0)
    x = rng.poisson(1.0, (60, 5))
    y = x + rng.poisson(1.0, (60, 5))
    if dtype is bool:
        x, y = x > 0, y > 2
    expected = score(x.astype(float), y.astype(float), METRICS)
    if dtype is torch.int32:
        converted = [torch.tensor(a).to(dtype) for a in (x, y)]
    else:
        converted = [a.astype(dtype) for a in (x, y)]
    for metric, entry in score(*converted, METRICS).items():
        np.testing.assert_allclose(entry.folds, expected[metric].folds, atol=1e-6)


def test_transfer_names_the_condition_that_is_refused():
    with pytest.raises(ValueError, match="onto_y holds NaN"):
        transfer(X, Y, X, with_value(Y, np.nan))
    with pytest.raises(ValueError, match="onto_x has 30 stimuli and x has 40"):
        transfer(X, Y, X[:30], Y[:30])


def test_two_folds_with_a_fixed_ridge():
    assert np.isfinite(means(X, Y, n_folds=2, ridge=0.1)).all()


def test_rotated_basis_finds_privileged_axes():
    rng = np.random.default_rng(0)
    source = rng.exponential(size=(400, 10))
    x, y = (source + 0.3 * rng.standard_normal(source.shape) for _ in range(2))
    result = rotated_basis(x, y, n_draws=19)
    assert result.draws.shape == (19,)
    assert result.learned > result.draws.max()
    assert result.p == 1 / 20
    assert result.directions["x->y"].shape == (19, 5)
    mixed = x @ np.linalg.qr(rng.standard_normal((10, 10)))[0]
    other = y @ np.linalg.qr(rng.standard_normal((10, 10)))[0]
    assert rotated_basis(mixed, other, n_draws=19).p > 0.05


def test_a_rotated_basis_without_a_score_has_no_p_value():
    constant = np.ones((60, 4))
    result = rotated_basis(constant, np.random.default_rng(0).standard_normal((60, 4)), n_draws=19)
    assert np.isnan(result.learned)
    assert np.isnan(result.p)


def test_rotation_cannot_change_directed_linear_and_procrustes():
    x, y = pair()
    for metric in ("linear", "procrustes"):
        result = rotated_basis(x, y, metric, n_draws=2)
        np.testing.assert_allclose(result.draws, result.learned, atol=1e-9)


@pytest.mark.slow
def test_some_units_of_a_wide_target_choose_its_ridge(monkeypatch):
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((300, 40, 4, 4))

    def layer(units):
        mixed = np.einsum("ncij,cd->ndij", latent, rng.standard_normal((40, units)))
        return np.maximum(mixed + 3 * rng.standard_normal(mixed.shape), 0)

    x, y = layer(40), layer(2 * ridge.WIDE)
    some = score(x, y, "linear")["linear"].folds
    monkeypatch.setattr(ridge, "WIDE", y.shape[1])
    np.testing.assert_allclose(some, score(x, y, "linear")["linear"].folds, atol=1e-3)
