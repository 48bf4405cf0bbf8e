"""The jobs that a config means: the one place that knows the workflow's graph.

Rules take inputs, parameters, memory and time of their jobs from here, and `plan` adds up the same
jobs. `network_jobs`, `score_jobs` and `figure_jobs` say what they are. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from convergent_learning.config.experiment import Experiment
from convergent_learning.config.figure_jobs import FigureJobs
from convergent_learning.config.jobs import Job
from convergent_learning.config.network_jobs import NetworkJobs
from convergent_learning.config.paths import Paths
from convergent_learning.config.score_jobs import ScoreJob, ScoreJobs

Key = tuple[str, tuple[tuple[str, str], ...]]


class Design:
    """All jobs of `experiment`, in the order of the work."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.paths = Paths(experiment.name)

    @cached_property
    def jobs(self) -> list[Job]:
        jobs = [job for dataset in self.experiment.datasets for job in self._of_dataset(dataset)]
        scoring = [job for job in jobs if isinstance(job, ScoreJob)]
        return [*jobs, *FigureJobs(self.experiment, scoring).all()]

    def job(self, rule: str, wildcards: Mapping[str, str] | None = None) -> Job:
        """The job of a rule with these wildcards, or its only one."""
        return self._by_key[_key(rule, wildcards or {})]

    def values(self, wildcard: str) -> list[str]:
        """What a wildcard stands for in some job."""
        found = (job.wildcards[wildcard] for job in self.jobs if wildcard in job.wildcards)
        return list(dict.fromkeys(found))

    @cached_property
    def _by_key(self) -> dict[Key, Job]:
        return {_key(job.rule, job.wildcards): job for job in self.jobs}

    def _of_dataset(self, dataset: str) -> Iterator[Job]:
        networks, scores = NetworkJobs(self.experiment), ScoreJobs(self.experiment)
        yield networks.dataset(dataset)
        yield from networks.stimuli(dataset)
        yield from networks.trainings(dataset)
        blocks = self.experiment.blocks(dataset)
        for sample in {s.name: s for block in blocks.values() for s in block}.values():
            yield networks.activations(dataset, sample)
            yield networks.moments(dataset, sample)
        for block, samples in blocks.items():
            yield from scores.scores(dataset, block, samples)


def _key(rule: str, wildcards: Mapping[str, str]) -> Key:
    return rule, tuple(sorted(wildcards.items()))
