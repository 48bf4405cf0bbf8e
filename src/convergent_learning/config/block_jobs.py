"""Jobs that compare networks: moments of a block of samples, and the scores made from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from convergent_learning.activations.shown import Shown, ShownSample
from convergent_learning.config.experiment import IDENTITY, Network, Sample, Tile
from convergent_learning.config.jobs import BlockJob, Files

# Metrics that a rotation of the basis can lower, and whose figure shows it.
ROTATED_METRICS = ("permutation",)
# Blocks that hold every layer pair of every network pair.
WHOLE_BLOCKS = ("final", "untrained")


class BlockJobs(Files):
    """For each block of samples a job that makes its moments and one that scores them.

    With `alignment.networks_per_job` for each tile of the pairs.
    """

    def of_block(self, dataset: str, block: str, samples: Sequence[Sample]) -> Iterator[BlockJob]:
        for tile in self.experiment.tiles(dataset, block):
            wildcards = {"dataset": dataset, "block": block, "tile": tile.name}
            yield self._moments(wildcards, samples, tile)
            yield self._scores(wildcards, samples, tile)

    def _moments(
        self, wildcards: dict[str, str], samples: Sequence[Sample], tile: Tile
    ) -> BlockJob:
        dataset, block = wildcards["dataset"], wildcards["block"]
        shown = [self._shown_sample(dataset, sample, tile) for sample in samples]
        trained = [n for n in self._networks(dataset, samples[0], tile) if n.pretrained is None]
        ready = [n for n in self._networks(dataset, samples[0], tile) if n.pretrained is not None]
        return BlockJob(
            "moments",
            "moments",
            wildcards,
            {
                "checkpoints": [
                    self.checkpoint(dataset, n, step)
                    for step in dict.fromkeys(sample.step for sample in samples)
                    for n in trained
                ],
                "pretrained": [self.description(dataset, network) for network in ready],
                "dataset": [self.dataset_file(dataset)],
                "stimuli": list(dict.fromkeys(one.stimuli for one in shown)),
            },
            [
                self.moments_folder(dataset, block, tile),
                self.accuracy_file(dataset, block, tile),
            ],
            {
                "samples": shown,
                "kept": (
                    self.paths.activations.format(dataset=dataset)
                    if self.experiment.config.keep_activations
                    else None
                ),
            },
            dataset=dataset,
            networks=tile.networks,
            samples=samples,
            tile=tile,
        )

    def _shown_sample(self, dataset: str, sample: Sample, tile: Tile) -> ShownSample:
        networks = self._networks(dataset, sample, tile)
        mapped = self.experiment.mapped(dataset, sample)
        return ShownSample(
            self.stimulus_set(dataset, sample.condition),
            sample.step,
            tuple(self._shown(dataset, network, sample.step) for network in networks),
            tuple(network.name for network in networks if network in mapped),
            sample.name,
            self._pairs(tile),
        )

    def _networks(self, dataset: str, sample: Sample, tile: Tile) -> list[Network]:
        """Networks of the tile in the order of the config."""
        return [n for n in self.experiment.at(dataset, sample.step) if n in tile.networks]

    def _pairs(self, tile: Tile) -> tuple[tuple[str, str], ...] | None:
        """Names of the pairs of the tile; None for all that the block has."""
        alignment = self.experiment.config.alignment
        if alignment.networks_per_job is None and alignment.partners is None:
            return None
        return tuple((x.name, y.name) for x, y in tile)

    def _shown(self, dataset: str, network: Network, step: int) -> Shown:
        layers = self.experiment.layers(dataset, network.group)
        source = network.pretrained or (
            self.checkpoint(dataset, network, step),
            self.experiment.plan(dataset, network),
        )
        return Shown(network.group, network.seed, layers, source)

    def _scores(self, wildcards: dict[str, str], samples: Sequence[Sample], tile: Tile) -> BlockJob:
        dataset, block = wildcards["dataset"], wildcards["block"]
        whole = block in WHOLE_BLOCKS
        params: dict[str, Any] = {
            "samples": [sample.name for sample in samples],
            "identity": None,
            "metrics": self.experiment.metrics,
            # Raw means, other measures and rotations are context, in distribution only.
            "centers": ["position", "unit"] if whole else ["position"],
            "context": whole,
            "rotated": [m for m in self.experiment.metrics if whole and m in ROTATED_METRICS],
            "pairs": self._pairs(tile),
        }
        transfer = []
        if {sample.condition.stimuli for sample in samples} <= {*self.experiment.paired()}:
            # The ID maps are tried on the same images, changed.
            params["identity"] = Sample(IDENTITY, self.experiment.steps(dataset)[-1]).name
            transfer = [self.moments_folder(dataset, "final", tile)]
        return BlockJob(
            "scores",
            "scores",
            wildcards,
            {"moments": [self.moments_folder(dataset, block, tile)], "transfer": transfer},
            [self.paths.scores.format(**wildcards)],
            params,
            dataset=dataset,
            networks=tile.networks,
            samples=samples,
            tile=tile,
        )
