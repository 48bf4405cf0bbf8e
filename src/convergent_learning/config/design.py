"""The jobs that a config means: the one place that knows the workflow's graph.

Rules take inputs, parameters, memory and time of their jobs from here, and `plan` adds up the same
jobs. `network_jobs`, `block_jobs` and `figure_jobs` say what they are. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from convergent_learning.config.anchor_jobs import anchor_jobs
from convergent_learning.config.block_jobs import BlockJobs
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.figure_jobs import FigureJobs
from convergent_learning.config.jobs import BlockJob, Files, Job
from convergent_learning.config.network_jobs import NetworkJobs
from convergent_learning.config.recording_jobs import RecordingJobs

Key = tuple[str, tuple[tuple[str, str], ...]]


class Design(Files):
    """All jobs of `experiment`, in the order of the work."""

    def __init__(self, experiment: Experiment):
        super().__init__(experiment)
        self._networks, self._blocks = NetworkJobs(experiment), BlockJobs(experiment)
        self._recordings = RecordingJobs(experiment)

    @cached_property
    def anchors(self) -> list[BlockJob]:
        """Jobs that `verify` asks for, and nothing else."""
        return anchor_jobs(self.experiment)

    @cached_property
    def jobs(self) -> list[Job]:
        jobs = [*self._networks.precision(), *self._recordings.recordings()]
        for dataset in self.experiment.datasets:
            jobs += self._of_dataset(dataset)
        comparing = [job for job in jobs if isinstance(job, BlockJob)]
        return [*jobs, *FigureJobs(self.experiment, comparing).all()]

    def benchmarks(self, checkout: Path = Path()) -> list[tuple[str, Path]]:
        """Stage and benchmark file of every job, in the `results` of a checkout."""
        return [(job.stage, checkout / self.benchmark(job)) for job in self.jobs]

    def job(self, rule: str, wildcards: Mapping[str, str] | None = None) -> Job:
        """The job of a rule with these wildcards, or its only one."""
        return self._by_key[_key(rule, wildcards or {})]

    def values(self, wildcard: str) -> list[str]:
        """What a wildcard stands for in some job."""
        found = (job.wildcards[wildcard] for job in self.jobs if wildcard in job.wildcards)
        return list(dict.fromkeys(found))

    @cached_property
    def _by_key(self) -> dict[Key, Job]:
        jobs = [*self.jobs, *self.anchors]
        return {_key(job.rule, job.wildcards): job for job in jobs}

    def _of_dataset(self, dataset: str) -> Iterator[Job]:
        yield self._networks.dataset(dataset)
        yield from self._networks.stimuli(dataset)
        yield from self._networks.trainings(dataset)
        for block, samples in self.experiment.blocks(dataset).items():
            yield from self._blocks.of_block(dataset, block, samples)
        yield from self._recordings.of_dataset(dataset)


def _key(rule: str, wildcards: Mapping[str, str]) -> Key:
    return rule, tuple(sorted(wildcards.items()))
