"""Fold moments and accuracies of networks for a block of stimulus sets.

Activations wait in files, one for each network, until the moments of their stimulus set are made.
"""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.activations.extract import Extraction, extract
from convergent_learning.activations.loaded import Loader
from convergent_learning.activations.shown import ShownSample
from convergent_learning.alignment.positions import Positions
from convergent_learning.alignment.store import write_moments
from convergent_learning.datasets.canonical import read_summary
from convergent_learning.files import replace_when_done
from convergent_learning.progress import track
from convergent_learning.stimuli.stimulus_files import read_stimuli


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
        are taken that the same code made of the same weights and stimuli. None deletes the
        activations of a sample once its moments are made.

    Raises
    ------
    ValueError
        For a checkpoint of another config, naming the key that differs; for a layer that a
        network's graph lacks, with the names it has; for activations that overflow `dtype`.
    """
    about = read_summary(dataset)
    how = Extraction(positions, dtype, len(about["classes"]), code, stays=kept is not None)
    loader = Loader(about)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for sample in track(samples, out.name):
        with _folder(sample, out, kept) as folder:
            files = _extract_all(sample, loader, folder, how)
            rows += [_accuracy_row(file) for file in files]
            write_moments(
                files,
                out / f"{sample.name}.h5",
                mapped=sample.mapped,
                n_folds=n_folds,
                seed=seed,
                shuffled=True,
                pairs=sample.pairs,
            )
    with replace_when_done(accuracy) as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ACCURACY_COLUMNS)
        writer.writerows(rows)


@contextmanager
def _folder(sample: ShownSample, out: Path, kept: Path | None) -> Iterator[Path]:
    """Where the activations of a sample go: to stay, or as long as the block runs."""
    if kept is not None:
        yield kept / sample.name
        return
    folder = out.parent / f".{out.name}.activations"
    # A job that was killed may have left some.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _extract_all(sample: ShownSample, loader: Loader, folder: Path, how: Extraction) -> list[Path]:
    stimuli = read_stimuli(Path(sample.stimuli))
    loader.keep_only(sample.networks, sample.step)
    files = []
    for shown in sample.networks:
        path = folder / f"{shown.name}.h5"
        extract(loader.load(shown, sample.step), stimuli, path, how)
        files.append(path)
    return files


def _accuracy_row(path: Path) -> list[Any]:
    with h5py.File(path) as file:
        about = dict(file.attrs)
        n = len(next(iter(file["layers"].values())))
    share = about["accuracy"]
    counted = {**about, "accuracy": "" if math.isnan(share) else share, "n": n}
    return [counted[column] for column in ACCURACY_COLUMNS]
