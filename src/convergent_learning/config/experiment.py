"""What a config means: networks, conditions, training plans, and what is scored together.

Read while the DAG is built, so it imports no torch.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from convergent_learning.config.group import Group, Training
from convergent_learning.config.model import Config, Dataset
from convergent_learning.config.partners import graph, ring
from convergent_learning.figures import figures
from convergent_learning.networks.given import ActivationFiles
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.listed import listed, select_layers
from convergent_learning.networks.naming import network_name
from convergent_learning.networks.pretrained import IMAGENET_SIDE, Pretrained
from convergent_learning.stimuli import condition_slug, families, level_text
from convergent_learning.stimuli.user_sets import UserSet
from convergent_learning.tables.figure_data import Needs
from convergent_learning.tables.kinds import SUPERVISED
from convergent_learning.training.plan import TrainingPlan

# Keys of `training` that change how fast weights are made, and not which.
_NOT_PLANNED = ("threads", "trainings_per_gpu")


@dataclass(frozen=True)
class Network:
    """A network of the experiment: a seed of a group, whose networks differ in nothing else.

    One that is not trained here has a description in `pretrained`, or its activations in `given`.
    """

    group: str
    architecture: str
    seed: int
    width: float | None = None
    pretrained: Pretrained | None = None
    given: ActivationFiles | None = None

    @property
    def name(self) -> str:
        return network_name(self.group, self.seed)


NetworkPair: TypeAlias = tuple[Network, Network]


@dataclass(frozen=True)
class Condition:
    """Stimuli shown to the networks: ``id``, or an OOD family or user's set at a level."""

    stimuli: str
    level: str = ""

    @property
    def slug(self) -> str:
        return condition_slug(self.stimuli, self.level)


@dataclass(frozen=True)
class Sample:
    """Networks' responses to a condition at a training step: what a moments file holds.

    At the last step of the experiment every network is shown its own last checkpoint.
    """

    condition: Condition
    step: int

    @property
    def name(self) -> str:
        return f"{self.condition.slug}_step{self.step}"


@dataclass(frozen=True)
class Tile:
    """Networks of one job, and the pairs of them that it compares. Iterates over the pairs."""

    name: str
    networks: tuple[Network, ...]
    pairs: tuple[NetworkPair, ...]

    def __iter__(self) -> Iterator[tuple[Network, Network]]:
        return iter(self.pairs)


IDENTITY = Condition("id")


