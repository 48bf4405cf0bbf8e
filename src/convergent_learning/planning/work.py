"""The jobs of an experiment and what each has to do: those of the DAG, which a test compares."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from convergent_learning.experiment import Experiment, Network, Sample
from convergent_learning.planning.job import (
    GIGA,
    MEGA,
    Job,
    compared_layers,
    layer_pairs,
    values,
)
from convergent_learning.planning.score_work import figure_jobs, score_jobs
from convergent_learning.planning.sizes import LayerSize, NetworkSize, network_size

_IMAGENET_CLASSES = 1000
_BATCH = 125  # images of an extraction step
_BACKWARD = 2  # the backward pass costs twice the forward one
_GROUP = 1 << 30  # bytes of cross moments that are summed at once


class Workload:
    """All jobs of `experiment`."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.images = experiment.config["stimuli"]["images"]
        self.folds = experiment.config["alignment"]["folds"]
        self._sizes: dict[tuple, NetworkSize] = {}

    def jobs(self) -> Iterator[Job]:
        for dataset in self.experiment.datasets:
            yield from self._data(dataset)
            yield from self._trainings(dataset)
            samples = {
                sample.name: sample
                for block in self.experiment.blocks(dataset).values()
                for sample in block
            }
            for sample in samples.values():
                yield self._activations(dataset, sample)
                yield self._moments(dataset, sample)
            yield from score_jobs(self, dataset)
        yield from figure_jobs(self)

    def size(self, dataset: str, network: Network) -> NetworkSize:
        """The size of a network, measured once for all its seeds."""
        key = dataset, network.group
        if key not in self._sizes:
            info = self.experiment.dataset_info(dataset)
            self._sizes[key] = network_size(
                network,
                self.experiment.layers(dataset)[network.group],
                info.classes or _IMAGENET_CLASSES,
                info.side,
                self.experiment.config["activations"]["positions"],
            )
        return self._sizes[key]

    def _data(self, dataset: str) -> Iterator[Job]:
        info = self.experiment.dataset_info(dataset)
        image = 3 * info.side**2
        folder = "layout" in self.experiment.dataset_entry(dataset)
        stored = 0 if folder else (info.train + (info.test or 0)) * image
        yield Job(
            "dataset",
            "dataset",
            f"dataset/{dataset}",
            {"start:dataset": 1, "gbyte:dataset": stored / GIGA},
            stored / MEGA,
            stored,
        )
        shown = self.images * image
        for slug, rule, pixels in self._stimuli():
            yield Job(
                "stimuli",
                rule,
                f"stimuli/{dataset}/{slug}",
                {"start:stimuli": 1, pixels: shown / 3 / MEGA},
                shown / MEGA,
                shown,
            )

    def _stimuli(self) -> Iterator[tuple[str, str, str]]:
        yield "id", "identity_stimuli", "mpixel:filter"
        for condition in self.experiment.conditions:
            own = condition.slug in self.experiment.user_conditions
            costly = condition.stimuli.startswith("eidolon")
            yield (
                condition.slug,
                "user_stimuli" if own else "condition_stimuli",
                "mpixel:eidolon" if costly else "mpixel:filter",
            )

    def _trainings(self, dataset: str) -> Iterator[Job]:
        info = self.experiment.dataset_info(dataset)
        in_memory = 0 if info.test is None else 3 * info.side**2
        for networks in self.experiment.trainings():
            work, memory, disk = {"start:training": 1}, 0.0, 0.0
            for network in networks:
                plan, size = self.experiment.plan(dataset, network), self.size(dataset, network)
                trained = plan.steps * plan.batch_size * (1 + _BACKWARD)
                tested = (info.test or 0) * (plan.epochs + 1)
                _add(work, _forward_work(size, trained + tested))
                # Weights, gradients and the optimiser's two averages; maps of a batch, kept for
                # the backward pass.
                memory += 4 * 4 * size.parameters + 4 * 2 * plan.batch_size * size.elements
                memory += in_memory * (plan.train_images + (info.test or 0))
                disk += 4 * size.parameters * len(plan.checkpoint_steps)
            name = networks[0].name
            yield Job(
                "training",
                f"train_{dataset}_{name}",
                f"train/{dataset}/{name}",
                work,
                memory / MEGA,
                disk,
            )
        for network in self.experiment.networks:
            if network.pretrained is not None:
                name = f"pretrained/{dataset}/{network.name}"
                yield Job("training", "pretrained", name, {"start:training": 1})

    def _activations(self, dataset: str, sample: Sample) -> Job:
        width = {"float16": 2, "float32": 4}[self.experiment.config["activations"]["dtype"]]
        work, disk, largest = {"start:activations": 1}, 0.0, 0
        for network in self.experiment.at(dataset, sample.step):
            size = self.size(dataset, network)
            _add(work, _forward_work(size, self.images))
            disk += self.images * width * sum(values(layer) for layer in size.layers)
            largest = max(largest, size.elements)
        work["gbyte:activations"] = disk / GIGA
        return Job(
            "activations",
            "activations",
            f"activations/{dataset}/{sample.name}",
            work,
            4 * 2 * _BATCH * largest / MEGA,
            disk,
            transient=not self.experiment.config["keep_activations"],
        )

    def _moments(self, dataset: str, sample: Sample) -> Job:
        networks = self.experiment.at(dataset, sample.step)
        sizes = {network.name: self.size(dataset, network) for network in networks}
        mapped = self.experiment.mapped(dataset, sample.condition.slug, sample.step)
        grids = {layer.side for size in sizes.values() for layer in size.layers}
        flop = own = cross = 0.0
        for size in sizes.values():
            for layer in size.layers:
                # Partners of all layers: products on each coarser grid too.
                sides = [g for g in grids if g <= layer.side] if mapped else [layer.side]
                flop += 2 * self.images * sum(side**2 for side in sides) * layer.units**2
                own += 8 * self.folds * (len(sides) * layer.units**2 + values(layer))
        pairs = list(itertools.combinations(networks, 2))
        shuffled = compared_layers(pairs, [])
        for (x, y), count, own_layers in [*compared_layers(pairs, mapped), *shuffled]:
            for a, b in layer_pairs(sizes[x.name], sizes[y.name], own=own_layers):
                flop += count * _cross_flop(a, b, self.images)
                cross += count * 4 * self.folds * a.units * b.units
        largest = max(
            8 * self.folds * sum(layer.units for layer in size.layers) ** 2
            for size in sizes.values()
        )
        accumulators = own + max(min(_GROUP, 2 * cross), largest) if mapped else 0.0
        return Job(
            "moments",
            "moments",
            f"moments/{dataset}/{sample.name}",
            {
                "start:moments": 1,
                "gflop:moments": flop / GIGA,
                "gvalue:moments": self.images * sum(_all_values(s) for s in sizes.values()) / GIGA,
            },
            accumulators / MEGA,
            own + cross,
        )


def _add(total: dict[str, float], more: dict[str, float]) -> None:
    for kind, amount in more.items():
        total[kind] = total.get(kind, 0.0) + amount


def _forward_work(size: NetworkSize, images: float) -> dict[str, float]:
    return {
        "tflop:network": images * size.flop / 1e12,
        "gelement:network": images * size.elements / GIGA,
    }


def _all_values(size: NetworkSize) -> int:
    return sum(values(layer) for layer in size.layers)


def _cross_flop(x: LayerSize, y: LayerSize, images: int) -> float:
    return 2 * images * min(x.side, y.side) ** 2 * x.units * y.units
