"""An experiment: the validated config and what follows from it.

Read while the DAG is built, so it imports no torch. `validation.check` comes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from convergent_learning.datasets.catalogue import DatasetInfo, dataset_info
from convergent_learning.networks.layers import LAYERS, Layer, select_layers
from convergent_learning.networks.pretrained import Pretrained, is_pretrained
from convergent_learning.stimuli import condition_slug, families, level_text
from convergent_learning.stimuli.user_sets import UserSet
from convergent_learning.training.plan import TrainingPlan

CONTEXT_METRIC = "context"


@dataclass(frozen=True)
class Network:
    """A network of the experiment: an architecture and a seed.

    One that is trained here has a `width`, and in `training` what differs from the training of all;
    any other has a description in `pretrained`.
    """

    architecture: str
    seed: int
    width: float | None = None
    training: dict[str, Any] = field(default_factory=dict)
    pretrained: Pretrained | None = None

    @property
    def name(self) -> str:
        """Its name in files, messages and tables; every other place is given it from here."""
        return f"{self.architecture}-seed{self.seed}"


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
    """Activations that are scored together: a condition at a training step."""

    condition: Condition
    step: int

    @property
    def name(self) -> str:
        return f"{self.condition.slug}_step{self.step}"


@dataclass(frozen=True)
class Tile:
    """Pairs of networks that one job scores: one network of each side. Iterates over the pairs."""

    name: str
    first: list[Network]
    second: list[Network]

    def __iter__(self) -> Iterator[tuple[Network, Network]]:
        if self.first == self.second:
            return itertools.combinations(self.first, 2)
        return itertools.product(self.first, self.second)

    @property
    def sides(self) -> tuple[list[str], list[str]]:
        """Names of the networks of both sides."""
        return [n.name for n in self.first], [n.name for n in self.second]


IDENTITY = Condition("id")
IMAGENET_SIDE = 224
# Keys of `training` that change how fast weights are made, and not which.
_NOT_PLANNED = ("threads", "trainings_per_gpu")


class Experiment:
    """What a validated config means: networks, plans, conditions and blocks of scores."""

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.name: str = config["experiment"]
        self.seed: int = config["seed"]
        self.datasets = [entry["name"] for entry in config["datasets"]]
        self.metrics: list[str] = config["alignment"]["metrics"]

    @cached_property
    def networks(self) -> list[Network]:
        return [
            Network(
                entry["architecture"],
                seed,
                entry.get("width"),
                entry.get("training", {}),
                Pretrained.of(entry, seed, self.seed) if is_pretrained(entry) else None,
            )
            for entry in self.config["networks"]
            for seed in entry["seeds"]
        ]

    @cached_property
    def trained(self) -> list[Network]:
        """Networks that are trained here."""
        return [network for network in self.networks if network.pretrained is None]

    @cached_property
    def pretrained(self) -> list[Network]:
        """Networks that come trained; they are shown the stimuli beside the final checkpoints."""
        return [network for network in self.networks if network.pretrained is not None]

    @cached_property
    def architectures(self) -> list[str]:
        return [entry["architecture"] for entry in self.config["networks"]]

    @cached_property
    def conditions(self) -> list[Condition]:
        """OOD conditions, family by family, mild to strong; then those of the user's sets."""
        return [
            *_conditions(self.config["stimuli"]["families"]),
            *(Condition(s.stimuli, level) for s in self.user_sets for level in s.conditions),
        ]

    @cached_property
    def user_conditions(self) -> dict[str, tuple[UserSet, str]]:
        """The user's sets and their conditions, by slug."""
        return {
            condition_slug(user_set.stimuli, condition): (user_set, condition)
            for user_set in self.user_sets
            for condition in user_set.conditions
        }

    @cached_property
    def user_sets(self) -> list[UserSet]:
        return [UserSet.of(entry) for entry in self.config["stimuli"].get("sets", [])]

    def layers(self, dataset: str) -> dict[str, tuple[Layer, ...]]:
        """Scored layers of each architecture, in depth order; a stem depends on the image size."""
        size = self.dataset_info(dataset).side
        return {
            entry["architecture"]: scored_layers(entry, size) for entry in self.config["networks"]
        }

    def dataset_entry(self, dataset: str) -> dict[str, Any]:
        """The config entry of `dataset`."""
        return next(entry for entry in self.config["datasets"] if entry["name"] == dataset)

    def dataset_info(self, dataset: str) -> DatasetInfo:
        return dataset_info(self.dataset_entry(dataset))

    def plan(self, dataset: str, network: Network) -> TrainingPlan:
        """The training plan of a network that is trained here on `dataset`."""
        training = self.config["training"] | network.training
        for key in _NOT_PLANNED:
            training.pop(key)
        return TrainingPlan(
            dataset=dataset,
            architecture=network.architecture,
            width=network.width,
            seed=network.seed,
            experiment_seed=self.seed,
            train_images=train_images(self.dataset_entry(dataset)),
            **training
            | {
                "checkpoints": tuple(map(str, training["checkpoints"])),
                "milestones": tuple(training["milestones"]),
            },
        )

    def steps(self, dataset: str) -> list[int]:
        """Training steps of the checkpoints, 0 first; only 0 where nothing is trained."""
        return self.plan(dataset, self.trained[0]).checkpoint_steps if self.trained else [0]

    def at(self, dataset: str, step: int) -> list[Network]:
        """Networks that are shown the stimuli at `step`, in the order of the config."""
        if step == self.steps(dataset)[-1]:
            return self.networks
        return self.trained

    def mapped(self, dataset: str, slug: str, step: int) -> list[Network]:
        """Networks of which a sample gets all layer pairs: untrained and final, in distribution."""
        steps = self.steps(dataset)
        if slug != IDENTITY.slug or step not in (steps[0], steps[-1]):
            return []
        first = self.config["alignment"]["map_seeds"]
        return [
            network
            for network in self.at(dataset, step)
            if first is None or network.seed in self._seeds(network.architecture)[:first]
        ]

    def trainings(self) -> list[list[Network]]:
        """Networks trained in one job: of one architecture, as many as may share a GPU."""
        together = self.config["training"]["trainings_per_gpu"]
        return list(self._groups(self.trained, together).values())

    def blocks(self, dataset: str) -> dict[str, list[Sample]]:
        """Blocks of scores: each is one scoring job a metric.

        ``final`` and ``untrained`` hold every layer pair of every network pair; ``training`` the
        checkpoints between them and one block a family its conditions, own layers only.
        """
        steps = self.steps(dataset)
        blocks = {"final": [Sample(IDENTITY, steps[-1])]}
        if self.trained:
            blocks["untrained"] = [Sample(IDENTITY, steps[0])]
        if len(steps) > 2:
            blocks["training"] = [Sample(IDENTITY, step) for step in steps[1:-1]]
        for condition in self.conditions:
            blocks.setdefault(condition.stimuli, []).append(Sample(condition, steps[-1]))
        return blocks

    def tiles(self, dataset: str, block: str, within: bool = False) -> list[Tile]:
        """The scoring jobs of a block and metric: one, or one for each two groups of networks.

        within : only pairs of one architecture are scored
        """
        sample = self.blocks(dataset)[block][0]
        networks = self.at(dataset, sample.step)
        size = self.config["alignment"]["networks_per_job"]
        if size is None:
            return [Tile("", networks, networks)]
        maps = self.mapped(dataset, sample.condition.slug, sample.step)
        mapped = set() if within else {network.name for network in maps}
        groups = self._groups(networks, size)
        tiles = [
            Tile(f"_{a}_{b}", groups[a], groups[b])
            for a, b in itertools.combinations_with_replacement(groups, 2)
        ]
        return [
            tile
            for tile in tiles
            if any(x.architecture == y.architecture or mapped >= {x.name, y.name} for x, y in tile)
        ]

    def _groups(self, networks: list[Network], size: int) -> dict[str, list[Network]]:
        """Networks of one architecture, `size` or fewer of them, under a name for the group."""
        groups = {}
        for architecture in self.architectures:
            alike = [n for n in networks if n.architecture == architecture]
            for start in range(0, len(alike), size):
                groups[f"{architecture}-{start // size + 1}"] = alike[start : start + size]
        return groups

    def _seeds(self, architecture: str) -> list[int]:
        return [n.seed for n in self.networks if n.architecture == architecture]

    def families(self) -> list[str]:
        """Stimuli of the OOD conditions: families, and the user's sets."""
        return list(dict.fromkeys(condition.stimuli for condition in self.conditions))

    def paired(self) -> list[str]:
        """Those whose images correspond one by one with the ID set's, so that maps transfer."""
        unpaired = [s.stimuli for s in self.user_sets if not s.paired]
        return [name for name in self.families() if name not in unpaired]


def scored_layers(entry: dict[str, Any], image_size: int) -> tuple[Layer, ...]:
    """Layers of a config entry of `networks`; published weights are those of ImageNet networks."""
    names = entry.get("layers", "default")
    if "factory" in entry or entry["architecture"] not in LAYERS:
        return tuple(Layer(name, "block") for name in names)
    size = IMAGENET_SIDE if is_pretrained(entry) else image_size
    return select_layers(entry["architecture"], names, size)


def _conditions(chosen: str | list[dict[str, Any]]) -> Iterator[Condition]:
    if isinstance(chosen, str):
        chosen = [{"family": name, "levels": chosen} for name in families()]
    for entry in chosen:
        for level in families()[entry["family"]].chosen_levels(entry["levels"]):
            yield Condition(entry["family"], level_text(level))


def train_images(entry: dict[str, Any]) -> int:
    """Size of the training subset: all images unless the config says less."""
    chosen = entry.get("train_images")
    return dataset_info(entry).train if chosen is None else chosen