class Experiment:
    """What a checked config means: networks, plans, conditions and blocks of scores."""

    def __init__(self, config: Config):
        self.config = config
        self.name = config.experiment
        self.seed = config.seed
        self.datasets = [dataset.name for dataset in config.datasets]
        self.metrics = list(config.alignment.metrics)
        self._plans: dict[tuple[str, str], TrainingPlan] = {}
        self._folders: dict[tuple[str, str], str] = {}

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Experiment:
        """That of a config which was checked before; its files need not be there any more."""
        return cls(Config.model_validate(config))

    @cached_property
    def groups(self) -> dict[str, Group]:
        """Entries of `networks` by their names."""
        return {group.name: group for group in self.config.networks}

    @cached_property
    def networks(self) -> list[Network]:
        return [
            Network(
                group.name,
                group.architecture,
                seed,
                group.width,
                Pretrained.of(group.dump(), seed, self.seed) if group.is_pretrained else None,
                ActivationFiles.of(group.dump(), seed) if group.activations else None,
            )
            for group in self.config.networks
            for seed in group.seeds
        ]

    @cached_property
    def trained(self) -> list[Network]:
        """Networks that are trained here."""
        return [n for n in self.networks if n.pretrained is None and n.given is None]

    @cached_property
    def conditions(self) -> list[Condition]:
        """OOD conditions, family by family, mild to strong; then those of the user's sets."""
        return [
            *self._family_conditions(),
            *(Condition(s.stimuli, level) for s in self.user_sets for level in s.conditions),
        ]

    @cached_property
    def user_sets(self) -> list[UserSet]:
        return [UserSet.of(entry.dump()) for entry in self.config.stimuli.sets]

    def stimuli(self) -> list[str]:
        """Names of the OOD stimuli: families, and the user's sets."""
        return list(dict.fromkeys(condition.stimuli for condition in self.conditions))

    def paired(self) -> list[str]:
        """Those whose images correspond one by one with the ID set's, so that maps transfer."""
        unpaired = [s.stimuli for s in self.user_sets if not s.paired]
        return [name for name in self.stimuli() if name not in unpaired]

    def dataset(self, name: str) -> Dataset:
        """The config entry of the dataset called `name`."""
        return next(dataset for dataset in self.config.datasets if dataset.name == name)

    def layers(self, dataset: str, group: str) -> tuple[Layer, ...]:
        """Scored layers of a group's networks in depth order; a stem depends on the image size.

        Published weights are those of ImageNet networks.
        """
        entry = self.groups[group]
        chosen = entry.chosen_layers
        if entry.activations is not None:
            return chosen or self._given_layers[group]
        if entry.factory is not None or entry.architecture not in listed():
            assert chosen is not None, "`checks` demands a list of such networks"
            return chosen
        side = IMAGENET_SIDE if entry.is_pretrained else self.dataset(dataset).info.side
        return select_layers(entry.architecture, chosen, side)

    @cached_property
    def _given_layers(self) -> dict[str, tuple[Layer, ...]]:
        """Layers in the files of each group that comes as activations: those of its first seed."""
        first = {n.group: n.given for n in reversed(self.networks) if n.given is not None}
        step = {group: (self.groups[group].steps or (0,))[0] for group in first}
        return {group: files.at(step[group]).layers() for group, files in first.items()}

    def plan(self, dataset: str, network: Network) -> TrainingPlan:
        """The training plan of a network that is trained here on `dataset`."""
        key = dataset, network.name
        if key not in self._plans:
            self._plans[key] = self._plan(dataset, network)
        return self._plans[key]

    def folder(self, dataset: str, network: Network) -> str:
        """The name of the folder of a network that is trained here."""
        key = dataset, network.name
        if key not in self._folders:
            self._folders[key] = self.plan(dataset, network).folder
        return self._folders[key]

    def _plan(self, dataset: str, network: Network) -> TrainingPlan:
        training = self.groups[network.group].own_training(self.config.training)
        planned = [key for key in Training.model_fields if key not in _NOT_PLANNED]
        fields = {key: getattr(training, key) for key in planned}
        fields["labels"] = training.labels_name
        if training.objective != "moco":
            del fields["queue"]  # which nothing else keeps
        if not isinstance(training.images, str):
            fields["images"] = f"{training.images.family} {level_text(training.images.level)}"
        assert network.width is not None, "`checks` demands it of networks that are trained here"
        return TrainingPlan(
            dataset=dataset,
            architecture=network.architecture,
            width=network.width,
            seed=network.seed,
            experiment_seed=self.seed,
            train_images=self.dataset(dataset).images,
            **fields | {"checkpoints": tuple(map(str, training.checkpoints))},
        )

    def steps(self, dataset: str) -> list[int]:
        """Steps at which stimuli are shown, ascending: checkpoints before groups end, and the end.

        Only 0 if no group has a checkpoint.
        """
        return self._steps[dataset]

    @cached_property
    def _steps(self) -> dict[str, list[int]]:
        steps = {}
        for name in self.datasets:
            of_groups = [self.steps_of(name, group) for group in self.groups]
            # Where nobody's training goes on there is nobody to show stimuli to, but at the end.
            passed = set().union(*(of_group[:-1] for of_group in of_groups))
            last = max((self.last_step(name, group) for group in self.groups), default=0)
            steps[name] = sorted(passed | {last})
        return steps

    def steps_of(self, dataset: str, group: str) -> list[int]:
        """Training steps of a group's own checkpoints; none of one that is given as it is."""
        return self._steps_of[dataset, group]

    @cached_property
    def _steps_of(self) -> dict[tuple[str, str], list[int]]:
        steps: dict[tuple[str, str], list[int]] = {}
        for name, group in itertools.product(self.datasets, self.groups):
            plan, given = self.learned(group, name), self.groups[group].steps
            steps[name, group] = sorted(given or ()) if plan is None else plan.checkpoint_steps
        return steps

    def last_step(self, dataset: str, group: str) -> int:
        """The training step that a group ends at; 0 of one that is given as it is."""
        return max(self.steps_of(dataset, group), default=0)

    def first_epoch(self, dataset: str, group: str) -> int:
        """The training step of a group after one epoch; 0 where that is not known."""
        plan = self.learned(group, dataset)
        return self.groups[group].steps_per_epoch or 0 if plan is None else plan.steps_per_epoch

    def at(self, dataset: str, step: int) -> list[Network]:
        """Networks that have a checkpoint at `step`, in the order of the config; all at the end.

        Those that are given as they are are shown stimuli beside the final checkpoints.
        """
        return [network for network in self.networks if self._is_at(dataset, network, step)]

    def _is_at(self, dataset: str, network: Network, step: int) -> bool:
        last = step == self.steps(dataset)[-1]
        return last or step in self.steps_of(dataset, network.group)

    def shown(self, dataset: str, sample: Sample, tile: Tile) -> Tile:
        """The networks and pairs of a tile that there are of a sample.

        Two networks whose training has ended are compared in the last sample. Networks that come
        as activations are left out where there are none of the sample's condition.
        """
        goes_on = {
            network.name: sample.step < self.last_step(dataset, network.group)
            for network in tile.networks
            if self._is_at(dataset, network, sample.step)
            and (network.given is None or self.given_file(dataset, network, sample))
        }
        is_last = sample.step == self.steps(dataset)[-1]
        pairs = [
            (x, y)
            for x, y in tile
            if {x.name, y.name} <= {*goes_on} and (is_last or goes_on[x.name] or goes_on[y.name])
        ]
        wanted = {network.name for pair in pairs for network in pair}
        wanted |= {name for name, more in goes_on.items() if more or is_last}
        networks = [network for network in tile.networks if network.name in wanted]
        return Tile(tile.name, tuple(networks), tuple(pairs))

    def given_file(self, dataset: str, network: Network, sample: Sample) -> str | None:
        """The file with the activations of a network for a sample, if there is one."""
        assert network.given is not None
        step = min(sample.step, self.last_step(dataset, network.group))
        return network.given.at(step).file(sample.condition.slug)

    def mapped(self, dataset: str, sample: Sample) -> list[Network]:
        """Networks of which a sample gets all layer pairs: untrained and final, in distribution."""
        steps = self.steps(dataset)
        if sample.condition != IDENTITY or sample.step not in (0, steps[-1]):
            return []
        first = self.config.alignment.map_seeds
        return [
            network
            for network in self.at(dataset, sample.step)
            if first is None or network.seed in self.groups[network.group].seeds[:first]
        ]

    def trainings(self) -> list[tuple[Network, ...]]:
        """Networks trained in one job: of one group, as many as may share a GPU."""
        together = self.config.training.trainings_per_gpu
        return list(self._batches(self.trained, together).values())

    def blocks(self, dataset: str) -> dict[str, list[Sample]]:
        """Samples whose moments one job makes, and another scores.

        ``final`` and ``untrained`` hold every layer pair of every network pair. ``training`` holds
        the checkpoints between them, one block for each kind of OOD families their conditions, and
        one for each of the user's sets its own: own layers only.
        """
        steps = self.steps(dataset)
        blocks = {"final": [Sample(IDENTITY, steps[-1])]}
        if 0 in steps[:-1]:
            blocks["untrained"] = [Sample(IDENTITY, 0)]
        if between := [step for step in steps[:-1] if step > 0]:
            blocks["training"] = [Sample(IDENTITY, step) for step in between]
        for condition in self.conditions:
            family = families().get(condition.stimuli)
            block = condition.stimuli if family is None else family.kind
            blocks.setdefault(block, []).append(Sample(condition, steps[-1]))
        return blocks

    def tiles(self, dataset: str, block: str) -> list[Tile]:
        """Pairs of networks that one job compares: all, or those of each two batches of networks.

        A network without a partner is in a tile too: its accuracy is asked for.
        """
        samples = self.blocks(dataset)[block]
        ever = {network.name for sample in samples for network in self.at(dataset, sample.step)}
        networks = [network for network in self.networks if network.name in ever]
        mapped = self.mapped(dataset, samples[0])
        pairs = self._compared(networks, mapped, samples[0].condition == IDENTITY)
        size = self.config.alignment.networks_per_job
        if size is None:
            return [Tile("", tuple(networks), tuple(pairs))]
        batches = self._batches(sorted(networks, key=self._place), size)
        batch_of = {n.name: batch for batch, together in batches.items() for n in together}
        held: defaultdict[tuple[str, str], list[NetworkPair]] = defaultdict(list)
        for x, y in pairs:
            first, second = sorted((x, y), key=self._place)
            held[batch_of[first.name], batch_of[second.name]].append((x, y))
        tiles = []
        for (a, b), both in held.items():
            involved = {network.name for pair in both for network in pair}
            there = tuple(network for network in networks if network.name in involved)
            tiles.append(Tile(f"_{a}+{b}", there, tuple(both)))
        shown = {network.name for tile in tiles for network in tile.networks}
        alone = [(batch_of[n.name], n) for n in networks if n.name not in shown]
        return tiles + [Tile(f"_{batch}+{batch}", (network,), ()) for batch, network in alone]

    def _compared(
        self, networks: Sequence[Network], mapped: Sequence[Network], identity: bool
    ) -> list[NetworkPair]:
        """Partners within groups, and mapped networks across them, in the order of the config.

        In distribution (`identity`) also networks across groups of one architecture, unless they
        have the same seed and so the same initial weights.
        """
        names = {network.name for network in mapped}
        return [
            (x, y)
            for x, y in itertools.combinations(networks, 2)
            if (x.group == y.group and self._are_partners(x, y))
            or (x.group != y.group and self._meet(x, y, names, identity))
        ]

    def _meet(self, x: Network, y: Network, mapped: Collection[str], identity: bool) -> bool:
        """Whether networks of two groups are compared."""
        if self.are_alike(x.group, y.group):
            return x.seed != y.seed and (identity or {x.name, y.name} <= set(mapped))
        return {x.name, y.name} <= set(mapped)

    def are_alike(self, group: str, other: str) -> bool:
        """Whether two groups are of one architecture, so that their layers are the same."""
        same = "architecture width layers reader factory arguments weights activations"
        one, two = self.groups[group], self.groups[other]
        return group != other and all(
            getattr(one, key) == getattr(two, key) for key in same.split()
        )

    @cached_property
    def figures(self) -> tuple[int, ...]:
        """Numbers of the figures."""
        reference = self.reference_group
        has = {
            Needs.NOTHING: True,
            Needs.GROUPS_ALIKE: reference is not None
            and any(self.are_alike(reference, group) for group in self.groups),
            Needs.RECORDINGS: bool(self.config.recordings),
        }
        return tuple(number for number, module in figures().items() if has[module.DATA.needs])

    @property
    def calibrated(self) -> bool:
        """Whether scores are judged against many permutations of the stimuli."""
        return self.config.alignment.shuffles > 1

    @cached_property
    def reference_group(self) -> str | None:
        """The first group that learns the true labels of natural images."""
        for name in self.groups:
            plan = self.learned(name)
            if plan and (plan.labels, plan.images, plan.objective) == SUPERVISED:
                return name
        return None

    def learned(self, group: str, dataset: str | None = None) -> TrainingPlan | None:
        """How a group's first network is trained on a dataset; None of one that comes trained."""
        own = (network for network in self.trained if network.group == group)
        return next((self.plan(dataset or self.datasets[0], network) for network in own), None)

    def _are_partners(self, x: Network, y: Network) -> bool:
        """Whether two networks of a group are compared."""
        (_, i), (_, j) = sorted(map(self._place, (x, y)))
        return (i, j) in self._graphs[x.group]

    def _place(self, network: Network) -> tuple[int, int]:
        """The index of a network's group, and its own in the group: in its ring, if it has one."""
        return self._places[network.name]

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        alignment = self.config.alignment
        places = {}
        for index, group in enumerate(self.config.networks):
            seeds: Sequence[int] = group.seeds
            if alignment.partners is not None and alignment.map_seeds is not None:
                seeds = ring(group.name, seeds, alignment.map_seeds, self.seed)
            for place, seed in enumerate(seeds):
                places[network_name(group.name, seed)] = index, place
        return places

    @cached_property
    def _graphs(self) -> dict[str, set[tuple[int, int]]]:
        """Places of the networks of each group that are compared."""
        partners = self.config.alignment.partners
        sizes = {group.name: len(group.seeds) for group in self.config.networks}
        return {
            name: graph(size, size if partners is None else partners)
            for name, size in sizes.items()
        }

    def _batches(self, networks: Sequence[Network], size: int) -> dict[str, tuple[Network, ...]]:
        """Networks of one group, `size` or fewer of them, under a name for the batch."""
        batches = {}
        for group in self.groups:
            alike = tuple(n for n in networks if n.group == group)
            for start in range(0, len(alike), size):
                batches[f"{group}-{start // size + 1}"] = alike[start : start + size]
        return batches

    def _family_conditions(self) -> Iterator[Condition]:
        chosen = self.config.stimuli.families
        entries = (
            [(name, chosen) for name in families()]
            if isinstance(chosen, str)
            else [(entry.family, entry.levels) for entry in chosen]
        )
        for family, levels in entries:
            for level in families()[family].chosen_levels(levels):
                yield Condition(family, level_text(level))
