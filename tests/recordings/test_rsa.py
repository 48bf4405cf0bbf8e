"""Resamples, permutations and ceilings beside rsatoolbox and known truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.inference import boot_noise_ceiling
from rsatoolbox.rdm import RDMs
from scipy.spatial.distance import squareform

from convergent_learning.alignment.dissimilarities import spearman, standard_ranks
from convergent_learning.recordings import rsa
from convergent_learning.recordings.ceilings import dissimilarity_ceiling, unit_reliability


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_ceiling_is_that_of_rsatoolbox_with_every_subject_once(subjects, seed):
    known = np.random.default_rng(seed).standard_normal((subjects, 45))
    expected = boot_noise_ceiling(
        RDMs(known, rdm_descriptors={"who": np.arange(subjects)}), "spearman", "who"
    )
    low, high = dissimilarity_ceiling(known)
    np.testing.assert_allclose((low, high), expected, atol=1e-6)
    assert low <= high


def test_one_subject_has_no_ceiling():
    assert np.isnan(dissimilarity_ceiling(np.ones((1, 6)))).all()


def ranks(n, rows, seed):
    rng = np.random.default_rng(seed)
    return standard_ranks(rng.standard_normal((rows, n * (n - 1) // 2)))


def scores(resamples, layer, subjects):
    return resamples.scores(layer, subjects, [resamples.spread(each) for each in subjects])


def test_a_draw_of_every_stimulus_and_subject_once_is_the_score_itself():
    layer, subjects = ranks(12, 1, 1)[0], ranks(12, 3, 2)
    once = rsa.Resamples(np.ones((1, 12)), np.full((1, 3), 1 / 3))
    expected = spearman(layer[None], subjects).mean()
    np.testing.assert_allclose(scores(once, layer, subjects), expected)


def test_a_draw_counts_pairs_as_often_as_both_stimuli_were_drawn():
    """Beside the correlation over an explicit list of pairs."""
    layer, subjects = ranks(9, 1, 3)[0], ranks(9, 2, 4)
    drawn = rsa.Resamples.of(9, 2, 5, seed=0, name="r")
    found = scores(drawn, layer, subjects)
    for counts, shares, score in zip(drawn.stimuli, drawn.subjects, found, strict=True):
        chosen = np.repeat(np.arange(9), counts.astype(int))
        i, j = np.triu_indices(len(chosen), 1)
        apart = chosen[i] != chosen[j]
        cells = chosen[i[apart]], chosen[j[apart]]
        one = squareform(layer)[cells]
        each = [np.corrcoef(one, squareform(subject)[cells])[0, 1] for subject in subjects]
        np.testing.assert_allclose(score, shares @ each)


def test_draws_depend_on_seed_and_recording_alone():
    one, again, other = (rsa.Resamples.of(9, 2, 5, 0, name) for name in ("r", "r", "s"))
    assert (one.stimuli == again.stimuli).all()
    assert (one.stimuli != other.stimuli).any()


def test_shuffled_stimuli_are_beside_zero_and_the_same_for_all_layers():
    layers, subjects = ranks(40, 2, 5), ranks(40, 2, 6)
    layers[1] = layers[0]
    found = rsa.shuffled(layers, subjects, 200, seed=0, name="r")
    assert (found[:, 0] == found[:, 1]).all()
    assert abs(found.mean()) < 0.01
    assert found.std() > 0.005


@pytest.mark.parametrize("repeats", [2, 5, 10])
def test_the_root_of_reliability_is_the_correlation_with_what_has_no_noise(repeats):
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((2000, 3))
    noise = np.array([0.3, 1.0, 2.0])
    responses = truth + noise * rng.standard_normal((repeats, 2000, 3))
    responses[0, :50] = np.nan
    mean = np.nanmean(responses, axis=0)
    true = [np.corrcoef(truth[:, u], mean[:, u])[0, 1] for u in range(3)]
    np.testing.assert_allclose(np.sqrt(unit_reliability(responses)), true, atol=0.04)


def test_without_repeats_there_is_no_reliability_and_without_signal_none():
    rng = np.random.default_rng(1)
    assert np.isnan(unit_reliability(rng.standard_normal((1, 10, 2)))).all()
    opposite = rng.standard_normal((1, 10, 1))
    assert unit_reliability(np.concatenate([opposite, -opposite]))[0] == 0
