"""Jobs that compare networks with recordings: their files, their images, the scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from convergent_learning.activations.shown import ShownSample
from convergent_learning.config.block_jobs import BlockJobs
from convergent_learning.config.experiment import Condition, Network, Sample, Tile
from convergent_learning.config.jobs import Job
from convergent_learning.recordings.canonical import sources
from convergent_learning.recordings.recording import MAPPED

# Kinds of files of a recording's scores.
SCORED = ("scores", "resampled", "shuffled")


class RecordingJobs(BlockJobs):
    """Every network is shown a recording's images at every checkpoint."""

    def recordings(self) -> Iterator[Job]:
        """Jobs that make the files of recordings, which all experiments share."""
        for entry in self.experiment.config.recordings:
            yield Job(
                "recording",
                "dataset",
                {"recording": entry.name},
                {"sources": sources(entry.dump())},
                [self.recording_file(entry.name)],
                {"entry": entry.dump()},
            )

    def of_dataset(self, dataset: str) -> Iterator[Job]:
        """Jobs that show the recordings' images to the networks of a dataset, and score them."""
        for entry in self.experiment.config.recordings:
            wildcards = {"dataset": dataset, "recording": entry.name}
            condition = Condition(entry.name)
            steps = self.experiment.steps(dataset)
            samples = [Sample(condition, step) for step in steps]
            shown = {sample: self._shown_networks(dataset, sample) for sample in samples}
            recording = [self.recording_file(entry.name)]
            yield Job(
                "recording_stimuli",
                "stimuli",
                wildcards,
                {"recording": recording},
                [self.recorded_stimuli(dataset, entry.name)],
                {"side": self.experiment.dataset(dataset).info.side},
                dataset=dataset,
                samples=samples[:1],
            )
            yield Job(
                "recording_scores",
                "scores",
                wildcards,
                {
                    **self._shown_files(dataset, shown),
                    "dataset": [self.dataset_file(dataset)],
                    "stimuli": [self.recorded_stimuli(dataset, entry.name)],
                    "recording": recording,
                },
                [self.recorded_file(dataset, entry.name, kind) for kind in SCORED],
                {
                    "samples": [self._shown_to(dataset, sample) for sample in samples],
                    "asked": self._asked_of(dataset),
                },
                dataset=dataset,
                networks=self.experiment.networks,
                samples=samples,
            )

    def _shown_networks(self, dataset: str, sample: Sample) -> Sequence[Network]:
        # Of activations alone nobody knows what a recording's images would give.
        everyone = Tile("", tuple(n for n in self.experiment.networks if n.given is None), ())
        return self.experiment.shown(dataset, sample, everyone).networks

    def _shown_to(self, dataset: str, sample: Sample) -> ShownSample:
        networks = self._shown_networks(dataset, sample)
        return ShownSample(
            self.recorded_stimuli(dataset, sample.condition.stimuli),
            sample.step,
            tuple(self._shown(dataset, network, sample) for network in networks),
            (),
            sample.name,
            (),
        )

    def _asked_of(self, dataset: str) -> dict[str, Any]:
        """See `activations.recorded.Asked`."""
        steps, alignment = self.experiment.steps(dataset), self.experiment.config.alignment
        epochs = {self.experiment.first_epoch(dataset, name) for name in self.experiment.groups}
        return {
            "metrics": tuple(m for m in self.experiment.metrics if m in MAPPED),
            "mapped_steps": tuple(sorted({steps[0], *epochs, steps[-1]})),
            "resampled_steps": (steps[0], steps[-1]),
            "n_folds": alignment.folds,
            "ridge": alignment.ridge,
            "seed": self.experiment.seed,
        }
