"""Jobs that score the anchors: trained networks that a reference ships, the same on every machine.

They are shown everything that the experiment's networks are shown after training, and scored alike:
whatever differs from the reference's scores was not computed as the reference was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from convergent_learning.config.block_jobs import BlockJobs
from convergent_learning.config.experiment import Experiment, Network, Sample
from convergent_learning.config.jobs import BlockJob
from convergent_learning.config.paths import AnchorPaths
from convergent_learning.training.plan import TrainingPlan

_AFTER_TRAINING_ONLY = ("untrained", "training")


def anchor_jobs(experiment: Experiment) -> list[BlockJob]:
    """One for each block of each dataset that has anchors; none where no network is one."""
    plans = _plans(Path(AnchorPaths(experiment.name).plans))
    return [
        job
        for dataset, plan_of in plans.items()
        for job in _AnchorJobs(experiment, dataset, plan_of).jobs
    ]


class _AnchorJobs(BlockJobs):
    """Jobs with the networks of which the reference of `experiment` holds final checkpoints."""

    def __init__(self, experiment: Experiment, dataset: str, plan_of: dict[str, TrainingPlan]):
        self._there = AnchorPaths(experiment.name)
        self._dataset, self._plan_of = dataset, plan_of
        super().__init__(_of_anchors(experiment, {*plan_of}))
        self.paths = self._there

    @property
    def jobs(self) -> list[BlockJob]:
        return [*self._of_blocks(self._dataset)] if self.experiment.networks else []

    def checkpoint(self, dataset: str, network: Network, step: int) -> str:
        return self._there.anchor.format(dataset=dataset, network=network.name)

    def _of_blocks(self, dataset: str) -> Iterator[BlockJob]:
        for block, samples in self.experiment.blocks(dataset).items():
            if block not in _AFTER_TRAINING_ONLY:
                [tile] = self.experiment.tiles(dataset, block)
                wildcards = {"dataset": dataset, "block": block}
                job = self._scored_block({**wildcards, "tile": tile.name}, samples, tile)
                yield replace(job, rule="anchors", wildcards=wildcards)

    def _source(self, dataset: str, network: Network, sample: Sample) -> tuple[str, TrainingPlan]:
        return self.checkpoint(dataset, network, sample.step), self._plan_of[network.name]


def _plans(path: Path) -> dict[str, dict[str, TrainingPlan]]:
    """How the anchors were trained, by dataset and name."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        dataset: {name: TrainingPlan.of(plan) for name, plan in plans.items()}
        for dataset, plans in content.items()
    }


def _of_anchors(experiment: Experiment, names: set[str]) -> Experiment:
    """The experiment with these networks only, which are all compared in one job."""
    groups = []
    for group in experiment.config.networks:
        seeds = {n.seed for n in experiment.trained if n.group == group.name and n.name in names}
        if seeds:
            kept = [seed for seed in group.seeds if seed in seeds]
            groups.append(group.model_copy(update={"seeds": kept}))
    alignment = experiment.config.alignment.model_copy(
        update={"networks_per_job": None, "partners": None}
    )
    changed = {"networks": groups, "alignment": alignment, "keep_activations": False}
    return Experiment(experiment.config.model_copy(update=changed))
