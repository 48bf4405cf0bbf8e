"""Values of a system: what is accepted as responses or dissimilarities, in the shape they get."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convergent_learning.recordings.recording import Kind, System

_SYMMETRY = 1e-6  # relative to the largest dissimilarity


def system_of(name: str, kind: Kind, values: np.ndarray, source: str) -> System:
    """The system that the numbers of an array describe.

    Parameters
    ----------
    name, kind : as of `System`
    values : ndarray of real numbers
        Responses (stimuli, units) or (repeats, stimuli, units), or dissimilarities
        (stimuli, stimuli), (subjects, stimuli, stimuli) or (subjects, sessions, stimuli, stimuli).
    source : str
        The file that they come from, for messages.

    Raises
    ------
    ValueError
        Naming file, array and position: for infinite responses, for a stimulus without a response
        of a unit in any repeat, for dissimilarities that are not symmetric, not finite, or all the
        same. Positions are counted from 0.
    """
    return System(name, kind, _ACCEPTED[kind](values, f"{source}: {name}"))


def _responses(values: np.ndarray, where: str) -> np.ndarray:
    values = _as_float32(values if values.ndim == 3 else values[None])
    if np.isinf(values).any():
        repeat, stimulus, unit = _first(np.isinf(values))
        raise ValueError(
            f"{where} has an infinite response, or one too large for float32, at repeat {repeat},"
            f" stimulus {stimulus}, unit {unit}; write NaN for a missing trial"
        )
    absent = np.isnan(values).all(axis=0)
    if absent.any():
        stimulus, unit = _first(absent)
        remedy = "missing trials need repeats" if len(values) == 1 else "leave one of them out"
        raise ValueError(
            f"{where} has no finite response to stimulus {stimulus} of unit {unit}; {remedy}"
        )
    return values


def _dissimilarities(values: np.ndarray, where: str) -> np.ndarray:
    n = values.shape[-1]
    values = values.reshape((*values.shape[:-2], *[1] * (4 - values.ndim), n, n))
    for subject, session in np.ndindex(*values.shape[:2]):
        matrix = values[subject, session].astype(np.float64)
        of = f"{where}, subject {subject}, session {session}"
        own = np.nan_to_num(np.abs(np.diagonal(matrix)))
        np.fill_diagonal(matrix, 0)
        if own.max() > _SYMMETRY * np.nan_to_num(np.abs(matrix)).max():
            raise ValueError(
                f"{of}: image {own.argmax()} differs from itself by {own.max():g}; are these"
                " similarities? Give dissimilarities, such as 1 − r"
            )
        if not np.isfinite(matrix).all():
            row, column = _first(~np.isfinite(matrix))
            raise ValueError(f"{of}: the dissimilarity of {row} and {column} is not finite")
        differences = np.abs(matrix - matrix.T)
        if differences.max() > _SYMMETRY * np.abs(matrix).max():
            row, column = _first(differences == differences.max())
            raise ValueError(
                f"{of}: not symmetric, {matrix[row, column]:g} at {row}, {column} but"
                f" {matrix[column, row]:g} at {column}, {row}"
            )
        if np.ptp(matrix[np.triu_indices(n, 1)]) == 0:
            raise ValueError(f"{of}: all dissimilarities are the same, so they have no order")
    values = _as_float32(values)
    values[..., np.arange(n), np.arange(n)] = 0
    if np.isinf(values).any():
        raise ValueError(f"{where} has a dissimilarity too large for float32; scale them down")
    return values


_ACCEPTED: dict[Kind, Callable[[np.ndarray, str], np.ndarray]] = {
    "responses": _responses,
    "dissimilarities": _dissimilarities,
}


def _as_float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32, order="C")


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.argwhere(where)[0])
