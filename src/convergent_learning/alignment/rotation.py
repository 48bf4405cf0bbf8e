"""The rotated-basis baseline: is the basis of the units special? numpy only.

Source x becomes xQ with Q Haar-random; X'Y becomes Q'X'Y and X'X becomes Q'X'XQ (Khosla et al.
2024, who rotate the responses themselves).
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from .layer_pair import LayerPair
from .moments import Center, Eigh, Folds, Grid, LayerMoments, Svd, block, live

CHUNK = 32 << 20  # bytes of rotated products held at once


def haar(units: int, n_draws: int, seed: int, *names: str) -> np.ndarray:
    """(n_draws, units, units) Haar-random orthogonal matrices, reproducible from (seed, names).

    QR of a Gaussian matrix with the signs of R's diagonal moved to Q (Mezzadri 2007). A smaller
    `n_draws` gives the first of a larger one.
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    rng = np.random.default_rng([seed, int.from_bytes(digest[:8])])
    rotations = np.empty((n_draws, units, units))
    for draw in range(n_draws):
        q, r = np.linalg.qr(rng.standard_normal((units, units)))
        rotations[draw] = q * np.sign(np.diag(r))
    return rotations


class Rotations:
    """Rotations (draws, p, p) of a layer, and the variances of its rotated units.

    These are the same for all partners of the layer.
    """

    def __init__(self, matrices: np.ndarray):
        self.matrices = matrices
        self.transposed = np.ascontiguousarray(matrices.transpose(0, 2, 1))
        self._variances: dict[Hashable, tuple[LayerMoments, np.ndarray]] = {}

    def variances(
        self, source: LayerMoments, grid: Grid, center: Center, sets: Sequence[Folds]
    ) -> np.ndarray:
        """(draws, len(sets), p) variances of the rotated source over each of the sets."""
        key = id(source), grid, center, tuple(sets)
        if key not in self._variances:
            products = source.sums(grid, center)
            found = [self._diagonals(products.over(folds)) for folds in sets]
            self._variances[key] = source, np.stack(found, axis=1)  # kept: its id stays its own
        return self._variances[key][1]

    def _diagonals(self, product: np.ndarray) -> np.ndarray:
        """(draws, p): of Q'CQ for each rotation."""
        draws, p, _ = self.transposed.shape
        left = (self.transposed.reshape(draws * p, p) @ product).reshape(draws, p, p)
        return np.einsum("dij,dij->di", left, self.transposed)


def rotated(pair: LayerPair, rotations: np.ndarray) -> Iterator[LayerPair]:
    """The pair with its source rotated, once for each (p, p) matrix of `rotations`.

    Products of a chunk of draws are made together, one matrix product for each split.
    """
    units = rotations.shape[1]
    width = max(units, len(pair.variance_y(pair.folds)))
    size = max(1, CHUNK // (8 * units * width))
    for start in range(0, len(rotations), size):
        chunk = _Chunk(pair, rotations[start : start + size])
        for draw in range(len(chunk.rotations)):
            yield _Rotated(pair, chunk, draw)


class _Chunk:
    """Rotated products of several draws, each made when first asked for."""

    def __init__(self, pair: LayerPair, rotations: np.ndarray):
        self.rotations = rotations
        self._transposed = np.ascontiguousarray(rotations.transpose(0, 2, 1))
        self._pair = pair
        self._products: dict[Folds, np.ndarray] = {}
        self._variances: dict[Folds, np.ndarray] = {}

    def xy(self, folds: Folds) -> np.ndarray:
        if folds not in self._products:
            self._products[folds] = self._left(self._pair.xy(folds))
        return self._products[folds]

    def variance_x(self, folds: Folds) -> np.ndarray:
        if folds not in self._variances:
            left = self._left(self._pair.xx(folds))
            self._variances[folds] = np.einsum("dij,dij->di", left, self._transposed)
        return self._variances[folds]

    def _left(self, product: np.ndarray) -> np.ndarray:
        draws, p, _ = self._transposed.shape
        return (self._transposed.reshape(draws * p, p) @ product).reshape(draws, p, -1)


class _Rotated(LayerPair):
    """One draw; has what a LayerPair has, with the products of the rotated source."""

    def __init__(self, base: LayerPair, chunk: _Chunk, draw: int):
        self.__dict__.update(base.__dict__)
        self._base, self._chunk, self._draw = base, chunk, draw

    @property
    def unrotated(self) -> LayerPair:
        return self._base

    def reversed(self) -> LayerPair:
        raise TypeError("a rotated pair has one direction: its source is rotated")

    def xy(self, folds: Folds) -> np.ndarray:
        return self._chunk.xy(folds)[self._draw]

    def variance_x(self, folds: Folds) -> np.ndarray:
        return self._chunk.variance_x(folds)[self._draw]

    def xx(self, folds: Folds) -> np.ndarray:
        rotation = self._chunk.rotations[self._draw]
        return rotation.T @ self._base.xx(folds) @ rotation

    def live_x(self, folds: Folds) -> np.ndarray:
        return live(self.variance_x(folds))

    def svd(self, folds: Folds, live_x: np.ndarray, live_y: np.ndarray) -> Svd:
        return np.linalg.svd(block(self.xy(folds), live_x, live_y), full_matrices=False)

    def eigh(self, folds: Folds, live: np.ndarray) -> Eigh:
        return np.linalg.eigh(block(self.xx(folds), live, live))
