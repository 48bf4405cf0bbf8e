"""Random draws that depend on (seed, family, image index) only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draws:
    """One independent random stream an image.

    Philox is a keyed counter-based generator (Salmon et al. 2011, *Parallel random numbers: as easy
    as 1, 2, 3*), so neighbouring keys give independent streams: half of the key is a hash of seed
    and family, half the image index. Neither the level nor the other images of a call enter.
    """

    seed: int
    family: str
    indices: np.ndarray

    def generators(self) -> Iterator[np.random.Generator]:
        """A generator for each image, in order."""
        digest = hashlib.sha256(f"{self.seed}/{self.family}".encode()).digest()
        key = np.array([int.from_bytes(digest[:8], "little"), 0], dtype=np.uint64)
        for index in self.indices:
            key[1] = index
            yield np.random.Generator(np.random.Philox(key=key))

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        """Uniform draws in [-1, 1), (n, *shape)."""
        out = np.empty((len(self.indices), *shape))
        for image, generator in zip(out, self.generators(), strict=True):
            generator.random(out=image)
        out *= 2
        out -= 1
        return out
