"""Noise ceilings: how well the best of all models could score with a recording."""

from __future__ import annotations

import warnings

import numpy as np

LEAST_RELIABLE = 0.1  # of a unit: one below says next to nothing


def dissimilarity_ceiling(subjects: np.ndarray) -> tuple[float, float]:
    """Lower and upper noise ceiling of the dissimilarities (s, m) of s subjects.

    Upper: the mean correlation of each subject's ranks with the mean of all, which no model
    exceeds; lower: with the mean of the others (Nili et al. 2014, PLoS Comput. Biol. 10), as
    rsatoolbox computes them. NaN for one subject.
    """
    if len(subjects) < 2:
        return np.nan, np.nan
    from rsatoolbox.inference import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs

    known = RDMs(subjects, rdm_descriptors={"index": np.arange(len(subjects))})
    low, high = boot_noise_ceiling(known, method="spearman", rdm_descriptor="index")
    return float(low), float(high)


def unit_reliability(responses: np.ndarray) -> np.ndarray:
    """Reliability (units,) of the mean over repeats of each unit, from 0 to 1.

    responses : (repeats, n, units), NaN where a trial is missing. The means of even and of odd
    repeats are correlated over stimuli; after Spearman (1910) and Brown (1910) 2r/(1 + r) is the
    share of the variance of the mean over all repeats that is no noise. The square root is the
    highest correlation that a model can have with that mean. 0 for halves that do not agree, NaN
    for one repeat, a unit that answers all stimuli alike, or halves that share fewer than half of
    the stimuli.
    """
    if len(responses) < 2:
        return np.full(responses.shape[2], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing: NaN
        halves = [np.nanmean(responses[start::2], axis=0) for start in (0, 1)]
        r = _correlation(*halves)
    positive = np.maximum(r, 0)  # NaN stays
    return 2 * positive / (1 + positive)


def _correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson r (units,) of two (n, units), over the stimuli that both have."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(both, values, np.nan) for values in (x, y))
    x, y = x - np.nanmean(x, 0), y - np.nanmean(y, 0)
    covariance = np.nansum(x * y, 0)
    spread = np.sqrt(np.nansum(x * x, 0) * np.nansum(y * y, 0))
    known = (spread > 0) & (2 * both.sum(0) >= len(x))
    return np.where(known, covariance / np.where(known, spread, 1), np.nan)
