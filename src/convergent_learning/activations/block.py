"""Fold moments and accuracies of networks for a block of stimulus sets."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.activations.extract import extract
from convergent_learning.activations.forward import Extraction
from convergent_learning.activations.given import GivenActivations
from convergent_learning.activations.live import LiveActivations
from convergent_learning.activations.loaded import Loader
from convergent_learning.activations.shown import ActivationFile, ShownSample
from convergent_learning.alignment.positions import Positions
from convergent_learning.alignment.store import default_memory, write_moments
from convergent_learning.datasets.canonical import read_summary
from convergent_learning.files import replace_when_done
from convergent_learning.progress import track
from convergent_learning.stimuli.stimulus_files import read_stimuli

LAYER_COLUMNS = (
    *("dataset", "group", "layer", "depth", "role"),
    *("units", "positions", "height", "width"),
)


def write_block(
    samples: Sequence[ShownSample],
    dataset: Path,
    out: Path,
    accuracy: Path,
    layers: Path,
    *,
    positions: Positions,
    dtype: str,
    n_folds: int,
    seed: int,
    code: Mapping[str, str],
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
    layers : CSV with one row for each layer of each group of networks, see ``LAYER_COLUMNS``.
    positions, dtype : of the activations, see `extract.Extraction`.
    n_folds, seed : of the folds, see `alignment.store.write_moments`.
    code : digests of the code of this job, see `forward.Extraction`.
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
    block = Block(dataset, positions, dtype, n_folds, seed, code, kept)
    out.mkdir(parents=True, exist_ok=True)
    for sample in track(samples, out.name):
        block.fold(sample, out / f"{sample.name}.h5")
    block.write_facts(accuracy, layers)


class Block:
    """Networks' responses to the stimulus sets of a block; arguments as `write_block`."""

    def __init__(
        self,
        dataset: Path,
        positions: Positions,
        dtype: str,
        n_folds: int,
        seed: int,
        code: Mapping[str, str],
        kept: Path | None,
    ):
        about = read_summary(dataset)
        self._how = Extraction(positions, dtype, len(about["classes"]), code)
        self._loader = Loader(about)
        self.n_folds, self.seed, self._kept = n_folds, seed, kept
        self._rows: list[list[Any]] = []
        self._layers: dict[str, list[list[Any]]] = {}

    def fold(self, sample: ShownSample, out: Path | h5py.File, counted: bool = True) -> None:
        """Write the moments of a sample; unless it is not `counted`, remember its accuracies."""
        activations = self.activations(sample)
        write_moments(
            activations,
            out,
            mapped=sample.mapped,
            n_folds=self.n_folds,
            seed=self.seed,
            shuffled=True,
            pairs=sample.pairs,
        )
        if counted:
            for network in activations:
                self._remember(network)

    def write_facts(self, accuracy: Path, layers: Path) -> None:
        """Write the accuracies of all samples, and the layers, as CSV."""
        _write(accuracy, ACCURACY_COLUMNS, self._rows)
        _write(layers, LAYER_COLUMNS, [row for rows in self._layers.values() for row in rows])

    def _remember(self, activations: Path | LiveActivations | GivenActivations) -> None:
        if not isinstance(activations, Path):
            about, share = activations.attrs, activations.accuracy
            layers, shapes = activations.layers, activations.shapes
        else:
            with h5py.File(activations) as file:
                about = dict(file.attrs)
                share = about["accuracy"]
                stored = sorted(file["layers"].values(), key=lambda layer: layer.attrs["order"])
                layers = {layer.attrs["layer"]: dict(layer.attrs) for layer in stored}
                shapes = {layer.attrs["layer"]: layer.shape for layer in stored}
        n = next(iter(shapes.values()))[0]
        counted = {**about, "accuracy": "" if math.isnan(share) else share, "n": n}
        self._rows.append([counted[column] for column in ACCURACY_COLUMNS])
        self._layers[about["group"]] = [
            _layer_row(about, layer, shapes[name]) for name, layer in layers.items()
        ]

    def activations(
        self, sample: ShownSample
    ) -> Sequence[Path | LiveActivations | GivenActivations]:
        """Those of all networks of a sample, in its order; files only if they are `kept`."""
        self._loader.keep_only(sample.networks, sample.step)
        stimuli = read_stimuli(Path(sample.stimuli))
        activations: list[Path | LiveActivations | GivenActivations] = []
        for shown in sample.networks:
            if isinstance(shown.source, ActivationFile):
                path, step = Path(shown.source.path), shown.source.step
                activations.append(
                    GivenActivations(shown, path, step, self._loader.dataset, stimuli, self._how)
                )
            elif self._kept is None:
                live = LiveActivations(self._loader, shown, sample.step, stimuli, self._how)
                activations.append(live)
            else:
                kept = self._kept / sample.name / f"{shown.name}.h5"
                extract(self._loader.load(shown, sample.step), stimuli, kept, self._how)
                activations.append(kept)
        live_ones = [each for each in activations if isinstance(each, LiveActivations)]
        # The other half is for sums: a block of what is held takes nothing more.
        if sum(network.bytes for network in live_ones) <= default_memory() // 2:
            for network in live_ones:
                network.hold()
        return activations


def _write(out: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with replace_when_done(out) as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _layer_row(
    about: Mapping[str, Any], layer: Mapping[str, Any], shape: tuple[int, ...]
) -> list[Any]:
    height, width = shape[2:] or (1, 1)
    known = {**about, **layer, "units": shape[1], "positions": height * width}
    known |= {"height": height, "width": width}
    return [known[column] for column in LAYER_COLUMNS]
