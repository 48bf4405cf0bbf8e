"""What each job has to do: amounts of the kinds of work that `costs` has prices for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from convergent_learning.activations.shown import BATCH, WEIGHTS_KEPT
from convergent_learning.alignment.store import MEMORY, MEMORY_ON_GPU
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment, Network, Sample, Tile
from convergent_learning.config.jobs import BlockJob, Job
from convergent_learning.config.moment_memory import ShownNetworks, summing_bytes
from convergent_learning.config.score_work import (
    LayerPair,
    across,
    compared,
    layer_pairs,
    score_work,
)
from convergent_learning.config.sizes import NetworkSize, Sizes
from convergent_learning.training.plan import PORTABLE, PROBED

_GIGA, _MEGA = 1e9, 1e6
# How long a portable training takes beside one of those that unit costs come from: 1,900 s for the
# six networks of the default experiment on an Intel Xeon, 780 planned.
_PORTABLE = 2.4
# Bytes of torch and others: a portable training is a process beside its job's, and scores of stored
# moments do without where layers are narrow, and with torch alone where they are wide.
_LIBRARIES, _TORCH = 0.7e9, 0.5e9
_BACKWARD = 2  # the backward pass costs twice the forward one
# Forward passes for an image of a batch, and images of the linear probe at a checkpoint: two views,
# of which the keys of `moco` have no backward pass.
_PASSES = {
    "simclr": (2 * (1 + _BACKWARD), PROBED),
    "moco": (2 + _BACKWARD, PROBED),
    "none": (0, 0),
}
_RECORDED, _RECORDED_SIDE = 1000, 224  # images of a recording, of which the config knows nothing
# Of scores: bytes of a row on the disk, compressed, and in memory.
_BYTES_A_ROW, _BYTES_A_ROW_READ = 10.5, 240


@dataclass(frozen=True)
class Work:
    """Amounts by kind of work; megabytes of the largest arrays; bytes left on the disk.

    `moments` bytes are made for others to score, and `rows` of scores.
    """

    amounts: dict[str, float] = field(default_factory=dict)
    memory: float = 0.0
    disk: float = 0.0
    moments: float = 0.0
    rows: float = 0.0


class Workload:
    """The work of the jobs of `design`."""

    def __init__(self, design: Design, sizes: Sizes):
        self.experiment: Experiment = design.experiment
        self._design, self._sizes = design, sizes
        self._images = self.experiment.config.stimuli.images
        self._folds = self.experiment.config.alignment.folds
        # Bytes of cross moments that are summed at once, and of activations that are held.
        self._summed = (MEMORY_ON_GPU if self.experiment.config.gpu else MEMORY) // 2
        self._known: dict[str, Work] = {}

    def of(self, job: Job) -> Work:
        """The work of a job of the design."""
        if job.name not in self._known:
            of_its_kind = getattr(self, f"_{job.rule}", getattr(self, f"_{job.stage}"))
            self._known[job.name] = of_its_kind(job)
        return self._known[job.name]

    def _dataset(self, job: Job) -> Work:
        info = self.experiment.dataset(job.dataset).info
        own = self.experiment.dataset(job.dataset).layout is not None
        stored = 0 if own else (info.train + (info.test or 0)) * 3 * info.side**2
        amounts = {"start:dataset": 1, "gbyte:dataset": stored / _GIGA}
        return Work(amounts, stored / _MEGA, stored)

    def _stimuli(self, job: Job) -> Work:
        side = self.experiment.dataset(job.dataset).info.side
        pixels = self._images * side**2
        costly = any(s.condition.stimuli.startswith("eidolon") for s in job.samples)
        kind = "mpixel:eidolon" if costly else "mpixel:filter"
        shown = 3 * pixels
        # Images as they are read and as they are made.
        return Work({"start:stimuli": 1, kind: pixels / _MEGA}, 2 * shown / _MEGA, shown)

    def _recording(self, job: Job) -> Work:
        stored = 3 * _RECORDED_SIDE**2 * _RECORDED
        return Work({"start:dataset": 1, "gbyte:dataset": stored / _GIGA}, stored / _MEGA, stored)

    def _recording_stimuli(self, job: Job) -> Work:
        pixels = _RECORDED * self.experiment.dataset(job.dataset).info.side ** 2
        amounts = {"start:stimuli": 1, "mpixel:filter": pixels / _MEGA}
        return Work(amounts, 3 * _RECORDED_SIDE**2 * _RECORDED / _MEGA, 3 * pixels)

    def _recording_scores(self, job: Job) -> Work:
        amounts, values = {"start:scores": 1.0}, 0.0
        for sample in job.samples:
            everyone = Tile("", tuple(job.networks), ())
            for network in self.experiment.shown(job.dataset, sample, everyone).networks:
                size = self._size(job, network)
                _add(amounts, _forward(size, _RECORDED))
                own = sum(layer.values for layer in size.layers)
                _add(amounts, {"gflop:moments": 2 * _RECORDED**2 * own / _GIGA})
                values = max(values, own)
        # Activations of a network, in float16 and as float32, and dissimilarities in any order.
        memory = _RECORDED * values * (2 + 4) + 8 * 4 * _RECORDED**2 * len(job.networks)
        return Work(amounts, memory / _MEGA, _BYTES_A_ROW * len(job.networks) * 100)

    def _training(self, job: Job) -> Work:
        info = self.experiment.dataset(job.dataset).info
        in_memory = 0 if info.test is None else 3 * info.side**2
        amounts, memory, disk = {"start:training": 1.0}, 0.0, 0.0
        for network in job.networks:
            plan, size = self.experiment.plan(job.dataset, network), self._size(job, network)
            seen, probed = _PASSES.get(plan.objective, (1 + _BACKWARD, 0))
            slower = _PORTABLE if plan.precision == PORTABLE else 1
            trained = slower * plan.steps * plan.batch_size * seen
            tested = (info.test or 0) * (plan.epochs + 1)
            tested += min(plan.train_images, probed) * len(plan.checkpoint_steps)
            _add(amounts, _forward(size, trained + tested))
            # Weights, gradients and the optimiser's two averages; maps of a batch, kept for the
            # backward pass.
            memory += 4 * 4 * size.parameters + 4 * 2 * plan.batch_size * size.elements
            memory += in_memory * (plan.train_images + (info.test or 0))
            disk += 4 * size.parameters * len(plan.checkpoint_steps)
            memory += _LIBRARIES * (plan.precision == PORTABLE)
        return Work(amounts, memory / _MEGA, disk)

    def _precision(self, job: Job) -> Work:
        return Work({"start:training": 1})

    def _pretrained(self, job: Job) -> Work:
        return Work({"start:moments": 1})

    def _moments(self, job: BlockJob) -> Work:
        width = {"float16": 2, "float32": 4}[self.experiment.config.activations.dtype]
        kept = bool(job.params.get("kept"))
        amounts: dict[str, float] = {"start:moments": 1.0}
        memory = disk = moments = 0.0
        for sample in job.samples:
            there = job.experiment.shown(job.dataset, sample, job.tile)
            sizes = {n.name: self._size(job, n) for n in there.networks}
            values = sum(layer.values for size in sizes.values() for layer in size.layers)
            activations = self._images * width * values
            live = not kept and activations > self._summed
            passes = self._passes(job, sample, sizes) if live else 1
            for size in sizes.values():
                _add(amounts, _forward(size, passes * self._images))
            _add(amounts, {"gbyte:activations": passes * activations / _GIGA})
            flop, own, cross = self._products(job, sample, sizes)
            _add(amounts, {"gflop:moments": flop / _GIGA})
            _add(amounts, {"gvalue:moments": self._images * values / _GIGA})
            weights = [4 * size.parameters for size in sizes.values()]
            loaded = min(sum(weights), WEIGHTS_KEPT + max(weights))
            gpu = bool(self.experiment.config.gpu)
            maps = 0 if gpu else BATCH * max(size.alive for size in sizes.values())
            sums = self._sums(job, sample, sizes, held=not (live or kept))
            held = 0 if kept or gpu else min(activations, self._summed)
            # Activations that are not held are made while they are summed.
            at_once = maps + sums if live else max(maps, sums)
            memory = max(memory, loaded + held + at_once)
            moments += own + cross
            disk += kept * activations
        return Work(amounts, memory / _MEGA, moments + disk, moments)

    def _products(
        self, job: BlockJob, sample: Sample, sizes: Mapping[str, NetworkSize]
    ) -> tuple[float, float, float]:
        """Operations of all products of a sample, bytes of own and of cross moments."""
        mapped = job.experiment.mapped(job.dataset, sample)
        grids = {layer.positions for size in sizes.values() for layer in size.layers}
        flop = own = cross = 0.0
        for size in sizes.values():
            for layer in size.layers:
                # Partners of all layers: products on each coarser grid too.
                own_grid = layer.positions
                summed = [grid for grid in grids if grid <= own_grid] if mapped else [own_grid]
                flop += 2 * self._images * sum(summed) * layer.units**2
                own += 8 * self._folds * (len(summed) * layer.units**2 + layer.values)
        for count, pairs_of_layers in self._compared_layers(job, sample, sizes):
            for a, b in pairs_of_layers:
                positions = min(a.positions, b.positions)
                flop += count * 2 * self._images * positions * a.units * b.units
                cross += count * 4 * self._folds * a.units * b.units
        return flop, own, cross

    def _sums(
        self, job: BlockJob, sample: Sample, sizes: Mapping[str, NetworkSize], held: bool
    ) -> float:
        """Bytes that the moments of a sample take while they are summed."""
        there = job.experiment.shown(job.dataset, sample, job.tile)
        mapped = job.experiment.mapped(job.dataset, sample)
        shown = ShownNetworks(
            sizes,
            {network.name: network.group for network in there.networks},
            [(x.name, y.name) for x, y in there.pairs],
            [network.name for network in there.networks if network in mapped],
            held,
        )
        in_memory = job.rule != "moments"  # the file that they are written to
        return summing_bytes(
            shown,
            self._images,
            self._folds,
            self._summed,
            filed=in_memory,
            gpu=bool(self.experiment.config.gpu),
        )

    def _passes(self, job: BlockJob, sample: Sample, sizes: Mapping[str, NetworkSize]) -> int:
        """Forward passes over a stimulus set of which memory does not hold the activations.

        One for each group of pairs whose sums fit, if only one pair's; one of shuffled stimuli.
        """
        groups = sum(
            count
            * min(1.0, 8 * self._folds * sum(a.units * b.units for a, b in pairs) / self._summed)
            for count, pairs in self._compared_layers(job, sample, sizes)
        )
        return math.ceil(groups) + 1

    def _compared_layers(
        self, job: BlockJob, sample: Sample, sizes: Mapping[str, NetworkSize]
    ) -> Iterator[tuple[int, list[LayerPair]]]:
        """How many pairs of networks there are of a kind, and their layers that are compared.

        Stimuli that correspond, and shuffled ones.
        """
        mapped = job.experiment.mapped(job.dataset, sample)
        pairs = job.experiment.shown(job.dataset, sample, job.tile).pairs
        counted = [*compared(pairs, mapped), *across(pairs, mapped), *compared(pairs, [])]
        for (x, y), count, own in counted:
            yield count, layer_pairs(sizes[x.name], sizes[y.name], own=own)

    def _scores(self, job: BlockJob, loaded: bool = False) -> Work:
        """Scores of a job; in one that is `loaded`, torch is counted elsewhere."""
        scored = score_work(job, self._sizes)
        amounts = {"start:scores": 1.0, **scored.amounts}
        disk = _BYTES_A_ROW * scored.rows
        memory = scored.bytes + _TORCH * (scored.wide and not loaded)
        return Work(amounts, memory / _MEGA, disk, rows=scored.rows)

    def _scored_block(self, job: BlockJob) -> Work:
        made, scored = self._moments(job), self._scores(job, loaded=True)
        amounts = {kind: n for kind, n in made.amounts.items() if kind != "start:moments"}
        _add(amounts, scored.amounts)
        # A sample's moments and those of the ID stimuli lie in memory, and what is made of them.
        stored = made.moments / len(job.samples) / _MEGA
        identity = stored if job.params["identity"] else 0.0
        memory = _LIBRARIES / _MEGA + identity + max(made.memory, stored + scored.memory)
        disk = scored.disk + made.disk - made.moments
        return replace(scored, amounts=amounts, memory=memory, disk=disk)

    _anchors = _scored_block

    def _shuffled_scores(self, job: BlockJob) -> Work:
        """Moments and scores of every permutation; responses once if memory holds them."""
        draws = self.experiment.config.alignment.shuffles
        made, scored = self._moments(job), self._scores(job, loaded=True)
        activations = _GIGA * made.amounts["gbyte:activations"]
        held = activations if activations <= self._summed else 0.0
        amounts = made.amounts | scored.amounts
        del amounts["start:moments"]
        once = (":network", ":activations", ":scores") if held else (":scores",)
        for kind in amounts:
            amounts[kind] *= 1 if kind.endswith(once) else draws
        # Other scoring jobs, but those that make moments too, load no torch.
        memory = max(made.memory, (held + made.moments) / _MEGA + scored.memory)
        memory += _LIBRARIES / _MEGA
        rows = draws * scored.rows
        return Work(amounts, memory, _BYTES_A_ROW * rows, rows=rows)

    def _figures(self, job: Job) -> Work:
        """Tables are made of rows of scores; elsewhere it is the start that counts."""
        if job.name.startswith("figures/"):
            return Work({"start:figures": 1})
        read = [*job.inputs.get("scores", []), *job.inputs.get("shuffled", [])]
        rows = sum(self._score_rows.get(path, 0) for path in read)
        amounts = {"start:tables": 1.0}
        if rows:
            amounts["mrow:tables"] = rows / _MEGA
        return Work(amounts, rows * _BYTES_A_ROW_READ / _MEGA)

    @cached_property
    def _score_rows(self) -> dict[str, float]:
        """Rows of each score file."""
        scoring = [job for job in self._design.jobs if job.stage == "scores"]
        return {job.outputs[0]: self.of(job).rows for job in scoring}

    def _size(self, job: Job, network: Network) -> NetworkSize:
        return self._sizes.of(job.dataset, network)


def _add(total: dict[str, float], more: dict[str, float]) -> None:
    for kind, amount in more.items():
        total[kind] = total.get(kind, 0.0) + amount


def _forward(size: NetworkSize, images: float) -> dict[str, float]:
    return {
        "tflop:network": images * size.flop / 1e12,
        "gelement:network": images * size.elements / _GIGA,
    }
