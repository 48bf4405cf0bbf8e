"""What of a recording is scored: ranks of dissimilarities, responses of reliable units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.distance import squareform

from convergent_learning.alignment.dissimilarities import dissimilarities, standard_ranks
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
    """The systems of a recording.

    Raises ValueError naming one that gives no scores: no unit varies reliably, an image to which
    all units respond alike, subjects that have nothing in common.
    """
    of_kind = {"dissimilarities": _of_dissimilarities, "responses": _of_responses}
    scored = [of_kind[system.kind](recording, system) for system in recording.systems]
    for system in scored:
        if np.isnan(system.ranks).any():
            raise ValueError(
                f"{_where(recording, system)}: no rsa, as all units (or sessions) respond alike to"
                " some image; leave out such images, and give two units or more"
            )
    return scored


def _of_dissimilarities(recording: Recording, system: System) -> ScoredSystem:
    subjects, sessions, n, _ = system.values.shape
    mean = system.values.mean(axis=1, dtype=float)
    condensed = np.stack([squareform(each, checks=False) for each in mean])
    low, high = dissimilarity_ceiling(condensed)
    if high < LEAST_RELIABLE:
        raise ValueError(
            f"{_where(recording, system)}: {subjects} subjects agree by no more than {high:.2f};"
            " see whether all have the images in the same order"
        )
    about = _about(recording, system, n) | {
        "n_subjects": subjects,
        "n_repeats": sessions,
        "ceiling_low": low,
        "ceiling_high": high,
    }
    return ScoredSystem(system.name, n, standard_ranks(condensed), None, np.nan, about)


def _of_responses(recording: Recording, system: System) -> ScoredSystem:
    repeats, n, units = system.values.shape
    mean = np.nanmean(system.values, axis=0, dtype=float)
    constant = ~(np.ptp(mean, axis=0) > 0)
    reliability = unit_reliability(system.values)
    unreliable = ~constant & (repeats > 1) & ~(reliability >= LEAST_RELIABLE)
    kept = ~constant & ~unreliable
    if not kept.any():
        raise ValueError(
            f"{_where(recording, system)}: none of {units} units can be scored:"
            f" {int(constant.sum())} are constant, {int(unreliable.sum())} have a reliability below"
            f" {LEAST_RELIABLE}; see whether images and responses are in the same order"
        )
    responses, ceiling = mean[:, kept], np.sqrt(reliability[kept]).mean()
    ranks = standard_ranks(dissimilarities(torch.from_numpy(responses)))
    about = _about(recording, system, n) | {
        "n_subjects": 1,
        "n_repeats": repeats,
        "n_units": int(kept.sum()),
        "n_unreliable": int(unreliable.sum()),
        "n_constant": int(constant.sum()),
        "n_missing": system.n_missing,
        "unit_ceiling": float(ceiling),
    }
    return ScoredSystem(
        system.name, n, ranks[None], responses.astype(np.float32), float(ceiling), about
    )


def _about(recording: Recording, system: System, n: int) -> dict[str, object]:
    known = {"recording": recording.name, "system": system.name, "kind": system.kind, "n": n}
    counts = ("n_units", "n_unreliable", "n_constant", "n_missing")
    ceilings = ("ceiling_low", "ceiling_high", "unit_ceiling")
    numbers = {**dict.fromkeys(counts, 0), **dict.fromkeys(ceilings, np.nan)}
    return {**known, **numbers, "sha256_recording": recording.digest}


def _where(recording: Recording, system: System | ScoredSystem) -> str:
    return f"recordings ({recording.name}).source: system {system.name}"
