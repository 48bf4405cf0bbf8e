"""Representational similarity with recordings: resamples and permutations of the stimuli.

Dissimilarities enter as the standard ranks of `alignment.dissimilarities`. A pair of stimuli keeps
the rank that it has among all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import squareform

from convergent_learning.randomness import derived_seed

_PERMUTED_AT_ONCE = 1 << 25  # values of dissimilarities in other orders


@dataclass(frozen=True)
class Resamples:
    """Draws with replacement of stimuli, the same for all networks and layers, and of subjects.

    Attributes
    ----------
    stimuli : (draws, n) float64
        How often each stimulus was drawn.
    subjects : (draws, s) float64
        Share of each subject among those drawn.
    """

    stimuli: np.ndarray
    subjects: np.ndarray

    @classmethod
    def of(cls, n: int, subjects: int, draws: int, seed: int, name: str) -> Resamples:
        """Draws for a recording called `name`."""
        rng = np.random.default_rng(derived_seed(f"resampled stimuli of {name}", seed))
        stimuli = rng.multinomial(n, np.full(n, 1 / n), size=draws)
        shares = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=draws) / subjects
        return cls(stimuli.astype(float), shares)

    def spread(self, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation (draws,) of standard ranks (m,) over the pairs of stimuli drawn."""
        mean = self._mean(ranks)
        with np.errstate(invalid="ignore"):  # by rounding, where two stimuli were drawn
            return mean, np.sqrt(self._mean(ranks**2) - mean**2)

    def scores(
        self,
        layer: np.ndarray,
        subjects: np.ndarray,
        spreads: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> np.ndarray:
        """Mean correlation (draws,) of standard ranks (m,) with those of the subjects drawn (s, m).

        `spreads` are those of the subjects. A pair of stimuli counts as often as both were drawn; a
        stimulus is in no pair with itself. NaN for a draw of fewer than three.
        """
        own, deviation = self.spread(layer)
        total = np.zeros(len(self.stimuli))
        for share, subject, (mean, other) in zip(self.subjects.T, subjects, spreads, strict=True):
            with np.errstate(invalid="ignore", divide="ignore"):
                found = (self._mean(layer * subject) - own * mean) / (deviation * other)
            total += np.where(share > 0, share * found, 0.0)
        return np.where((self.stimuli > 0).sum(1) < 3, np.nan, total)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """Means (draws,) of values (m,) over the pairs of stimuli drawn."""
        square = squareform(values, checks=False)
        total = np.einsum("bi,bi->b", self.stimuli @ square, self.stimuli)
        pairs = self.stimuli.sum(1) ** 2 - np.square(self.stimuli).sum(1)
        return np.divide(total, pairs, out=np.full(len(total), np.nan), where=pairs > 0)


def shuffled(
    layers: np.ndarray, subjects: np.ndarray, draws: int, seed: int, name: str
) -> np.ndarray:
    """Correlations (draws, k) of standard ranks (k, m) with the subjects' mean, stimuli permuted.

    `subjects` is (s, m). A draw permutes the stimuli of all layers alike, as a test of the highest
    of several layers needs (Westfall & Young 1993, maxT).
    """
    rng = np.random.default_rng(derived_seed(f"shuffled stimuli of {name}", seed))
    target = squareform(subjects.mean(0), checks=False)
    n = len(target)
    above = np.triu_indices(n, 1)
    found = np.empty((draws, len(layers)))
    together = max(1, _PERMUTED_AT_ONCE // (n * n))
    for start in range(0, draws, together):
        orders = [rng.permutation(n) for _ in range(start, min(draws, start + together))]
        permuted = np.stack([target[np.ix_(order, order)][above] for order in orders])
        found[start : start + len(orders)] = permuted @ layers.T / layers.shape[1]
    return found
