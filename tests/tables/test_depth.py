"""Slopes, thirds and best matches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergent_learning.tables.depth import nearest_depth, slope, thirds
from convergent_learning.tables.matches import best_matches, chance_within_one, share_within_one


@given(st.integers(2, 12), st.integers(0, 1000))
def test_slope_is_least_squares(n, seed):
    rng = np.random.default_rng(seed)
    x, y = np.linspace(0, 1, n), rng.normal(size=(3, n))
    assert np.allclose(slope(x, y), [np.polyfit(x, row, 1)[0] for row in y])


def test_slope_leaves_out_nan_and_is_nan_without_spread():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    assert slope(x, np.array([0.0, 2.0, np.nan, 6.0])) == pytest.approx(2)
    assert np.isnan(slope(np.ones(4), x))
    assert np.isnan(slope(x, np.array([1.0, np.nan, np.nan, np.nan])))


def test_thirds_follow_depth_not_order():
    early, late = thirds(np.array([0.9, 0.0, 0.3, 0.6, 0.1, 0.8]))
    assert early.nonzero()[0].tolist() == [1, 4]
    assert late.nonzero()[0].tolist() == [0, 5]
    assert all(mask.sum() == 1 for mask in thirds(np.array([0.0, 1.0])))


def test_ties_go_to_the_counterpart():
    scores = np.ones((4, 4))
    assert best_matches(scores, np.arange(4)).tolist() == [0, 1, 2, 3]
    scores[1, :] = 1 + 1e-12  # a tie in float arithmetic
    assert best_matches(scores, np.arange(4)).tolist() == [0, 1, 2, 3]
    scores[0, 3] = scores[2, 3] = 2.0  # a tie that leaves out the counterpart: the nearer wins
    assert best_matches(scores, np.arange(4))[3] == 2


def test_share_within_one():
    scores = np.eye(5)
    assert share_within_one(scores) == 1
    scores[4, 0] = 2.0
    assert share_within_one(scores) == pytest.approx(0.8)
    scores[0, 0] = np.nan
    assert np.isnan(share_within_one(scores))


def test_chance_within_one_by_counting():
    rng = np.random.default_rng(0)
    shares = share_within_one(rng.normal(size=(4000, 9, 9)))
    assert shares.mean() == pytest.approx(chance_within_one(9), abs=0.01)


def test_nearest_depth():
    assert nearest_depth(np.array([0, 0.4, 1.0]), np.array([0.1, 0.5, 0.9])).tolist() == [0, 1, 2]
