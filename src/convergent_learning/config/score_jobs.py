"""Jobs that score alignment from moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from convergent_learning.config.experiment import IDENTITY, Sample, Tile
from convergent_learning.config.jobs import Files, Job

CONTEXT_METRIC = "context"
# Metrics that a rotation of the basis can lower, and whose figure shows it.
ROTATED_METRICS = ("permutation",)
# Blocks that hold every layer pair of every network pair.
WHOLE_BLOCKS = ("final", "untrained")


@dataclass(frozen=True, kw_only=True)
class ScoreJob(Job):
    """A job that scores the pairs of `tile` by `metric`, which may be `CONTEXT_METRIC`."""

    tile: Tile
    metric: str

    @property
    def kind(self) -> str:
        return "scores:rotated" if self.rule == "rotated_scores" else f"scores:{self.metric}"


class ScoreJobs(Files):
    """One job for each block and metric, or for each tile of its pairs."""

    def scores(self, dataset: str, block: str, samples: list[Sample]) -> Iterator[ScoreJob]:
        whole = block in WHOLE_BLOCKS
        inputs = {"moments": [self.moments_file(dataset, sample) for sample in samples]}
        transfer = []
        if block in self.experiment.paired():
            # The ID maps are tried on the same images, changed.
            last = self.experiment.steps(dataset)[-1]
            transfer = [self.moments_file(dataset, Sample(IDENTITY, last))]
        # Raw means are context, in distribution only.
        params = {"centers": ["position", "unit"] if whole else ["position"]}
        for metric in [*self.experiment.metrics, *([CONTEXT_METRIC] if whole else [])]:
            for tile in self.experiment.tiles(dataset, block, within=metric == CONTEXT_METRIC):
                wildcards = _wildcards(dataset, block, metric, tile)
                given = inputs | {"transfer": transfer}
                yield self._score_job("scores", wildcards, given, params, samples, tile)
        for metric in self.experiment.metrics:
            if whole and metric in ROTATED_METRICS:
                for tile in self.experiment.tiles(dataset, block, within=True):
                    wildcards = _wildcards(dataset, block, metric, tile)
                    yield self._score_job("rotated_scores", wildcards, inputs, {}, samples, tile)

    def _score_job(
        self,
        rule: str,
        wildcards: Mapping[str, str],
        inputs: Mapping[str, list[str]],
        params: Mapping[str, Any],
        samples: list[Sample],
        tile: Tile,
    ) -> ScoreJob:
        return ScoreJob(
            rule,
            "scores",
            wildcards,
            inputs,
            [getattr(self.paths, rule).format(**wildcards)],
            # None for all pairs: a file's name changes with the split, its rows do not.
            {**params, "between": tile.sides if tile.name else None},
            dataset=wildcards["dataset"],
            samples=samples,
            tile=tile,
            metric=wildcards["metric"],
        )


def _wildcards(dataset: str, block: str, metric: str, tile: Tile) -> dict[str, str]:
    return {"dataset": dataset, "block": block, "metric": metric, "tile": tile.name}
