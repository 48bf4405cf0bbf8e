"""The rotated-basis baseline: is the basis of the units special?

Source x becomes xQ with Q Haar-random; X'Y becomes Q'X'Y and X'X becomes Q'X'XQ (Khosla et al.
2024, who rotate the responses themselves).
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from typing import NamedTuple

import numpy as np
from array_api_compat import array_namespace

from .arrays import Array, Device, on_gpu, placed
from .layer_pair import LayerPair
from .moments import Center, Grid, LayerMoments, Sets, Sums

# Bytes of rotated products held at once: on a processor they should stay in its cache.
_CHUNK, _CHUNK_ON_GPU = 32 << 20, 2 << 30


def haar(units: int, n_draws: int, seed: int, *names: str) -> np.ndarray:
    """(n_draws, units, units) Haar-random orthogonal matrices, reproducible from (seed, names).

    QR of a Gaussian matrix with the signs of R's diagonal moved to Q (Mezzadri 2007). A smaller
    `n_draws` gives the first of a larger one. Rounded to float32, as everything made with them.
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    rng = np.random.default_rng([seed, int.from_bytes(digest[:8])])
    rotations = np.empty((n_draws, units, units), dtype=np.float32)
    for draw in range(n_draws):
        q, r = np.linalg.qr(rng.standard_normal((units, units)))
        rotations[draw] = q * np.sign(np.diag(r))
    return rotations


class Rotated(NamedTuple):
    """Of several draws, in float32: products (draws, sets, p, q) and variances (draws, sets, p)."""

    xy: Array
    variance_x: Array


class Rotations:
    """Rotations of a layer, with the variances of its rotated units, which all partners share.

    matrices : (draws, p, p) float32
    """

    def __init__(self, matrices: np.ndarray, device: Device | None = None):
        self.matrices = matrices
        self._transposed = placed(np.ascontiguousarray(matrices.transpose(0, 2, 1)), device)
        self._variances: dict[Hashable, tuple[LayerMoments, Array]] = {}

    def rotated(self, pair: LayerPair, sets: Sets) -> Iterator[Rotated]:
        """Products of a pair with its source rotated, some draws at a time.

        Folds are rotated, and their sums centred after: there are fewer folds than sets of them.
        """
        products = pair.products
        raw, x, y = products.raw, products.x, products.y
        if pair.flipped:
            raw, x, y = raw.mT, y, x
        xp = array_namespace(raw)
        x, y = products.summed(x, sets), products.summed(y, sets) / products.weights(sets)
        n_folds, p, q = raw.shape
        raw, x, y = (xp.astype(each, xp.float32) for each in (raw, x, y))
        flat = xp.reshape(xp.permute_dims(raw, (1, 0, 2)), (p, -1))
        variances = self._all_variances(pair.source, pair.grid, pair.center, sets)
        limit = _CHUNK_ON_GPU if on_gpu(raw) else _CHUNK
        size = max(1, limit // (4 * len(sets) * p * q))
        for start in range(0, len(self.matrices), size):
            turn = self._transposed[start : start + size]
            turned = xp.reshape(turn @ flat, (len(turn), p, n_folds, q))
            turned = xp.permute_dims(turned, (0, 2, 1, 3))
            summed = xp.stack([xp.sum(turned[:, list(folds)], axis=1) for folds in sets], axis=1)
            means = turn[:, None] @ x.mT  # (draws, sets, p, positions)
            yield Rotated(summed - means @ y, variances[start : start + size])

    def _all_variances(self, source: LayerMoments, grid: Grid, center: Center, sets: Sets) -> Array:
        """(draws, len(sets), p) variances of the rotated source over each of the sets."""
        key = id(source), grid, center, sets
        if key not in self._variances:
            found = self._diagonals(source.sums(grid, center), sets)
            self._variances[key] = source, found  # the layer is kept: its id stays its own
        return self._variances[key][1]

    def _diagonals(self, own: Sums, sets: Sets) -> Array:
        """(draws, len(sets), p): of Q'CQ for each rotation and each set's product C."""
        xp = array_namespace(own.raw)
        raw = xp.astype(own.raw, xp.float32)
        x = own.summed(own.x, sets) / own.weights(sets) ** 0.5
        x = xp.astype(x, xp.float32)
        found = []
        for turn in self._transposed:
            each = xp.sum((turn @ raw) * turn, axis=-1)
            means = xp.sum((turn @ x.mT) ** 2, axis=-1)
            found.append(own.summed(each, sets) - means)
        return xp.stack(found)


def rotated_pair(pair: LayerPair, rotation: Array) -> LayerPair:
    """The pair with its source rotated by a matrix (p, p)."""
    x = pair.source
    source = LayerMoments(
        x.counts,
        x.grid,
        x.means @ rotation,
        {grid: rotation.mT @ products @ rotation for grid, products in x.products.items()},
        x.label,
    )
    products = pair.products.rotated(rotation, pair.flipped)
    return LayerPair(source, pair.target, products, pair.center, pair.flipped)
