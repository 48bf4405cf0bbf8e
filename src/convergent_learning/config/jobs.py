"""A job of the workflow, and where its files lie. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convergent_learning.config.experiment import Condition, Experiment, Network, Sample, Tile
from convergent_learning.config.paths import (
    DATASET,
    NAMES,
    RECORDING,
    Folder,
    Paths,
    TrainedNetworks,
)

STAGES = ("dataset", "stimuli", "training", "moments", "scores", "figures")


@dataclass(frozen=True)
class Job:
    """A job of `rule`, which is one of `stage`.

    `wildcards` tell it from other jobs of its rule; `inputs` and `params` are what the rule gives
    to its script; `named` is the name of a job that `paths.NAMES` does not know; a
    `shared` one makes files that all experiments share. The rest says what its work is, for
    `work.py`.
    """

    rule: str
    stage: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, list[str]] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    named: str = ""
    dataset: str = ""
    networks: Sequence[Network] = ()
    samples: Sequence[Sample] = ()
    threads: int = 1
    shared: bool = False

    @property
    def name(self) -> str:
        """That of its log, benchmark and record."""
        return self.named or NAMES[self.rule].format(**self.wildcards)


@dataclass(frozen=True, kw_only=True)
class BlockJob(Job):
    """A job on the pairs of `tile`, at all samples of a block.

    `experiment` says which networks a sample has. That of anchors has no other networks.
    """

    tile: Tile
    experiment: Experiment


class Files:
    """The files of `experiment`, by what is in them."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.paths, self.trained = Paths(experiment.name), TrainedNetworks()

    def log(self, job: Job) -> str:
        return self._home(job).log(job.name)

    def benchmark(self, job: Job) -> str:
        return self._home(job).benchmark(job.name)

    def _home(self, job: Job) -> Folder:
        return self.trained if job.shared else self.paths

    def dataset_file(self, dataset: str) -> str:
        return DATASET.format(dataset=dataset)

    def recording_file(self, recording: str) -> str:
        return RECORDING.format(recording=recording)

    def recorded_stimuli(self, dataset: str, recording: str) -> str:
        """The images of a recording as networks of a dataset are shown them."""
        return self.paths.recorded_stimuli.format(dataset=dataset, recording=recording)

    def recorded_file(self, dataset: str, recording: str, kind: str) -> str:
        """The file of the networks' scores with a recording, or of draws of these scores."""
        return self.paths.recorded.format(dataset=dataset, recording=recording, kind=kind)

    def network_folder(self, dataset: str, network: Network) -> str:
        """The folder of a network that is trained here."""
        return self.trained.network.format(
            dataset=dataset, folder=self.experiment.folder(dataset, network)
        )

    def description(self, dataset: str, network: Network) -> str:
        """The description of a network that comes trained."""
        return self.paths.description.format(dataset=dataset, network=network.name)

    def stimulus_set(self, dataset: str, condition: Condition) -> str:
        return self.paths.stimuli.format(dataset=dataset, slug=condition.slug)

    def moments_folder(self, dataset: str, block: str, tile: Tile) -> str:
        return self.paths.moments.format(dataset=dataset, block=block, tile=tile.name)

    def score_file(self, job: BlockJob) -> str:
        """The file of the scores of a job's pairs."""
        return self.paths.scores.format(**job.wildcards)

    def shuffled_file(self, job: BlockJob) -> str:
        """The file of the scores of a job's pairs with permuted stimuli."""
        return self.paths.shuffled_scores.format(**job.wildcards)

    def accuracy_file(self, job: BlockJob) -> str:
        """The file of the accuracies of a job's networks."""
        return self.paths.accuracy.format(**job.wildcards)

    def layer_file(self, job: BlockJob) -> str:
        """The file of the layers of a job's networks."""
        return self.paths.layers.format(**job.wildcards)

    def checkpoint(self, dataset: str, network: Network, step: int) -> str:
        return f"{self.network_folder(dataset, network)}/step{step}.safetensors"

    def last_checkpoint(self, dataset: str, network: Network) -> str:
        """The last checkpoint of a network that is trained here."""
        step = self.experiment.last_step(dataset, network.group)
        return self.checkpoint(dataset, network, step)
