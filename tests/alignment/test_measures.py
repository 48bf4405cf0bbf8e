"""Measures beside literal formulas and independent packages, and what they refuse."""

import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm, compare
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linprog

from convergent_learning.alignment import dissimilarities as ranked
from convergent_learning.alignment import folds, kernels, measure, measurement, measures, score

CASES = [(40, 6, 6, 0), (40, 9, 5, 1), (25, 30, 40, 2), (60, 3, 12, 3)]
case = pytest.mark.parametrize("case", CASES, ids=str)


def responses(n, p, q, seed):
    """Units of both sides are mixtures of the same three signals, with noise and an offset."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 3))
    return [
        shared @ rng.standard_normal((3, units)) + rng.standard_normal((n, units)) + 1
        for units in (p, q)
    ]


def agrees(found, expected):
    assert isinstance(found, float)
    assert found == pytest.approx(expected, abs=1e-6)


# Literal formulas


def centring(n):
    return np.eye(n) - 1 / n


def hsic(k, mine):
    """Biased: tr(KHLH) (Gretton et al. 2005)."""
    h = centring(len(k))
    return np.trace(k @ h @ mine @ h)


def unbiased_hsic(k, mine):
    """Song et al. 2012, equation 5."""
    n, one = len(k), np.ones(len(k))
    k, mine = k - np.diag(np.diag(k)), mine - np.diag(np.diag(mine))
    return (
        np.trace(k @ mine)
        + (one @ k @ one) * (one @ mine @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ k @ mine @ one)
    ) / (n * (n - 3))


def alignment(estimate, k, mine):
    return estimate(k, mine) / np.sqrt(estimate(k, k) * estimate(mine, mine))


def cosines(rows):
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def neighbours(kernel, k):
    """Set of the k nearest others of each stimulus."""
    found = []
    for i, row in enumerate(kernel):
        others = [j for j in range(len(row)) if j != i]
        found.append(set(sorted(others, key=lambda j: -row[j])[:k]))
    return found


def literal_cknna(x, y, k):
    kx, ky = cosines(x), cosines(y)
    near_x, near_y = neighbours(kx, k), neighbours(ky, k)

    def aligned(one, near_one, other, near_other):
        total = 0.0
        for i in range(len(one)):
            for j in near_one[i] & near_other[i]:
                total += (one[i, j] - one[i].mean()) * (other[i, j] - other[i].mean())
        return total

    own = aligned(kx, near_x, kx, near_x) * aligned(ky, near_y, ky, near_y)
    return aligned(kx, near_x, ky, near_y) / np.sqrt(own)


@case
def test_cka(case):
    x, y = responses(*case)
    agrees(measure(x, y, "cka"), alignment(hsic, x @ x.T, y @ y.T))


@case
def test_debiased_cka(case):
    x, y = responses(*case)
    agrees(measure(x, y, "cka_debiased"), alignment(unbiased_hsic, x @ x.T, y @ y.T))


@case
@pytest.mark.parametrize("k", [1, 5, 24])
def test_nearest_neighbours(case, k):
    x, y = responses(*case)
    near_x, near_y = neighbours(cosines(x), k), neighbours(cosines(y), k)
    shared = [len(a & b) / k for a, b in zip(near_x, near_y, strict=True)]
    agrees(measure(x, y, "mutual_knn", k=k), np.mean(shared))
    agrees(measure(x, y, "cknna", k=k), literal_cknna(x, y, k))


@case
def test_rsa_is_that_of_rsatoolbox(case):
    x, y = responses(*case)

    def expected(stimuli):
        rdms = [calc_rdm(Dataset(side[stimuli]), method="correlation") for side in (x, y)]
        return compare(*rdms, method="spearman").item()

    agrees(measure(x, y, "rsa"), expected(slice(None)))
    fold_of = folds(len(x), 4, seed=3)
    held_out = np.mean([expected(fold_of == fold) for fold in range(4)])
    agrees(measure(x, y, "rsa", n_folds=4, seed=3), held_out)


@case
def test_angular_procrustes(case):
    """As netrep's LinearMetric(alpha=1): pad with zeros, centre, rotate, take the angle."""
    x, y = responses(*case)
    width = max(x.shape[1], y.shape[1])
    a, b = (np.pad(side, ((0, 0), (0, width - side.shape[1]))) for side in (x, y))
    a, b = a - a.mean(0), b - b.mean(0)
    rotated = a @ orthogonal_procrustes(a, b)[0]
    cosine = (rotated * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b))
    agrees(measure(x, y, "angular_procrustes"), np.arccos(cosine))


