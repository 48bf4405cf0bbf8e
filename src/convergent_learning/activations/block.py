"""Fold moments and accuracies of networks for a block of stimulus sets."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.activations.extract import extract
from convergent_learning.activations.forward import Extraction
from convergent_learning.activations.live import LiveActivations
from convergent_learning.activations.loaded import Loader
from convergent_learning.activations.shown import ShownSample
from convergent_learning.alignment.positions import Positions
from convergent_learning.alignment.store import MEMORY, Activations, write_moments
from convergent_learning.datasets.canonical import read_summary
from convergent_learning.files import replace_when_done
from convergent_learning.progress import track
from convergent_learning.stimuli.stimulus_files import Stimuli, read_stimuli


def write_block(
    samples: Sequence[ShownSample],
    dataset: Path,
    out: Path,
    accuracy: Path,
    *,
    positions: Positions,
    dtype: str,
    n_folds: int,
    seed: int,
    code: str,
    kept: Path | None,
) -> None:
    """Write the moments file ``<sample.name>.h5`` of every sample into the folder `out`.

    Parameters
    ----------
    samples : in an order that shows a network at a step its stimulus sets one after the other: it
        is then loaded once.
    dataset : canonical HDF5 file; its classes say which networks' decisions have an accuracy.
    out : made if it is not there.
    accuracy : CSV with one row for each network and sample, accuracy empty where the labels of the
        stimuli are not among the network's decisions.
    positions, dtype : of the activations, see `extract.Extraction`.
    n_folds, seed : of the folds, see `alignment.store.write_moments`.
    code : digest of the code of this job.
    kept : folder where activations stay, as ``<sample.name>/<network>.h5``, and from which those
        are taken that the same code made of the same weights and stimuli. With None, activations
        are never files: those of a sample are held in memory if half of what `write_moments` may
        take is enough for all networks, and else made when they are read.

    Raises
    ------
    ValueError
        For a checkpoint of another config, naming the key that differs; for a layer that a
        network's graph lacks, with the names it has; for activations that overflow `dtype`.
    """
    about = read_summary(dataset)
    how = Extraction(positions, dtype, len(about["classes"]), code)
    loader = Loader(about)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[list[Any]] = []

    def write(sample: ShownSample, activations: Sequence[Path | Activations]) -> None:
        write_moments(
            activations,
            out / f"{sample.name}.h5",
            mapped=sample.mapped,
            n_folds=n_folds,
            seed=seed,
            shuffled=True,
            between=sample.between,
        )

    def rows_of(sample: ShownSample) -> list[list[Any]]:
        stimuli = read_stimuli(Path(sample.stimuli))
        if kept is None:
            live = _live(sample, stimuli, loader, how)
            write(sample, live)
            return [_row(network.attrs, network.accuracy, network.n) for network in live]
        files = _extract_all(sample, stimuli, loader, kept / sample.name, how)
        write(sample, files)
        return [_row_of_file(file) for file in files]

    for sample in track(samples, out.name):
        loader.keep_only(sample.networks, sample.step)
        rows += rows_of(sample)
    with replace_when_done(accuracy) as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ACCURACY_COLUMNS)
        writer.writerows(rows)


def _live(
    sample: ShownSample, stimuli: Stimuli, loader: Loader, how: Extraction
) -> list[LiveActivations]:
    networks = [
        LiveActivations(loader, shown, sample.step, stimuli, how) for shown in sample.networks
    ]
    # The other half is for sums: a block of what is held takes nothing more.
    if sum(network.bytes for network in networks) <= MEMORY // 2:
        for network in networks:
            network.hold()
    return networks


def _extract_all(
    sample: ShownSample, stimuli: Stimuli, loader: Loader, folder: Path, how: Extraction
) -> list[Path]:
    files = []
    for shown in sample.networks:
        path = folder / f"{shown.name}.h5"
        extract(loader.load(shown, sample.step), stimuli, path, how)
        files.append(path)
    return files


def _row_of_file(path: Path) -> list[Any]:
    with h5py.File(path) as file:
        return _row(file.attrs, file.attrs["accuracy"], len(next(iter(file["layers"].values()))))


def _row(about: Mapping[str, Any], accuracy: float, n: int) -> list[Any]:
    counted = {**about, "accuracy": "" if math.isnan(accuracy) else accuracy, "n": n}
    return [counted[column] for column in ACCURACY_COLUMNS]
