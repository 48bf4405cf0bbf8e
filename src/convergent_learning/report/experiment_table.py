"""The experiment in a table: what was trained, shown and compared, one row per topic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.config.experiment import Experiment
from convergent_learning.config.group import Group, Training
from convergent_learning.figures import style
from convergent_learning.stimuli import level_text
from convergent_learning.tables.stages import TRAINED
from convergent_learning.tables.storage import read_table, read_tables, with_stages

_OPTIMIZERS = {"sgd": "SGD with Nesterov momentum", "adamw": "AdamW"}


def experiment_table(experiment: Experiment, tables: Path) -> dict[str, str]:
    """Text under the topic that a reader sees, in the order of the work."""
    config = experiment.config
    alignment, conditions = config.alignment, read_table(tables, "conditions")
    datasets = read_table(tables, "datasets")
    rows = {
        "Datasets": "; ".join(_dataset(row) for row in datasets.to_dict("records")),
        "Networks": "; ".join(_networks(entry) for entry in config.networks),
        "Training": _training(config.training) if experiment.trained else "",
        "Checkpoints": "; ".join(_checkpoints(experiment)),
        "Test accuracy": _final_accuracy(
            with_stages(read_tables(tables, ("accuracy", "groups")))["accuracy"]
        ),
        "Stimuli": f"{config.stimuli.images:,} test images, the same for every network",
        "Conditions": _conditions(conditions) + _duplicates(tables),
        "Alignment": f"{', '.join(map(style.metric_label, alignment.metrics))};"
        f" {alignment.folds} folds over stimuli; ridge {alignment.ridge};"
        f" {alignment.rotations} random rotations",
    }
    return {topic: text for topic, text in rows.items() if text}


def _dataset(row: dict[str, Any]) -> str:
    return (
        f"{row['dataset']}: {row['train_images']:,.0f} training images,"
        f" {row['classes']:.0f} classes"
    )


def _networks(entry: Group) -> str:
    architecture = style.group(entry.architecture)
    named = entry.name != entry.architecture
    said = [f"{entry.name}: {architecture}" if named else architecture]
    if entry.width is not None:
        said.append(f"at width {entry.width:g}")
    if entry.factory:
        said.append(f"made by {entry.factory}")
    if entry.weights:
        said.append(f"with the weights {entry.weights}")
    differs = entry.training.dump()
    changed = [f"{key} {_set_to(value)}" for key, value in differs.items() if key != "checkpoints"]
    return ", ".join([" ".join(said), *changed, f"seeds {', '.join(map(str, entry.seeds))}"])


def _set_to(value: Any) -> str:
    """What a key of `training` says; of stimuli that are learned from, family and level."""
    if not isinstance(value, dict):
        return str(value)
    level = style.level(value["family"], level_text(value["level"]))
    return f"{style.family(value['family']).label} {level}".strip()


def _checkpoints(experiment: Experiment) -> Iterator[str]:
    """Steps of the checkpoints of each dataset, of groups with the same ones together."""
    for dataset in experiment.datasets:
        groups: dict[tuple[int, ...], list[str]] = {}
        for name in experiment.groups:
            groups.setdefault((*experiment.steps_of(dataset, name),), []).append(style.group(name))
        for steps, names in groups.items():
            of_groups = f" ({', '.join(names)})" if len(groups) > 1 else ""
            if steps:
                yield f"{dataset}{of_groups}: steps {', '.join(map(str, steps))}"


def _training(plan: Training) -> str:
    return (
        f"{plan.epochs} epochs, batch {plan.batch_size}, {_OPTIMIZERS[plan.optimizer]},"
        f" peak learning rate {plan.learning_rate}, {plan.schedule} schedule, weight decay"
        f" {plan.weight_decay}, precision {plan.precision}"
    )


def _final_accuracy(accuracy: pd.DataFrame) -> str:
    identity = accuracy[(accuracy.stimuli == "id") & accuracy.accuracy.notna()]
    last = identity[identity.stage == TRAINED]
    ranges = last.groupby(["dataset", "group"], sort=False).accuracy.agg(["min", "max"])
    return "; ".join(
        f"{style.group(group)} on {dataset} {row['min']:.3f} to {row['max']:.3f}"
        for (dataset, group), row in ranges.iterrows()
    )


def _conditions(conditions: pd.DataFrame) -> str:
    if conditions.empty:
        return "none"
    said = []
    for name, rows in conditions.groupby("stimuli", sort=False):
        levels = [style.level(name, level) for level in rows.condition]
        said.append(f"{style.family(name).label} {', '.join(filter(None, levels))}".strip())
    return f"{len(conditions)} of {conditions.family.nunique()} families: {'; '.join(said)}"


def _duplicates(tables: Path) -> str:
    found = read_table(tables, "duplicate_conditions")
    pairs = [f"{row.condition} and {row.duplicate_of}" for row in found.itertuples()]
    return f". The same to 1/255: {'; '.join(pairs)}" if pairs else ""
