"""Dissimilarities and rank correlations beside rsatoolbox and SciPy."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import RDMs, calc_rdm, compare
from scipy.stats import rankdata

from convergent_learning.alignment import dissimilarities as module
from convergent_learning.alignment.dissimilarities import (
    dissimilarities,
    spearman,
    standard_ranks,
)


def patterns(n, units, seed):
    return np.random.default_rng(seed).standard_normal((n, units)).astype(np.float32)


@given(st.integers(4, 30), st.integers(2, 50), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_dissimilarities_are_those_of_rsatoolbox(n, units, seed):
    known = patterns(n, units, seed)
    expected = calc_rdm(Dataset(known), method="correlation").dissimilarities[0]
    np.testing.assert_allclose(dissimilarities(torch.from_numpy(known)), expected, atol=1e-6)


@given(st.integers(4, 20), st.integers(1, 4), st.integers(0, 1000), st.booleans())
@settings(max_examples=25, deadline=None)
def test_correlations_are_those_of_rsatoolbox_with_ties_too(n, subjects, seed, ties):
    rng = np.random.default_rng(seed)
    pairs = n * (n - 1) // 2
    one, other = rng.standard_normal((3, pairs)), rng.standard_normal((subjects, pairs))
    if ties:
        one, other = one.round(), other.round()
        one[:, 0], other[:, 0] = 5, 5  # never all alike
    expected = compare(RDMs(one), RDMs(other), method="spearman")
    found = spearman(standard_ranks(one), standard_ranks(other))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_constant_pattern_gives_no_ranks():
    known = torch.from_numpy(patterns(6, 5, 0))
    known[2] = 1.0
    assert np.isnan(standard_ranks(dissimilarities(known))).all()


def test_blocks_of_stimuli_change_nothing(monkeypatch):
    known = torch.from_numpy(patterns(23, 7, 1))
    whole = dissimilarities(known, torch.float64)
    monkeypatch.setattr(module, "_PRODUCTS_AT_ONCE", 100)
    np.testing.assert_allclose(dissimilarities(known, torch.float64), whole, atol=1e-14)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_ranks_are_those_of_scipy(values):
    found = standard_ranks(np.array(values, dtype=float))
    expected = rankdata(values)
    spread = expected.std()
    if spread == 0:
        assert np.isnan(found).all()
    else:
        np.testing.assert_allclose(found, (expected - expected.mean()) / spread, atol=1e-12)
