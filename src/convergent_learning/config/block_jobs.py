"""Jobs that compare networks: moments of a block of samples, and the scores made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from convergent_learning.activations.shown import ActivationFile, Shown, ShownSample
from convergent_learning.config.experiment import IDENTITY, Network, Sample, Tile
from convergent_learning.config.jobs import BlockJob, Files
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.training.plan import TrainingPlan

# Metrics that a rotation of the basis can lower, and whose figure shows it.
ROTATED_METRICS = ("permutation",)
# Blocks that hold every layer pair of every network pair.
WHOLE_BLOCKS = ("final", "untrained")
# The block whose scores are judged against permuted stimuli, and the metric of the layer × layer
# maps that are: that of C3.
CALIBRATED_BLOCK, MATCHED_METRIC = "final", "procrustes"
_THREADS_BESIDE_GPU = 8


class BlockJobs(Files):
    """For each block of samples a job that makes its moments and one that scores them.

    One job does both if moments are not kept. With `alignment.networks_per_job` there are jobs for
    each tile of the pairs that has networks at one of the samples.
    """

    def of_block(self, dataset: str, block: str, of_all: Sequence[Sample]) -> Iterator[BlockJob]:
        for tile in self.experiment.tiles(dataset, block):
            samples = [
                each for each in of_all if self.experiment.shown(dataset, each, tile).networks
            ]
            if not samples:
                continue
            wildcards = {"dataset": dataset, "block": block, "tile": tile.name}
            if self.experiment.config.keep_moments:
                yield self._moments(wildcards, samples, tile)
                yield self._scores(wildcards, samples, tile)
            else:
                yield self._scored_block(wildcards, samples, tile)
            if self.experiment.calibrated and block == CALIBRATED_BLOCK:
                yield from self._shuffled_scores(wildcards, samples, tile)

    def _moments(
        self, wildcards: dict[str, str], samples: Sequence[Sample], tile: Tile
    ) -> BlockJob:
        dataset, block = wildcards["dataset"], wildcards["block"]
        return BlockJob(
            "moments",
            "moments",
            wildcards,
            self._responses(dataset, samples, tile),
            [self.moments_folder(dataset, block, tile), *self._facts(wildcards)],
            {"samples": self._shown_samples(dataset, samples, tile), "kept": self._kept(dataset)},
            dataset=dataset,
            networks=tile.networks,
            samples=samples,
            tile=tile,
            experiment=self.experiment,
        )

    def _scored_block(
        self, wildcards: dict[str, str], samples: Sequence[Sample], tile: Tile
    ) -> BlockJob:
        """Moments and scores in one job: moments are then nowhere on the disk."""
        dataset = wildcards["dataset"]
        identity = self._fitted_on(dataset, samples)
        shown = [] if identity is None else [identity]
        return BlockJob(
            "scored_block",
            "scores",
            wildcards,
            self._responses(dataset, [*samples, *shown], tile),
            [self.paths.scores.format(**wildcards), *self._facts(wildcards)],
            {
                "samples": self._shown_samples(dataset, samples, tile),
                # Of the ID stimuli own layers are enough: the block `final` has the others.
                "identity": [
                    replace(one, mapped=()) for one in self._shown_samples(dataset, shown, tile)
                ],
                "kept": self._kept(dataset),
                **self._asked(wildcards["block"]),
            },
            dataset=dataset,
            networks=tile.networks,
            samples=samples,
            tile=tile,
            experiment=self.experiment,
            threads=self._threads,
        )

    def _responses(
        self, dataset: str, samples: Sequence[Sample], tile: Tile
    ) -> dict[str, list[str]]:
        """What the networks of a tile and the stimuli that they are shown are made of."""
        shown = {s: self.experiment.shown(dataset, s, tile).networks for s in samples}
        stimuli = [self.stimulus_set(dataset, sample.condition) for sample in samples]
        return {
            **self._shown_files(dataset, shown),
            "dataset": [self.dataset_file(dataset)],
            "stimuli": list(dict.fromkeys(stimuli)),
        }

    def _shown_files(
        self, dataset: str, shown: Mapping[Sample, Sequence[Network]]
    ) -> dict[str, list[str]]:
        """Files of the networks that samples are of, each once."""
        files: dict[str, list[str]] = {"checkpoints": [], "pretrained": []}
        for sample, networks in shown.items():
            for network in networks:
                source = self._source(dataset, network, sample)
                if isinstance(source, ActivationFile):
                    files["pretrained"].append(source.path)
                elif isinstance(source, Pretrained):
                    files["pretrained"].append(self.description(dataset, network))
                else:
                    files["checkpoints"].append(source[0])
        return {kind: list(dict.fromkeys(paths)) for kind, paths in files.items()}

    def _facts(self, wildcards: dict[str, str]) -> list[str]:
        """Files of what the networks of a tile are and know."""
        return [pattern.format(**wildcards) for pattern in (self.paths.accuracy, self.paths.layers)]

    def _kept(self, dataset: str) -> str | None:
        """The folder of activations, if they are kept."""
        if not self.experiment.config.keep_activations:
            return None
        return self.paths.activations.format(dataset=dataset)

    def _shown_samples(
        self, dataset: str, samples: Sequence[Sample], tile: Tile
    ) -> list[ShownSample]:
        return [self._shown_sample(dataset, sample, tile) for sample in samples]

    def _shown_sample(self, dataset: str, sample: Sample, tile: Tile) -> ShownSample:
        there = self.experiment.shown(dataset, sample, tile)
        mapped = self.experiment.mapped(dataset, sample)
        return ShownSample(
            self.stimulus_set(dataset, sample.condition),
            sample.step,
            tuple(self._shown(dataset, network, sample) for network in there.networks),
            tuple(network.name for network in there.networks if network in mapped),
            sample.name,
            tuple((x.name, y.name) for x, y in there),
        )

    def _shown(self, dataset: str, network: Network, sample: Sample) -> Shown:
        layers = self.experiment.layers(dataset, network.group)
        source = self._source(dataset, network, sample)
        return Shown(network.group, network.seed, layers, source)

    def _source(
        self, dataset: str, network: Network, sample: Sample
    ) -> tuple[str, TrainingPlan] | Pretrained | ActivationFile:
        """What a network's responses come from: at the sample's step, or its own last one."""
        step = min(sample.step, self.experiment.last_step(dataset, network.group))
        if network.given is not None:
            path = self.experiment.given_file(dataset, network, sample)
            assert path is not None, "networks without a file are not shown the sample"
            return ActivationFile(path, step)
        if network.pretrained is not None:
            return network.pretrained.at(step)
        plan = self.experiment.plan(dataset, network)
        return self.checkpoint(dataset, network, step), plan

    def _scores(self, wildcards: dict[str, str], samples: Sequence[Sample], tile: Tile) -> BlockJob:
        dataset, block = wildcards["dataset"], wildcards["block"]
        # A tile without pairs has no transfer, and need not be one of the block `final`.
        identity = self._fitted_on(dataset, samples) if tile.pairs else None
        transfer = [] if identity is None else [self.moments_folder(dataset, "final", tile)]
        return BlockJob(
            "scores",
            "scores",
            wildcards,
            {"moments": [self.moments_folder(dataset, block, tile)], "transfer": transfer},
            [self.paths.scores.format(**wildcards)],
            {
                "samples": [sample.name for sample in samples],
                "identity": None if identity is None else identity.name,
                **self._asked(block),
            },
            dataset=dataset,
            networks=tile.networks,
            samples=samples,
            tile=tile,
            experiment=self.experiment,
            threads=self._threads,
        )

    def _shuffled_scores(
        self, wildcards: dict[str, str], samples: Sequence[Sample], tile: Tile
    ) -> Iterator[BlockJob]:
        """Scores with permuted stimuli, of pairs within groups; none of a tile without any."""
        [sample] = samples
        dataset, metrics = wildcards["dataset"], self.experiment.metrics
        within = tuple((x, y) for x, y in tile if x.group == y.group)
        there = {network for pair in within for network in pair}
        tile = Tile(tile.name, tuple(n for n in tile.networks if n in there), within)
        shown = self._shown_sample(dataset, sample, tile)
        if not shown.pairs:
            return
        crossed = [metric for metric in metrics if metric == MATCHED_METRIC]
        yield BlockJob(
            "shuffled_scores",
            "scores",
            wildcards,
            self._responses(dataset, samples, tile),
            [self.paths.shuffled_scores.format(**wildcards)],
            {
                "sample": shown if crossed else replace(shown, mapped=()),
                "metrics": metrics,
                "crossed": crossed,
                "centers": ["position"],
                "context": False,
                "rotated": [],
                "identity": None,
            },
            dataset=dataset,
            networks=tile.networks,
            samples=samples,
            tile=tile,
            experiment=self.experiment,
            threads=self._threads,
        )

    @property
    def _threads(self) -> int:
        """Of a scoring job: beside a GPU several match units."""
        return _THREADS_BESIDE_GPU if self.experiment.config.gpu else 1

    def _asked(self, block: str) -> dict[str, Any]:
        """Which scores a block is asked for."""
        whole = block in WHOLE_BLOCKS
        return {
            "metrics": self.experiment.metrics,
            # Raw means, other measures and rotations are context, in distribution only.
            "centers": ["position", "unit"] if whole else ["position"],
            "context": whole,
            "rotated": [m for m in self.experiment.metrics if whole and m in ROTATED_METRICS],
        }

    def _fitted_on(self, dataset: str, samples: Sequence[Sample]) -> Sample | None:
        """The ID sample whose maps are tried on the others: the same images, changed."""
        if not {sample.condition.stimuli for sample in samples} <= {*self.experiment.paired()}:
            return None
        return Sample(IDENTITY, self.experiment.steps(dataset)[-1])
