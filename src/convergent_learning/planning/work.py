"""The jobs of an experiment and what each has to do: those of the DAG, which a test compares.

A job's `work` is amounts of the kinds of work that `costs` has prices for; `memory` is the
megabytes that its largest arrays take, `disk` the bytes that it leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from convergent_learning.experiment import CONTEXT_METRIC, Experiment, Network, Sample
from convergent_learning.planning.sizes import LayerSize, NetworkSize, network_size
from convergent_learning.statistics.columns import COLUMNS

STAGES = ("dataset", "stimuli", "training", "activations", "moments", "scores", "figures")
GIGA, MEGA = 1e9, 1e6
_IMAGENET_CLASSES = 1000
_CONTEXT_METRICS = 4
_BATCH = 125  # images of an extraction step
_BACKWARD = 2  # the backward pass costs twice the forward one
_GROUP = 1 << 30  # bytes of cross moments that are summed at once
_ROW = 10.5  # bytes of a compressed score row
_SINGLE = ("datasets", "layers", "conditions", "accuracy", "training")


@dataclass(frozen=True)
class Job:
    """A job of `rule` in `stage`; `benchmark` is its file below the benchmarks' folder.

    Jobs of one `kind` need memory alike; a `transient` job's output is deleted when it was read.
    """

    stage: str
    rule: str
    benchmark: str
    work: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0
    disk: float = 0.0
    transient: bool = False
    metric: str = ""

    @property
    def kind(self) -> str:
        return f"{self.stage}:{self.metric}" if self.metric else self.stage


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
            yield from self._scores(dataset)
        yield from self._tables_and_figures()

    def size(self, dataset: str, network: Network) -> NetworkSize:
        """The size of a network, measured once for all its seeds."""
        key = dataset, network.architecture, network.width
        if key not in self._sizes:
            info = self.experiment.dataset_info(dataset)
            self._sizes[key] = network_size(
                network,
                self.experiment.layers(dataset)[network.architecture],
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
            disk += self.images * width * sum(_values(layer) for layer in size.layers)
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
        every_pair = self._is_layer_by_layer(dataset, sample)
        grids = {layer.side for size in sizes.values() for layer in size.layers}
        flop = own = cross = 0.0
        for size in sizes.values():
            for layer in size.layers:
                # Partners of all layers: products on each coarser grid too.
                sides = [g for g in grids if g <= layer.side] if every_pair else [layer.side]
                flop += 2 * self.images * sum(side**2 for side in sides) * layer.units**2
                own += 8 * self.folds * (len(sides) * layer.units**2 + _values(layer))
        for (x, y), count in _pairs_by_architecture(networks):
            pairs = []
            if every_pair:
                pairs += _layer_pairs(sizes[x.name], sizes[y.name], own=False)
            if x.architecture == y.architecture:  # the shuffled null, and what corresponds
                own_layers = _layer_pairs(sizes[x.name], sizes[y.name], own=True)
                pairs += own_layers if every_pair else 2 * own_layers
            flop += count * sum(_cross_flop(a, b, self.images) for a, b in pairs)
            cross += count * sum(4 * self.folds * a.units * b.units for a, b in pairs)
        largest = max(
            8 * self.folds * sum(layer.units for layer in size.layers) ** 2
            for size in sizes.values()
        )
        accumulators = own + max(min(_GROUP, 2 * cross), largest) if every_pair else 0.0
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

    def _is_layer_by_layer(self, dataset: str, sample: Sample) -> bool:
        steps = self.experiment.steps(dataset)
        return sample.condition.slug == "id" and sample.step in (steps[0], steps[-1])

    def _scores(self, dataset: str) -> Iterator[Job]:
        for block, samples in self.experiment.blocks(dataset).items():
            whole = block in ("final", "untrained")
            metrics = [*self.experiment.metrics, *([CONTEXT_METRIC] if whole else [])]
            for metric in metrics:
                yield self._score_job(dataset, block, metric, samples, whole)
            if whole and "permutation" in self.experiment.metrics:
                yield self._rotated_job(dataset, block, samples[0])

    def _score_job(self, dataset, block, metric, samples: list[Sample], whole: bool) -> Job:
        comparisons = cubes = 0.0
        for sample in samples:
            for a, b, repeats in self._compared(dataset, sample, metric, block, whole):
                comparisons += repeats
                cubes += repeats * _cube(a, b)
        files = len(samples) * (2 if block in self.experiment.paired() else 1)
        return Job(
            "scores",
            "scores",
            f"scores/{dataset}_{block}_{metric}",
            {
                "start:scores": 1,
                f"kcomparison:{metric}": comparisons / 1e3,
                f"gcube:{metric}": self.folds * cubes / GIGA,
            },
            # A file is read at a time, with the ID moments beside it where maps are transferred.
            self._kept_moments(dataset, samples[0]) * min(files, 2) / MEGA,
            _ROW * 2 * self.folds * comparisons,
            metric=metric,
        )

    def _compared(self, dataset, sample, metric, block, whole) -> Iterator[tuple]:
        """Pairs of layers and how often each is compared in a job."""
        own_repeats = 2  # learned and shuffled
        if whole:
            own_repeats += 1  # centred by unit; the learned ones come with all other layer pairs
        elif block in self.experiment.paired():
            own_repeats += 1  # maps transferred
        networks = self.experiment.at(dataset, sample.step)
        for (x, y), count in _pairs_by_architecture(networks):
            a, b = self.size(dataset, x), self.size(dataset, y)
            same = x.architecture == y.architecture
            if metric == CONTEXT_METRIC:
                repeats = _CONTEXT_METRICS if same else 0
            else:
                repeats = own_repeats - 1 if whole else own_repeats
            if same:
                for i, j in _layer_pairs(a, b, own=True):
                    yield i, j, count * repeats
            if whole and metric != CONTEXT_METRIC:
                for i, j in _layer_pairs(a, b, own=False):
                    if metric != "permutation" or i.units == j.units:
                        yield i, j, count

    def _rotated_job(self, dataset: str, block: str, sample: Sample) -> Job:
        draws = self.experiment.config["alignment"]["rotations"]
        networks = self.experiment.at(dataset, sample.step)
        comparisons = cubes = 0.0
        for (x, y), count in _pairs_by_architecture(networks):
            if x.architecture == y.architecture:
                for layer in self.size(dataset, x).layers:
                    comparisons += count * draws
                    cubes += count * draws * _cube(layer, layer)
        return Job(
            "scores",
            "rotated_scores",
            f"scores/{dataset}_{block}_permutation_rotated",
            {
                "start:scores": 1,
                "kcomparison:rotated": comparisons / 1e3,
                "gcube:rotated": self.folds * cubes / GIGA,
            },
            self._kept_moments(dataset, sample) / MEGA,
            _ROW * 2 * self.folds * comparisons,
            metric="rotated",
        )

    def _kept_moments(self, dataset: str, sample: Sample) -> float:
        """Bytes of all networks' own moments, which a scoring job keeps once read."""
        return sum(
            8 * self.folds * (layer.units**2 + _values(layer))
            for network in self.experiment.at(dataset, sample.step)
            for layer in self.size(dataset, network).layers
        )

    def _tables_and_figures(self) -> Iterator[Job]:
        one = {"start:tables": 1}
        for name in _SINGLE[:-1]:
            yield Job("figures", f"{name}_table", f"tables/{name}", one)
        yield Job("figures", "training_table", "tables/fig1_training", one)
        yield Job("figures", "stimulus_tiles", "tables/fig1_stimuli", one)
        rows = self._score_rows()
        for number in sorted({int(name[3]) for name in COLUMNS if name.startswith("fig")} | {1}):
            if number > 1:
                read = {"start:tables": 1, "mrow:tables": rows[number] / MEGA}
                yield Job("figures", f"fig{number}_tables", f"tables/fig{number}", read)
            yield Job("figures", f"fig{number}", f"figures/fig{number}", {"start:figures": 1})
        for name in ("claims", "report", "research_object"):
            yield Job("figures", name, name, one)

    def _score_rows(self) -> dict[int, float]:
        """Score rows that each figure's tables are made from."""
        rows = dict.fromkeys(range(2, 7), 0.0)
        for dataset in self.experiment.datasets:
            for job in self._scores(dataset):
                block = job.benchmark.removeprefix(f"scores/{dataset}_")
                for number in _figures_of(block, job.rule):
                    rows[number] += job.disk / _ROW
        return rows


