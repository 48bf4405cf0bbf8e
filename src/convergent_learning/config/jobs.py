"""A job of the workflow, and where its files lie. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convergent_learning.config.experiment import Condition, Experiment, Network, Sample
from convergent_learning.config.paths import DATASET, NAMES, Paths

STAGES = ("dataset", "stimuli", "training", "activations", "moments", "scores", "figures")


@dataclass(frozen=True)
class Job:
    """A job of `rule`, which is one of `stage`.

    `wildcards` tell it from other jobs of its rule; `inputs` and `params` are what the rule gives
    to its script; `named` is the name of a job that `paths.NAMES` does not know. The rest says what
    its work is, for `work.py`.
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

    @property
    def name(self) -> str:
        """That of its log, benchmark and record."""
        return self.named or NAMES[self.rule].format(**self.wildcards)

    @property
    def kind(self) -> str:
        """Jobs of one kind need memory alike."""
        return self.stage


def sample_wildcards(dataset: str, sample: Sample) -> dict[str, str]:
    """What tells the files of a sample from those of others."""
    return {"dataset": dataset, "slug": sample.condition.slug, "step": str(sample.step)}


class Files:
    """The files of `experiment`, by what is in them."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.paths = Paths(experiment.name)

    def dataset_file(self, dataset: str) -> str:
        return DATASET.format(dataset=dataset)

    def network_folder(self, dataset: str, network: Network) -> str:
        return self.paths.network.format(dataset=dataset, network=network.name)

    def stimulus_set(self, dataset: str, condition: Condition) -> str:
        return self.paths.stimuli.format(dataset=dataset, slug=condition.slug)

    def moments_file(self, dataset: str, sample: Sample) -> str:
        return self.paths.moments.format(**sample_wildcards(dataset, sample))

    def accuracy_file(self, dataset: str, sample: Sample) -> str:
        return self.paths.accuracy.format(**sample_wildcards(dataset, sample))

    def checkpoint(self, dataset: str, network: Network, step: int) -> str:
        return f"{self.network_folder(dataset, network)}/step{step}.safetensors"
