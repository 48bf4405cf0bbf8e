"""Digests of stimuli and weights: whether a rerun shows the same images to the same networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from convergent_learning.config.design import Design
from convergent_learning.files import damaged_file_named, open_hdf5
from convergent_learning.progress import track

COLUMNS = ["what", "dataset", "name", "sha256"]
STIMULI, WEIGHTS = "stimuli", "weights"


def fingerprints(design: Design, checkout: Path) -> pd.DataFrame:
    """One row for each stimulus set and each checkpoint of `design`, as it lies in `checkout`.

    Columns `COLUMNS`: ``name`` is the condition (``contrast-5``, ``id``) or network and step, the
    sha256 of a file that is not there is empty. Raises DamagedFileError naming a file that cannot
    be read.
    """
    rows = []
    for what, dataset, name, path in track([*_files(design)], "digests of weights and stimuli"):
        digest = _stimuli if what == STIMULI else _weights
        found = digest(checkout / path) if (checkout / path).exists() else ""
        rows.append((what, dataset, name, found))
    return pd.DataFrame(rows, columns=COLUMNS)


def same(expected: pd.DataFrame, found: pd.DataFrame, what: str) -> tuple[int, int]:
    """How many digests of `what` are as expected, and how many are expected."""
    rows = expected[(expected.what == what) & (expected.sha256 != "")]
    both = rows.merge(found, on=COLUMNS)
    return len(both), len(rows)


def other_weights(expected: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """Which checkpoints both know, with other digests: networks and steps, in order."""
    keys = ["dataset", "name"]
    both = expected[expected.what == WEIGHTS].merge(found[found.what == WEIGHTS], on=keys)
    known = both[(both.sha256_x != "") & (both.sha256_y != "")]
    return [*known.name[known.sha256_x != known.sha256_y]]


def _files(design: Design) -> Iterator[tuple[str, str, str, str]]:
    experiment = design.experiment
    for dataset in experiment.datasets:
        shown = (
            sample.condition for block in experiment.blocks(dataset).values() for sample in block
        )
        for condition in dict.fromkeys(shown):
            yield STIMULI, dataset, condition.slug, design.stimulus_set(dataset, condition)
        for recording in experiment.config.recordings:
            shown_set = design.recorded_stimuli(dataset, recording.name)
            yield STIMULI, dataset, f"recording {recording.name}", shown_set
        for network in experiment.trained:
            for step in experiment.steps_of(dataset, network.group):
                name = f"{network.name} step {step}"
                yield WEIGHTS, dataset, name, design.checkpoint(dataset, network, step)


def _stimuli(path: Path) -> str:
    with open_hdf5(path) as file:
        return str(file.attrs["digest"])


def _weights(path: Path) -> str:
    """Over names and bytes of all tensors, whatever the file says of itself."""
    # Figures are drawn from a reference without it.
    from safetensors import SafetensorError, safe_open

    sha256 = hashlib.sha256()
    with damaged_file_named(path, SafetensorError), safe_open(path, framework="numpy") as file:
        for name in sorted(file.keys()):
            sha256.update(name.encode() + file.get_tensor(name).tobytes())
    return sha256.hexdigest()