@case
@pytest.mark.parametrize("mass", [0.2, 0.55, 1.0])
def test_partial_soft_matching_is_the_optimum_of_a_linear_programme(case, mass):
    x, y = responses(*case)
    p, q = x.shape[1], y.shape[1]
    r = np.corrcoef(x.T, y.T)[:p, p:]
    rows, columns = np.kron(np.eye(p), np.ones(q)), np.kron(np.ones(p), np.eye(q))
    found = linprog(
        (1 - r).ravel(),
        A_ub=np.concatenate([rows, columns]),
        b_ub=np.concatenate([np.full(p, 1 / p), np.full(q, 1 / q)]),
        A_eq=np.ones((1, p * q)),
        b_eq=[mass],
    )
    agrees(measure(x, y, "partial_soft_matching", mass=mass), 1 - found.fun / mass)


def test_matching_all_units_held_out_is_soft_matching():
    x, y = responses(*CASES[1])
    found = measure(x, y, "partial_soft_matching", mass=1.0, n_folds=5, seed=2)
    agrees(found, score(x, y, "soft_matching", seed=2, directions=["x->y"])["soft_matching"].mean)


def test_fold_averages_are_not_the_measure():
    """The numbers of docs/measures.md: of unrelated layers both are biased, and not alike."""
    x, y = np.random.default_rng(0).standard_normal((2, 100, 10))
    assert measure(x, y, "cka") == pytest.approx(0.09, abs=0.005)
    assert score(x, y, "cka")["cka"].mean == pytest.approx(0.34, abs=0.005)
    assert abs(measure(x, y, "cka_debiased")) < 0.01
    assert abs(score(x, y, "cka_debiased")["cka_debiased"].mean) < 0.01


# From Gram matrices, blocks, arrays of other kinds


@pytest.mark.parametrize("name", ["cka", "cka_debiased", "mutual_knn", "cknna"])
def test_gram_matrices_give_the_same(name):
    x, y = responses(*CASES[0])
    agrees(measure(x @ x.T, y @ y.T, name, gram=True), measure(x, y, name))


def test_gram_matrices_may_be_of_any_kernel():
    x, y = responses(*CASES[0])
    k, mine = (
        np.exp(-((side[:, None] - side) ** 2).sum(2) / (2 * side.shape[1])) for side in (x, y)
    )
    agrees(measure(k, mine, "cka", gram=True), alignment(hsic, k, mine))
    agrees(measure(k, mine, "cka_debiased", gram=True), alignment(unbiased_hsic, k, mine))


@pytest.mark.parametrize("gram", [False, True])
def test_blocks_of_stimuli_change_nothing(monkeypatch, gram):
    x, y = responses(*CASES[0])
    names = [name for name in measures() if not gram or name in ("cka", "mutual_knn", "cknna")]
    sides = (x @ x.T, y @ y.T) if gram else (x, y)
    whole = [measure(*sides, name, gram=gram) for name in names]
    monkeypatch.setattr(kernels, "_PRODUCTS_AT_ONCE", 300)
    monkeypatch.setattr(kernels, "_STIMULI_READ_AT_ONCE", 7)
    monkeypatch.setattr(ranked, "_PRODUCTS_AT_ONCE", 300)
    np.testing.assert_allclose([measure(*sides, name, gram=gram) for name in names], whole)


@pytest.mark.parametrize("name", measures())
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_any_kind_of_array_in_float64(name, dtype, tmp_path):
    x, y = (side.astype(dtype) for side in responses(*CASES[0]))
    expected = measure(x.astype(np.float64), y.astype(np.float64), name)
    with h5py.File(tmp_path / "responses.h5", "w") as file:
        file["x"], file["y"] = x, y
        tables = pd.DataFrame(x), pd.DataFrame(y)
        for pair in ((x, y), (torch.from_numpy(x), y), (file["x"], file["y"]), tables):
            assert measure(*pair, name) == pytest.approx(expected, abs=1e-10)


