"""An experiment: the validated config and what follows from it.

Read while the DAG is built, so it imports no torch. `validation.check` comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from convergent_learning.datasets.registry import DATASETS
from convergent_learning.networks.layers import Layer, select_layers
from convergent_learning.stimuli import condition_slug, families, level_text
from convergent_learning.stimuli.user_sets import UserSet
from convergent_learning.training.plan import TrainingPlan

CONTEXT_METRIC = "context"


@dataclass(frozen=True)
class Network:
    """A network of the experiment: (architecture, width, seed) with its scored layers."""

    architecture: str
    width: float
    seed: int
    layers: tuple[Layer, ...]

    @property
    def name(self) -> str:
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


IDENTITY = Condition("id")


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
                entry["width"],
                seed,
                select_layers(entry["architecture"], entry["layers"]),
            )
            for entry in self.config["networks"]
            for seed in entry["seeds"]
        ]

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

    @cached_property
    def layers(self) -> dict[str, tuple[Layer, ...]]:
        """Scored layers of each architecture, in depth order."""
        return {network.architecture: network.layers for network in self.networks}

    def dataset_source(self, dataset: str) -> str | None:
        return self._dataset(dataset)["source"]

    def plan(self, dataset: str, network: str) -> TrainingPlan:
        """The training plan of the network called `network` on `dataset`."""
        chosen = next(n for n in self.networks if n.name == network)
        training = {k: v for k, v in self.config["training"].items() if k != "threads"}
        training["checkpoints"] = tuple(map(str, training["checkpoints"]))
        return TrainingPlan(
            dataset=dataset,
            architecture=chosen.architecture,
            width=chosen.width,
            seed=chosen.seed,
            experiment_seed=self.seed,
            train_images=train_images(self._dataset(dataset)),
            **training,
        )

    def steps(self, dataset: str) -> list[int]:
        """Training steps of the checkpoints, 0 first."""
        return self.plan(dataset, self.networks[0].name).checkpoint_steps

    def blocks(self, dataset: str) -> dict[str, list[Sample]]:
        """Blocks of scores: each is one scoring job a metric.

        ``final`` and ``untrained`` hold every layer pair of every network pair; ``training`` the
        checkpoints between them and one block a family its conditions, own layers only.
        """
        steps = self.steps(dataset)
        blocks = {
            "final": [Sample(IDENTITY, steps[-1])],
            "untrained": [Sample(IDENTITY, steps[0])],
        }
        if len(steps) > 2:
            blocks["training"] = [Sample(IDENTITY, step) for step in steps[1:-1]]
        for condition in self.conditions:
            blocks.setdefault(condition.stimuli, []).append(Sample(condition, steps[-1]))
        return blocks

    def families(self) -> list[str]:
        """Stimuli of the OOD conditions: families, and the user's sets."""
        return list(dict.fromkeys(condition.stimuli for condition in self.conditions))

    def paired(self) -> list[str]:
        """Those whose images correspond one by one with the ID set's, so that maps transfer."""
        unpaired = [s.stimuli for s in self.user_sets if not s.paired]
        return [name for name in self.families() if name not in unpaired]

    def _dataset(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self.config["datasets"] if entry["name"] == name)


def _conditions(chosen: str | list[dict[str, Any]]) -> Iterator[Condition]:
    if isinstance(chosen, str):
        chosen = [{"family": name, "levels": chosen} for name in families()]
    for entry in chosen:
        for level in families()[entry["family"]].chosen_levels(entry["levels"]):
            yield Condition(entry["family"], level_text(level))


def train_images(entry: dict[str, Any]) -> int:
    chosen = entry["train_images"]
    return DATASETS[entry["name"]].train if chosen is None else chosen