def _figures_of(block: str, rule: str) -> tuple[int, ...]:
    """Numbers of the figures that a file of scores goes into."""
    if rule == "rotated_scores":
        return (3,)
    if block.startswith("final_"):
        return (2, 3, 4, 5, 6)
    if block.startswith("untrained_"):
        return (2, 3, 4, 5)
    return (5,) if block.startswith("training_") else (6,)


def _add(total: dict[str, float], more: dict[str, float]) -> None:
    for kind, amount in more.items():
        total[kind] = total.get(kind, 0.0) + amount


def _forward_work(size: NetworkSize, images: float) -> dict[str, float]:
    return {
        "tflop:network": images * size.flop / 1e12,
        "gelement:network": images * size.elements / GIGA,
    }


def _values(layer: LayerSize) -> int:
    return layer.units * layer.side**2


def _all_values(size: NetworkSize) -> int:
    return sum(_values(layer) for layer in size.layers)


def _layer_pairs(x: NetworkSize, y: NetworkSize, own: bool) -> list[tuple[LayerSize, LayerSize]]:
    """Pairs of the same layer, or all pairs of layers."""
    if own:
        return list(zip(x.layers, y.layers, strict=True))
    return list(itertools.product(x.layers, y.layers))


def _cross_flop(x: LayerSize, y: LayerSize, images: int) -> float:
    return 2 * images * min(x.side, y.side) ** 2 * x.units * y.units


def _cube(x: LayerSize, y: LayerSize) -> float:
    """Scale of the decompositions and products of a comparison, both directions."""
    return x.units * y.units * (x.units + y.units) / 2


def _pairs_by_architecture(
    networks: list[Network],
) -> Iterator[tuple[tuple[Network, Network], int]]:
    """One pair of networks for each pair of architectures, and how many such pairs there are."""
    first = {network.architecture: network for network in reversed(networks)}
    count = {name: sum(n.architecture == name for n in networks) for name in first}
    for x, y in itertools.combinations_with_replacement(first, 2):
        pairs = count[x] * (count[x] - 1) // 2 if x == y else count[x] * count[y]
        if pairs:
            yield (first[x], first[y]), pairs
