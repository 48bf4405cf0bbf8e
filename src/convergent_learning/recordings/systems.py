"""What of a recording is scored: ranks of dissimilarities, responses of reliable units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.distance import squareform

from convergent_learning.recordings import rsa
from convergent_learning.recordings.ceilings import (
    LEAST_RELIABLE,
    dissimilarity_ceiling,
    unit_reliability,
)
from convergent_learning.recordings.recording import Recording, System


@dataclass(frozen=True)
class ScoredSystem:
    """A system as networks are compared with it.

    Attributes
    ----------
    name : str
    n : int
        Stimuli.
    ranks : (subjects, m) float64
        Standard ranks of the dissimilarities of each subject, m = n(n − 1)/2.
    responses : (n, units) float32, or None
        Mean over repeats of the units that are scored.
    ceiling : float
        Mean over these of the highest correlation that a model can have with them.
    about : dict
        The row of the table of recordings.
    """

    name: str
    n: int
    ranks: np.ndarray
    responses: np.ndarray | None
    ceiling: float
    about: dict[str, object]


def scored_systems(recording: Recording) -> list[ScoredSystem]:
    """The systems of a recording; ValueError naming one without a unit to score."""
    of_kind = {"dissimilarities": _of_dissimilarities, "responses": _of_responses}
    return [of_kind[system.kind](recording.name, system) for system in recording.systems]


def _of_dissimilarities(recording: str, system: System) -> ScoredSystem:
    subjects, sessions, n, _ = system.values.shape
    mean = system.values.mean(axis=1, dtype=float)
    condensed = np.stack([squareform(each, checks=False) for each in mean])
    low, high = dissimilarity_ceiling(condensed)
    about = _about(recording, system, n) | {
        "n_subjects": subjects,
        "n_repeats": sessions,
        "ceiling_low": low,
        "ceiling_high": high,
    }
    return ScoredSystem(system.name, n, rsa.standard_ranks(condensed), None, np.nan, about)


def _of_responses(recording: str, system: System) -> ScoredSystem:
    repeats, n, units = system.values.shape
    mean = np.nanmean(system.values, axis=0, dtype=float)
    constant = ~(np.ptp(mean, axis=0) > 0)
    reliability = unit_reliability(system.values)
    unreliable = ~constant & (repeats > 1) & ~(reliability >= LEAST_RELIABLE)
    kept = ~constant & ~unreliable
    if not kept.any():
        raise ValueError(
            f"recordings: {recording}, {system.name}: none of {units} units can be scored:"
            f" {int(constant.sum())} are constant, {int(unreliable.sum())} have a reliability below"
            f" {LEAST_RELIABLE}; see whether images and responses are in the same order"
        )
    responses, ceiling = mean[:, kept], np.sqrt(reliability[kept]).mean()
    ranks = rsa.standard_ranks(rsa.dissimilarities(torch.from_numpy(responses)))
    about = _about(recording, system, n) | {
        "n_subjects": 1,
        "n_repeats": repeats,
        "n_units": int(kept.sum()),
        "n_unreliable": int(unreliable.sum()),
        "n_constant": int(constant.sum()),
        "n_missing": int(np.isnan(system.values).sum()),
        "unit_ceiling": float(ceiling),
    }
    return ScoredSystem(
        system.name, n, ranks[None], responses.astype(np.float32), float(ceiling), about
    )


def _about(recording: str, system: System, n: int) -> dict[str, object]:
    known = {"recording": recording, "system": system.name, "kind": system.kind, "n": n}
    counts = ("n_units", "n_unreliable", "n_constant", "n_missing")
    return {**known, **dict.fromkeys(counts, 0), "ceiling_low": np.nan, "ceiling_high": np.nan} | {
        "unit_ceiling": np.nan
    }
