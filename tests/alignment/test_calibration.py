"""Permutation tests of scores, and of the best of several layers."""

import numpy as np
import pytest

from convergent_learning.alignment import (
    folds,
    max_over_layers,
    pair_scores,
    permutation_test,
    score,
)
from convergent_learning.alignment.calibration import PermutationTest, against_draws
from convergent_learning.alignment.crossvalidation import shuffle_within

pytestmark = pytest.mark.filterwarnings(
    "ignore::convergent_learning.alignment.FewRowsWarning",
)


def related(seed=0, n=40, units=5, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, units))
    return x, x + noise * rng.standard_normal((n, units))


def unrelated(seed, n=40, units=5):
    return np.random.default_rng(seed).standard_normal((2, n, units))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("metric", ["procrustes", "linear", "permutation"])
def test_draws_are_scores_of_permuted_stimuli(metric, wide, monkeypatch):
    monkeypatch.setattr(pair_scores, "WIDE", 1)
    x, y = related(units=50 if wide else 5)
    test = permutation_test(x, y, metric, n_draws=19, seed=3)
    assert test.observed == pytest.approx(score(x, y, metric, seed=3)[metric].mean, abs=1e-12)
    fold_of = folds(len(x), 5, 3)
    for draw in (0, 18):
        order = shuffle_within(fold_of, 3, f"draw {draw}")
        expected = score(x, y[order], metric, seed=3)[metric].mean
        assert test.draws[draw] == pytest.approx(expected, abs=1e-9)


def test_related_layers_exceed_every_draw():
    test = permutation_test(*related(), n_draws=19)
    assert test.p == 1 / 20
    assert test.threshold == test.draws.max()
    expected = (test.observed - test.threshold) / (1 - test.threshold)
    assert 0 < test.calibrated == pytest.approx(expected)


@pytest.mark.parametrize("n_draws", [19, 39, 59, 99])
def test_calibrated_scores_are_positive_where_p_is_low(n_draws):
    """The threshold is a score that at most 5% of all exceed: exact in small numbers."""
    rng = np.random.default_rng(n_draws)
    draws = rng.uniform(size=n_draws)
    for observed in [*draws + 1e-9, *draws - 1e-9]:
        test = against_draws(observed, draws, 0.05, "")
        assert (test.calibrated > 0) == (test.p <= 0.05)


@pytest.mark.slow
def test_unrelated_layers_pass_as_often_as_alpha_says():
    passed = [
        permutation_test(*unrelated(seed, n=20, units=3), n_draws=19, alpha=0.2).calibrated > 0
        for seed in range(60)
    ]
    assert 0.05 < np.mean(passed) < 0.35


def judged(*pairs, **options):
    return {f"layer {i}": permutation_test(*pair, n_draws=19, **options) for i, pair in pairs}


def test_best_layer_is_judged_against_the_best_of_each_draw():
    layers = judged(*enumerate([unrelated(1), related(0), unrelated(2)]))
    best = max_over_layers(layers)
    assert best.best == "layer 1"
    highest = np.max([test.draws for test in layers.values()], axis=0)
    np.testing.assert_array_equal(best.test.draws, highest)
    assert best.test.observed == layers["layer 1"].observed
    assert best.p["layer 1"] == best.test.p == 1 / 20
    for name, test in layers.items():
        assert best.p[name] >= test.p
        assert best.p[name] == (1 + (highest >= test.observed).sum()) / 20


def test_best_of_many_unrelated_layers_passes_as_often_as_alpha_says():
    """Each passes at 5%, so that the best of ten would at 40%; maxT keeps to 5%."""
    rng = np.random.default_rng(0)
    alone, together = [], []
    for _ in range(1_000):
        scores = rng.standard_normal((10, 40))
        layers = {str(i): against_draws(own[0], own[1:], 0.05, "") for i, own in enumerate(scores)}
        alone.append(min(test.p for test in layers.values()) <= 0.05)
        together.append(max_over_layers(layers).test.p <= 0.05)
    assert np.mean(alone) == pytest.approx(1 - 0.95**10, abs=0.05)
    assert np.mean(together) == pytest.approx(0.05, abs=0.02)


def test_layers_without_a_score_are_passed_over():
    x, y = related()
    with pytest.warns(RuntimeWarning, match="no unit of x varies"):
        dead = permutation_test(np.zeros_like(x), y, n_draws=19)
    assert np.isnan([dead.p, dead.threshold, dead.calibrated]).all()
    alive = permutation_test(x, y, n_draws=19)
    assert max_over_layers({"dead": dead, "alive": alive}).p == {"alive": alive.p}
    with pytest.raises(ValueError, match="no layer has a score"):
        max_over_layers({"dead": dead})


def test_tests_that_share_no_permutations_are_refused():
    first, second = (permutation_test(*related(), n_draws=19, seed=seed) for seed in (0, 1))
    with pytest.raises(ValueError, match="the tests of a and b do not share their permutations"):
        max_over_layers({"a": first, "b": second})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_draws": 0}, "n_draws is 0: use a whole number of at least 1"),
        ({"n_draws": 19.0}, "n_draws is 19.0"),
        ({"n_draws": 18}, "n_draws is 18, with which no p is as low as 0.05: use at least 19"),
        ({"alpha": 0}, "alpha is 0: use a share"),
        ({"metric": ["linear"]}, "name one metric"),
        ({"metric": "cosine"}, "unknown metric"),
        ({"directions": "x->y"}, "directions is 'x->y': use"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        permutation_test(*related(), **options)


def test_result_is_what_the_tests_of_layers_hold():
    test = PermutationTest(0.5, np.array([0.1, 0.2]), 1 / 3, 0.5, 0.0, 0.4, "")
    assert max_over_layers({"only": test}).test.p == test.p
