import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convergent_learning.randomness import balanced_subset, derived_seed


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array),
    share=st.floats(0, 1),
    seed=st.integers(0, 100),
)
def test_subsets_are_balanced_sorted_and_without_repeats(labels, share, seed):
    size = max(1, round(share * len(labels)))
    chosen = balanced_subset(labels, size, seed)
    assert len(set(chosen)) == size
    assert (np.diff(chosen) > 0).all()
    available, taken = (np.bincount(part, minlength=5) for part in (labels, labels[chosen]))
    for a in range(5):  # a class is behind another only when it is used up
        assert taken[a] == available[a] or (taken[a] >= taken - 1).all()


def test_seeds_differ_by_purpose_and_by_every_key():
    seeds = {
        derived_seed(purpose, *keys)
        for purpose in ("order", "augmentation")
        for keys in ((0, 1), (1, 0), (0, 1, 0), (0, 2))
    }
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