def maps(seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((30, 4, 4, 4))
    return [
        np.einsum("nchw,cd->ndhw", latent, rng.standard_normal((4, 6)))
        + rng.standard_normal((30, 6, 4, 4))
        for _ in range(2)
    ]


def test_maps_are_patterns_of_all_units_at_all_positions():
    x, y = maps()
    for name in ("cka", "cka_debiased", "mutual_knn", "cknna", "rsa"):
        agrees(measure(x, y, name), measure(x.reshape(30, -1), y.reshape(30, -1), name))
        sampled = (x[:, :, 1::2, 1::2].reshape(30, -1), y[:, :, 1::2, 1::2].reshape(30, -1))
        agrees(measure(x, y, name, positions=4), measure(*sampled, name))


def test_positions_are_samples_where_units_are_compared():
    x, y = maps()
    rows = [(side - side.mean(0)).transpose(0, 2, 3, 1).reshape(-1, 6) for side in (x, y)]
    for name in ("angular_procrustes", "partial_soft_matching"):
        agrees(measure(x, y, name), measure(*rows, name))


def test_a_measure_is_one_registered_function(monkeypatch):
    """The example of docs/extending.md."""
    monkeypatch.setattr(measurement, "_MEASURES", dict(measurement._MEASURES))
    text = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
    _, _, after = text.partition("## A measure\n")
    exec(after.split("```python\n")[1].split("```")[0], {})
    x, y = responses(*CASES[0])
    agrees(measure(x, y, "cosine_difference"), np.abs(cosines(x) - cosines(y)).mean())
    assert "cosine_difference" in measures()


# What is refused, and what is not defined


def test_a_constant_side_has_no_measure():
    x, _ = responses(*CASES[0])
    for name in measures():
        for sides in ((x, np.full_like(x, 0.3)), (np.zeros_like(x), x)):
            with pytest.warns(RuntimeWarning, match="unit.* of [xy] .*NaN"):
                assert np.isnan(measure(*sides, name)), name


def test_a_constant_gram_matrix_has_no_measure():
    x, _ = responses(*CASES[0])
    constant = np.full((40, 3), 0.3)
    for name in ("cka", "cka_debiased", "mutual_knn", "cknna"):
        with pytest.warns(RuntimeWarning, match="unit.* of y .*NaN"):
            assert np.isnan(measure(x @ x.T, constant @ constant.T, name, gram=True)), name


def test_one_stimulus_that_differs_tells_debiased_cka_nothing():
    x, y = responses(*CASES[0])
    y[1:] = y[1]
    with pytest.warns(RuntimeWarning, match="units of y respond alike to all stimuli but one"):
        assert np.isnan(measure(x, y, "cka_debiased"))


def test_a_stimulus_without_a_pattern_is_named():
    x, y = responses(*CASES[0])
    y[4] = 0
    for name in ("mutual_knn", "cknna", "rsa"):
        with pytest.warns(RuntimeWarning, match="y .*stimulus 4"):
            assert np.isnan(measure(x, y, name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(measure(x, y, "cka_debiased"))


def test_what_is_asked_wrongly_is_named():
    x, y = responses(*CASES[0])
    for message, sides, name, options in (
        ("unknown measure 'ckaa'; known: angular_procrustes, cka", (x, y), "ckaa", {}),
        ("cka has no option 'k'; its options: none", (x, y), "cka", {"k": 3}),
        ("mutual_knn has no option 'mass'; its options: k", (x, y), "mutual_knn", {"mass": 1}),
        ("mutual_knn: k is 40: .*from 1 to 39", (x, y), "mutual_knn", {"k": 40}),
        ("cknna: k is 0.5", (x, y), "cknna", {"k": 0.5}),
        ("mass is 0", (x, y), "partial_soft_matching", {"mass": 0}),
        ("mass is 'half'", (x, y), "partial_soft_matching", {"mass": "half"}),
        ("mass is 1.5", (x, y), "partial_soft_matching", {"mass": 1.5}),
        ("x has 40 stimuli and y has 39", (x, y[1:]), "rsa", {}),
        ("rsa needs 3 stimuli", (x, y), "rsa", {"n_folds": 20}),
        ("4 stimuli or more, got 3", (x[:3], y[:3]), "cka_debiased", {}),
        ("rsa needs responses, not Gram", (x @ x.T, y @ y.T), "rsa", {"gram": True}),
        ("x has 40 rows of 6 .*gram=True", (x, y), "cka", {"gram": True}),
        ("y is not symmetric", (x @ x.T, x @ y.T), "cka", {"gram": True}),
        ("positions is 0", (x, y), "cka", {"positions": 0}),
    ):
        with pytest.raises(ValueError, match=message):
            measure(*sides, name, **options)


@pytest.mark.parametrize("name", measures())
def test_responses_that_are_not_finite_are_refused(name):
    x, y = responses(*CASES[0])
    y[3, 2] = np.inf
    with pytest.raises(ValueError, match=r"y holds .*infinite"):
        measure(x, y, name)
