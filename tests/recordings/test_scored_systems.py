"""What of a recording is scored, and what is left out and counted."""

import numpy as np
import pytest

from convergent_learning.recordings.recording import Recording, System
from convergent_learning.recordings.systems import scored_systems

N = 60


def recording(kind, values):
    system = System("area", kind, np.asarray(values, dtype=np.float32))
    return Recording("mine", np.zeros((N, 8, 8, 3), np.uint8), (system,), "d")


def responses(repeats=4, units=5, noise=0.5):
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, units)) + noise * rng.standard_normal((repeats, N, units))


def test_constant_and_unreliable_units_and_missing_trials_are_counted():
    values = responses()
    values[:, :, 0] = 3.0
    values[1::2, :, 1] = -1.5 * values[::2, :, 1]  # halves that contradict each other
    values[0, :7, 2] = np.nan
    [system] = scored_systems(recording("responses", values))
    about = system.about
    assert (about["n_units"], about["n_constant"], about["n_unreliable"]) == (3, 1, 1)
    assert about["n_missing"] == 7
    assert system.responses.shape == (N, 3)
    assert 0.9 < about["unit_ceiling"] < 1


def test_without_repeats_all_units_that_vary_are_scored():
    [system] = scored_systems(recording("responses", responses(repeats=1)))
    assert system.about["n_units"] == 5
    assert np.isnan(system.about["unit_ceiling"])


def test_no_unit_to_score_is_refused_by_name():
    noise = np.random.default_rng(0).standard_normal((1, N, 2))
    opposed = np.concatenate([noise, -1.5 * noise])
    with pytest.raises(
        ValueError,
        match=r"recordings \(mine\).*area: none of 2 units .* 2 have a reliability below",
    ):
        scored_systems(recording("responses", opposed))


def test_sessions_of_a_subject_are_averaged():
    rng = np.random.default_rng(0)
    values = rng.random((3, 2, N, N)) + 1
    values = values + values.swapaxes(-1, -2)
    [system] = scored_systems(recording("dissimilarities", values))
    assert system.ranks.shape == (3, N * (N - 1) // 2)
    assert (system.about["n_subjects"], system.about["n_repeats"]) == (3, 2)
    assert system.responses is None
