"""Jobs that score alignment from moments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convergent_learning.config.experiment import IDENTITY, Sample, Tile
from convergent_learning.config.jobs import Files, Job, job

CONTEXT_METRIC = "context"
# Metrics that a rotation of the basis can lower, and whose figure shows it.
ROTATED_METRICS = ("permutation",)
# Blocks that hold every layer pair of every network pair.
WHOLE_BLOCKS = ("final", "untrained")


class ScoreJobs(Files):
    """One job for each block and metric, or for each tile of its pairs."""

    def scores(self, dataset: str, block: str, samples: list[Sample]) -> Iterator[Job]:
        whole = block in WHOLE_BLOCKS
        moments = [self.moments_file(dataset, sample) for sample in samples]
        transfer = []
        if block in self.experiment.paired():
            # The ID maps are tried on the same images, changed.
            last = self.experiment.steps(dataset)[-1]
            transfer = [self.moments_file(dataset, Sample(IDENTITY, last))]
        for metric in [*self.experiment.metrics, *([CONTEXT_METRIC] if whole else [])]:
            for tile in self.experiment.tiles(dataset, block, within=metric == CONTEXT_METRIC):
                yield self._score_job(
                    "scores",
                    dataset,
                    block,
                    metric,
                    tile,
                    samples,
                    {"moments": moments, "transfer": transfer},
                    # Raw means are context, in distribution only.
                    {"centers": ["position", "unit"] if whole else ["position"]},
                )
        for metric in self.experiment.metrics:
            if whole and metric in ROTATED_METRICS:
                for tile in self.experiment.tiles(dataset, block, within=True):
                    inputs = {"moments": moments}
                    yield self._score_job(
                        "rotated_scores", dataset, block, metric, tile, samples, inputs, {}
                    )

    def _score_job(
        self,
        rule: str,
        dataset: str,
        block: str,
        metric: str,
        tile: Tile,
        samples: list[Sample],
        inputs: dict[str, list[str]],
        params: dict[str, Any],
    ) -> Job:
        wildcards = {"dataset": dataset, "block": block, "metric": metric, "tile": tile.name}
        return job(
            rule,
            "scores",
            wildcards,
            inputs,
            [getattr(self.paths, rule).format(**wildcards)],
            # None for all pairs: a file's name changes with the split, its rows do not.
            params | {"between": tile.sides if tile.name else None},
            dataset=dataset,
            samples=samples,
            tile=tile,
            metric=metric,
        )
