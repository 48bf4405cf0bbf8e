"""An experiment: the validated config and what follows from it.

Read while the DAG is built, so it imports no torch and refuses bad input before any work starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema

from convergent_learning.alignment.registry import metrics
from convergent_learning.datasets.registry import DATASETS
from convergent_learning.networks.layers import LAYERS, Layer, select_layers
from convergent_learning.stimuli import condition_slug, families, level_text
from convergent_learning.stimuli.user_sets import UserSet, set_problems
from convergent_learning.training.plan import TrainingPlan, checkpoint_steps

CONTEXT_METRIC = "context"


class ConfigError(ValueError):
    """The config is refused; the message names every key at fault and the allowed values."""

    def __init__(self, problems: list[str]):
        super().__init__("The config is refused:\n" + "\n".join(f"  - {p}" for p in problems))


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
            train_images=_train_images(self._dataset(dataset)),
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


def check(config: dict[str, Any], schema: Path) -> None:
    """Raise ConfigError unless `config` keeps to `schema` and to what code and data allow."""
    problems = _schema_problems(config, json.loads(Path(schema).read_text()))
    problems = problems or list(_problems(config))
    if problems:
        raise ConfigError(problems)


def _schema_problems(config: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [_explain(error) for error in validator.iter_errors(config)]


def _explain(error: jsonschema.ValidationError) -> str:
    key = _key(error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = ", ".join(sorted(error.schema["properties"]))
        unknown = ", ".join(sorted(set(error.instance) - set(error.schema["properties"])))
        return f"{key or 'top level'}: unknown key {unknown}; allowed keys: {allowed}"
    if error.validator == "oneOf" and "description" in error.schema:
        return f"{key}: {error.instance!r} is not {error.schema['description']}"
    if error.validator == "uniqueItems":
        return f"{key}: {error.instance!r} lists an entry twice; list each once"
    return f"{key or 'top level'}: {error.message}"


def _key(path: Any) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(
        "."
    )


def _problems(config: dict[str, Any]) -> Iterator[str]:
    """What the schema cannot say: names that code knows, and keys that depend on each other."""
    yield from _dataset_problems(config)
    yield from _network_problems(config["networks"])
    yield from _stimulus_problems(config)
    for index, metric in enumerate(config["alignment"]["metrics"]):
        if metric not in metrics():
            yield _unknown(f"alignment.metrics[{index}]", metric, metrics())


def _dataset_problems(config: dict[str, Any]) -> Iterator[str]:
    training = config["training"]
    for index, entry in enumerate(config["datasets"]):
        key, name = f"datasets[{index}]", entry["name"]
        if name not in DATASETS:
            yield _unknown(f"{key}.name", name, DATASETS)
            continue
        if entry["name"] in [other["name"] for other in config["datasets"][:index]]:
            yield f"{key}.name: {name!r} is listed twice; list each dataset once"
        images = _train_images(entry)
        if images > DATASETS[name].train:
            yield f"{key}.train_images: {images} of {DATASETS[name].train}; null takes all"
        if images < training["batch_size"]:
            yield (
                f"training.batch_size: {training['batch_size']} exceeds the {images} training"
                f" images of {name}; lower it or raise {key}.train_images"
            )
        try:
            checkpoint_steps(
                tuple(training["checkpoints"]),
                training["epochs"],
                max(1, images // training["batch_size"]),
            )
        except ValueError as error:
            yield f"training.checkpoints: {error}"


def _network_problems(networks: list[dict[str, Any]]) -> Iterator[str]:
    nodes = json.loads(
        files("convergent_learning.networks").joinpath("graph_nodes.json").read_text()
    )
    for index, entry in enumerate(networks):
        key, architecture = f"networks[{index}]", entry["architecture"]
        if architecture not in LAYERS:
            yield _unknown(f"{key}.architecture", architecture, LAYERS)
            continue
        if architecture in [other["architecture"] for other in networks[:index]]:
            yield f"{key}.architecture: {architecture!r} is listed twice; list its seeds together"
        if entry["layers"] == "default":
            continue
        known = nodes[architecture]
        unknown = [name for name in entry["layers"] if name not in known]
        if unknown:
            yield _unknown(f"{key}.layers", ", ".join(unknown), known)
        elif sorted(entry["layers"], key=known.index) != entry["layers"]:
            yield f"{key}.layers: not in depth order, which is {', '.join(known)}"


def _stimulus_problems(config: dict[str, Any]) -> Iterator[str]:
    images, folds = config["stimuli"]["images"], config["alignment"]["folds"]
    if images < 2 * folds:
        yield (
            f"stimuli.images: {images} stimuli cannot make {folds} folds of two or more; raise it"
            " or lower alignment.folds"
        )
    for entry in config["datasets"]:
        if entry["name"] in DATASETS and images > DATASETS[entry["name"]].test:
            available = DATASETS[entry["name"]].test
            yield f"stimuli.images: {images}, but {entry['name']} has {available} test images"
    sides = {
        e["name"]: DATASETS[e["name"]].side for e in config["datasets"] if e["name"] in DATASETS
    }
    yield from set_problems(config["stimuli"].get("sets", []), folds, sides)
    chosen = config["stimuli"]["families"]
    if isinstance(chosen, str):
        return
    for index, entry in enumerate(chosen):
        key = f"stimuli.families[{index}]"
        if entry["family"] not in families():
            yield _unknown(f"{key}.family", entry["family"], families())
            continue
        if entry["family"] in [other["family"] for other in chosen[:index]]:
            yield f"{key}.family: {entry['family']!r} is listed twice; put all levels in one entry"
        try:
            families()[entry["family"]].chosen_levels(entry["levels"])
        except ValueError as error:
            yield f"{key}.levels: {error}"


def _conditions(chosen: str | list[dict[str, Any]]) -> Iterator[Condition]:
    if isinstance(chosen, str):
        chosen = [{"family": name, "levels": chosen} for name in families()]
    for entry in chosen:
        for level in families()[entry["family"]].chosen_levels(entry["levels"]):
            yield Condition(entry["family"], level_text(level))


def _train_images(entry: dict[str, Any]) -> int:
    chosen = entry["train_images"]
    return DATASETS[entry["name"]].train if chosen is None else chosen


def _unknown(key: str, value: str, allowed: Any) -> str:
    return f"{key}: unknown {value!r}; allowed: {', '.join(allowed)}"
