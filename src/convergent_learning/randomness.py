"""Random draws that depend on their purpose alone, never on what was drawn before them.

A training run needs no generator state to resume, and no two purposes share a stream.
"""

from __future__ import annotations

import zlib

import numpy as np


def derived_seed(purpose: str, *keys: int) -> int:
    """A 63-bit seed for `purpose` (for example "augmentation") and integer `keys` (seeds, step)."""
    sequence = np.random.SeedSequence([zlib.crc32(purpose.encode()), *keys])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
