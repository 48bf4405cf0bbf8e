"""Random draws that depend on their purpose alone, never on what was drawn before them.

A training run needs no generator state to resume, and no two purposes share a stream.
"""

from __future__ import annotations

import zlib

import numpy as np


def derived_seed(purpose: str, *keys: int) -> int:
    """A 63-bit seed for `purpose` (for example "augmentation") and integer `keys` (seeds, step)."""
    # The number of keys is part of the entropy: a sequence pads with zeros.
    sequence = np.random.SeedSequence([zlib.crc32(purpose.encode()), len(keys), *keys])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def balanced_subset(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Sorted indices of a seeded subset whose class counts differ by at most one where possible.

    `labels` is (n,) int; the subset of a smaller `size` is part of that of a larger one. Raises
    ValueError when `size` is not between 1 and n.
    """
    if not 1 <= size <= len(labels):
        raise ValueError(f"cannot draw {size} of {len(labels)} images")
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = labels[shuffled] == label
        turn[members] = np.arange(members.sum())
    # Stable: within a turn, the shuffle decides which classes come first.
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:size]])
