"""Scores of networks with the systems of a recording: layer by layer, at every checkpoint."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from PIL import Image

from convergent_learning.activations.forward import Extraction, forward
from convergent_learning.activations.loaded import LoadedNetwork, Loader
from convergent_learning.activations.shown import BATCH, ShownSample
from convergent_learning.alignment import FewRowsWarning, score
from convergent_learning.alignment.dissimilarities import (
    dissimilarities,
    spearman,
    standard_ranks,
)
from convergent_learning.alignment.fold_scores import FORWARD
from convergent_learning.alignment.ridge import Ridge
from convergent_learning.datasets.canonical import read_summary
from convergent_learning.files import replace_when_done
from convergent_learning.progress import track
from convergent_learning.randomness import derived_seed
from convergent_learning.recordings import rsa
from convergent_learning.recordings.canonical import read_recording
from convergent_learning.recordings.recording import RSA
from convergent_learning.recordings.systems import ScoredSystem, scored_systems
from convergent_learning.stimuli.stimulus_files import Stimuli, read_stimuli, writing_stimuli

SCORES = ("system", "group", "seed", "step", "layer", "metric", "direction", "subject")
DRAWS = ("system", "group", "step", "layer", "draw", "score")
_MEAN = "mean"
_DRAWN = 256  # units that stand for all of a wider layer where it is mapped onto, or matched
_LOG = logging.getLogger(__name__)
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Asked:
    """What is asked of a recording.

    metrics : those of `recording.MAPPED` that recorded responses are mapped by, beside `rsa`.
    mapped_steps : steps at which they are: a map costs a thousand times what `rsa` does.
    resampled_steps : steps at which stimuli and subjects are resampled, for intervals.
    n_folds, ridge, seed : see `alignment.api.score`.
    resamples, shuffles : draws of each.
    """

    metrics: tuple[str, ...]
    mapped_steps: tuple[int, ...]
    resampled_steps: tuple[int, ...]
    n_folds: int
    ridge: Ridge
    seed: int
    resamples: int = 1000
    shuffles: int = 999


def write_recording_scores(
    samples: Sequence[ShownSample],
    dataset: Path,
    recording: Path,
    out: Mapping[str, Path],
    how: Extraction,
    asked: Asked,
) -> None:
    """Score all networks of `samples` with every system of a recording.

    Parameters
    ----------
    samples : the recording's images as they are shown at each step; the networks of the last one
        are tested for a best layer.
    dataset : canonical file of the dataset, whose mean and std normalise the images.
    recording : canonical file of the recording (`recordings.canonical`).
    out : parquet files to write, all with the columns dataset and recording. `scores`: `SCORES`,
        `score` and `normalised`, by the unit ceilings of the recording; `resampled` and `shuffled`:
        `DRAWS`, the mean score over the networks of a group, of `rsa`, in draws of stimuli and
        subjects, and with stimuli permuted.

    Raises
    ------
    ValueError
        As `activations.block.write_block`, and naming a system without a unit to score.
    """
    known, about = read_recording(recording), read_summary(dataset)
    scores = _Scores(scored_systems(known), known.name, asked, samples[-1].step)
    loader = Loader(about)
    for sample in track(samples, known.name):
        loader.keep_only(sample.networks, sample.step)
        stimuli = read_stimuli(Path(sample.stimuli))
        for shown in sample.networks:
            network = loader.load(shown, sample.step)
            scores.add(network, sample.step, _responses(network, stimuli, how))
    tables = {"scores": scores.table(), "resampled": scores.resampled, "shuffled": scores.shuffled}
    for name, frame in tables.items():
        with replace_when_done(out[name]) as partial:
            named = frame.assign(dataset=about["dataset"], recording=known.name)
            named.to_parquet(partial, index=False)


def write_recorded_stimuli(recording: Path, dataset: str, side: int, out: Path) -> None:
    """Write the images of a recording as a stimulus set for networks of a dataset.

    Each is cropped to its centre square and scaled to `side` pixels (bilinear, antialiased).
    """
    known = read_recording(recording)
    n = len(known.images)
    attributes = {
        "dataset": dataset,
        "classes": "[]",
        "decision": "",
        "paired": False,
        "stimuli": known.name,
        "condition": "",
        "seed": 0,
    }
    shape, nameless = (n, side, side, 3), np.full(n, -1)
    with writing_stimuli(out, shape, nameless, np.arange(n), attributes) as append:
        for image in known.images:
            append(np.asarray(_squared(Image.fromarray(image), side))[None])


def _squared(image: Image.Image, side: int) -> Image.Image:
    least = min(image.size)
    left, top = ((whole - least) // 2 for whole in image.size)
    square = image.crop((left, top, left + least, top + least))
    return square.resize((side, side), Image.Resampling.BILINEAR)


def _responses(
    network: LoadedNetwork, stimuli: Stimuli, how: Extraction
) -> dict[str, torch.Tensor]:
    """Responses (n, units) of each layer, in depth order: every unit at every kept position."""
    layers = network.shown.layer_names
    parts = [
        forward(network, stimuli, slice(start, start + BATCH), layers, how)[0]
        for start in range(0, len(stimuli.images), BATCH)
    ]
    return {name: torch.cat([part.pop(name).flatten(1) for part in parts]) for name in layers}


@dataclass
class _Sum:
    """The sum over networks of arrays, and of how many."""

    total: np.ndarray | float = 0.0
    networks: int = 0

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.total / self.networks)


def _add(sums: dict[_Key, _Sum], key: _Key, values: np.ndarray) -> None:
    held = sums.setdefault(key, _Sum())
    held.total, held.networks = held.total + values, held.networks + 1


def _frame(draws: np.ndarray, **keys: object) -> pd.DataFrame:
    """Scores (draws,) as rows of the columns `DRAWS`."""
    return pd.DataFrame({**keys, "draw": np.arange(len(draws)), "score": draws})


class _Place(NamedTuple):
    """What a score is of, besides its metric."""

    system: str
    group: str
    seed: int
    step: int
    layer: str


class _Scores:
    """Scores of one network after another."""

    def __init__(self, systems: Sequence[ScoredSystem], name: str, asked: Asked, last_step: int):
        self._systems, self._asked, self._last = systems, asked, last_step
        self._name = name
        self._resamples = {
            system.name: rsa.Resamples.of(
                system.n, len(system.ranks), asked.resamples, asked.seed, name
            )
            for system in systems
        }
        self._spreads = {
            system.name: [self._resamples[system.name].spread(ranks) for ranks in system.ranks]
            for system in systems
        }
        self._rows: list[dict[str, object]] = []
        self._resampled: dict[tuple[str, str, int, str], _Sum] = {}
        self._last_ranks: dict[tuple[str, str], _Sum] = {}

    def add(self, network: LoadedNetwork, step: int, responses: Mapping[str, torch.Tensor]) -> None:
        """Score the responses (n, units) of the layers of a network at a step."""
        shown = network.shown
        ranks = {
            layer: standard_ranks(dissimilarities(patterns))
            for layer, patterns in responses.items()
        }
        for layer, found in ranks.items():
            if np.isnan(found).any():
                _LOG.warning(
                    "layer %s of %s, step %d: an image without a pattern, no rsa",
                    *(layer, shown.name, step),
                )
        for system in self._systems:
            for layer, found in ranks.items():
                place = _Place(system.name, shown.group, shown.seed, step, layer)
                self._add_rsa(system, place, found)
                if system.responses is not None and step in self._asked.mapped_steps:
                    self._add_maps(system, place, responses[layer])
        if step == self._last:
            for layer, found in ranks.items():
                _add(self._last_ranks, (shown.group, layer), found)

    def _add_rsa(self, system: ScoredSystem, place: _Place, ranks: np.ndarray) -> None:
        found = spearman(ranks[None], system.ranks)[0]
        each = enumerate(found, 1) if len(found) > 1 else ()
        for subject, value in [(_MEAN, found.mean()), *each]:
            row = {"metric": RSA, "direction": "", "subject": str(subject), "score": value}
            self._rows.append({**place._asdict(), **row, "normalised": np.nan})
        if place.step in self._asked.resampled_steps:
            key = (place.system, place.group, place.step, place.layer)
            draws = self._resamples[system.name].scores(
                ranks, system.ranks, self._spreads[system.name]
            )
            _add(self._resampled, key, draws)

    def _add_maps(self, system: ScoredSystem, place: _Place, responses: torch.Tensor) -> None:
        assert system.responses is not None, "a system of responses"
        layer, recorded = responses.float().cpu(), torch.from_numpy(system.responses)
        if not layer.std(dim=0).any():
            _LOG.warning("%s: no live unit, no map", place)
            return
        turned, drawn = rotated(layer), self._drawn(layer)
        for metric in self._asked.metrics:
            if metric == "soft_matching":
                value = self._score(metric, drawn, recorded)
                ways = {"to": value, "from": value}
            else:
                ways = {
                    # Linear and Procrustes maps do not depend on a rotation of the source.
                    "to": self._score(metric, turned, recorded, layer),
                    "from": self._score(metric, recorded, drawn),
                }
            for direction, value in ways.items():
                noisy = direction == "to" or metric == "soft_matching"
                row = {"metric": metric, "direction": direction, "subject": _MEAN, "score": value}
                noise = system.ceiling if noisy else np.nan
                self._rows.append({**place._asdict(), **row, "normalised": value / noise})

    def _score(
        self,
        metric: str,
        source: torch.Tensor,
        target: torch.Tensor,
        before: torch.Tensor | None = None,
    ) -> float:
        """Of source (n, p) onto target (n, q); the source may be rotated from `before` (n, units).

        A fixed penalty is shared out over the units that vary, of which a rotation leaves fewer.
        """
        asked, ridge = self._asked, self._asked.ridge
        if before is not None and not isinstance(ridge, str):
            ridge *= source.shape[1] / int((before.std(dim=0) > 0).sum())
        with warnings.catch_warnings():
            # Of every layer: images are as many as were shown to the system.
            warnings.simplefilter("ignore", FewRowsWarning)
            found = score(
                source,
                target,
                metric,
                n_folds=asked.n_folds,
                seed=asked.seed,
                ridge=ridge,
                directions=(FORWARD,),
            )
        return found[metric].mean

    def _drawn(self, layer: torch.Tensor) -> torch.Tensor:
        """All units of a layer, or as many as are enough, the same of all layers as wide."""
        width = layer.shape[1]
        if width <= _DRAWN:
            return layer
        rng = np.random.default_rng(derived_seed("units of a layer", self._asked.seed, width))
        return layer[:, np.sort(rng.choice(width, _DRAWN, replace=False))]

    def table(self) -> pd.DataFrame:
        """All scores."""
        return pd.DataFrame(self._rows, columns=[*SCORES, "score", "normalised"])

    @property
    def resampled(self) -> pd.DataFrame:
        return _joined(
            _frame(draws.mean, system=system, group=group, step=step, layer=layer)
            for (system, group, step, layer), draws in self._resampled.items()
        )

    @property
    def shuffled(self) -> pd.DataFrame:
        """Scores at the last step of the layers that have one in all networks of their group."""
        return _joined(frame for system in self._systems for frame in self._shuffled(system))

    def _shuffled(self, system: ScoredSystem) -> Iterator[pd.DataFrame]:
        means = {key: ranks.mean for key, ranks in self._last_ranks.items()}
        known = {key: mean for key, mean in means.items() if np.isfinite(mean).all()}
        if not known:
            return
        ranks, asked = np.stack([*known.values()]), self._asked
        found = rsa.shuffled(ranks, system.ranks, asked.shuffles, asked.seed, self._name)
        for (group, layer), draws in zip(known, found.T, strict=True):
            yield _frame(draws, system=system.name, group=group, step=self._last, layer=layer)


def rotated(responses: torch.Tensor) -> torch.Tensor:
    """Responses (n, units) on their principal axes, n − 1 at most: centred, nothing else is lost.

    Linear and Procrustes maps of a source do not depend on a rotation of it.
    """
    n, units = responses.shape
    if units < n:
        return responses
    centred = (responses - responses.mean(0)).double()
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    kept = values > values[-1] * n * torch.finfo(torch.float32).eps
    return (vectors[:, kept] * values[kept].sqrt()).float()


def _joined(frames: Iterator[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(columns=[*DRAWS]), *frames], ignore_index=True)
