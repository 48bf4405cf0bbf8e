import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergent_learning.randomness import balanced_subset, derived_seed


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    seed=st.integers(0, 100),
    data=st.data(),
)
def test_subsets_are_balanced_sorted_and_nested(sizes, seed, data):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    size = data.draw(st.integers(1, len(labels)))
    chosen = balanced_subset(labels, size, seed)
    assert len(chosen) == size
    assert (np.diff(chosen) > 0).all()
    counts = np.bincount(labels[chosen], minlength=len(sizes))
    used_up = counts == np.array(sizes)
    # A class has fewer images than another one only if it has no more.
    assert (counts.max() - counts[~used_up] <= 1).all()
    if size > 1:
        assert set(balanced_subset(labels, size - 1, seed)) <= set(chosen)


@pytest.mark.parametrize("size", [0, 4])
def test_impossible_subsets_are_refused(size):
    with pytest.raises(ValueError, match=f"cannot draw {size} of 3"):
        balanced_subset(np.zeros(3, dtype=int), size, 0)


def test_seeds_differ_by_purpose_and_by_every_key():
    seeds = {
        derived_seed(purpose, *keys)
        for purpose in ("order", "augmentation")
        for keys in ((0, 1), (1, 0), (0, 1, 0), (0, 2))
    }
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
