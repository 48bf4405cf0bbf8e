"""Refusal of a bad config before any work starts: one message with every key at fault.

The model says which keys there are and of what type; the rest is here: names that code knows, and
keys that depend on each other. Imports no torch, as the DAG is built with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from convergent_learning.alignment.calibration import ALPHA, fewest_draws
from convergent_learning.alignment.registry import metrics
from convergent_learning.config.errors import ConfigError, problems_of, shown
from convergent_learning.config.model import (
    Alignment,
    Config,
    Dataset,
    FamilyLevels,
    Group,
    Training,
)
from convergent_learning.config.partners import graph
from convergent_learning.datasets.catalogue import DATASETS, LAYOUTS, DatasetInfo
from convergent_learning.networks.given import given_problems
from convergent_learning.networks.layers import close_names
from convergent_learning.networks.listed import graph_nodes, listed, not_listed
from convergent_learning.networks.pretrained import IMAGENET_SIDE, pretrained_problems
from convergent_learning.recordings.checks import recording_problems
from convergent_learning.stimuli import families, get_family
from convergent_learning.stimuli.user_sets import set_problems
from convergent_learning.training.labels import LABELS
from convergent_learning.training.objectives import objectives
from convergent_learning.training.pixels import IMAGES
from convergent_learning.training.plan import PORTABLE, checkpoint_steps

_SHARED_FOLDERS = ("datasets", "networks", "recordings", "reference")


def checked(config: Mapping[str, Any]) -> Config:
    """The typed config of a mapping as YAML gives it.

    Raises ConfigError unless it keeps to the model and to what code and data allow.
    """
    try:
        typed = Config.model_validate(config)
    except ValidationError as error:
        raise ConfigError(problems_of(error, config)) from None
    problems = list(_problems(typed))
    if problems:
        raise ConfigError(problems)
    return typed


def _problems(config: Config) -> Iterator[str]:
    if config.experiment in _SHARED_FOLDERS:
        yield (
            f"experiment: {config.experiment!r} is a folder of results/ that all experiments share;"
            " call it otherwise"
        )
    known: dict[str, DatasetInfo] = {}
    for index, entry in enumerate(config.datasets):
        if entry.name in known:
            yield f"datasets[{index}].name: {entry.name!r} is listed twice; list each once"
        problems = list(_dataset_problems(entry, f"datasets[{index}]", config.training))
        yield from problems
        if not problems:
            known[entry.name] = entry.info
    yield from _network_problems(config.networks, known.values())
    yield from _portable_problems(config.training)
    there = [entry for entry in config.datasets if entry.name in known]
    for group in config.networks:
        if group.is_trained:
            yield from _task_problems(group.own_training(config.training), group, there)
    yield from _stimulus_problems(config, known.values())
    yield from _alignment_problems(config.alignment, config.networks)
    for group in config.networks:
        yield from _partner_problems(config.alignment, group)


def _dataset_problems(entry: Dataset, key: str, training: Training) -> Iterator[str]:
    if entry.layout is None:
        if entry.name not in DATASETS:
            yield (
                f"{_unknown(f'{key}.name', entry.name, DATASETS)}; or, for your own files, give a"
                f" `layout` ({', '.join(LAYOUTS)}) and a `source`"
            )
            return
    else:
        if entry.name in DATASETS:
            yield (
                f"{key}.name: {entry.name!r} is the official dataset; call your own files otherwise"
            )
        for needed in ("source", "train_images"):
            if getattr(entry, needed) is None:
                yield f"{key}.{needed}: a dataset with a `layout` needs it"
    if entry.layout != "imagefolder":
        for other in sorted({"image_size", "classes"} & entry.model_fields_set):
            yield f"{key}.{other}: only for `layout: imagefolder`; remove it"
    if entry.layout is not None and entry.train_images is None:
        return
    if entry.images > entry.info.train:
        yield f"{key}.train_images: {entry.images} of {entry.info.train}; null takes all"
    if entry.images < training.batch_size:
        yield (
            f"training.batch_size: {training.batch_size} exceeds the {entry.images} training images"
            f" of {entry.name}; lower it or raise {key}.train_images"
        )
    yield from _checkpoint_problems(training, entry, "training.checkpoints")
    yield from _crop_problems(training, entry, "training.crop_padding")


def _crop_problems(training: Training, dataset: Dataset, key: str) -> Iterator[str]:
    side = dataset.info.side
    if training.crop_padding > side:
        yield (
            f"{key}: {training.crop_padding} is more than the {side} pixels of {dataset.name}, so"
            f" that a crop may show nothing of an image; use {side} or less"
        )


def _checkpoint_problems(training: Training, dataset: Dataset, key: str) -> Iterator[str]:
    texts = tuple(map(str, training.checkpoints))
    steps_per_epoch = max(1, dataset.images // training.batch_size)
    try:
        checkpoint_steps(texts, training.epochs, steps_per_epoch)
    except ValueError as error:
        yield f"{key}: {error}"
        return
    # In epochs of so many steps, and with an end that is none of them, all checkpoints differ.
    steps = [checkpoint_steps((text,), training.epochs + 1, 10**12) for text in texts]
    for index, text in enumerate(texts):
        if steps[index] in steps[:index]:
            yield f"{key}[{index}]: {text!r} is listed twice; list each checkpoint once"


def _network_problems(
    groups: Collection[Group], datasets: Collection[DatasetInfo]
) -> Iterator[str]:
    names: list[str] = []
    for index, group in enumerate(groups):
        key = f"networks[{index}]"
        if group.name in names:
            given = "name" if "name" in group.model_fields_set else "architecture"
            yield (
                f"{key}.{given}: {group.name!r} is listed twice; list its seeds together, or give"
                " one of them a `name`"
            )
        names.append(group.name)
        if group.activations is not None:
            yield from _reading(f"{key}.activations", given_problems(group.dump(), key))
            continue
        if group.is_pretrained:
            yield from _reading(f"{key}.weights", pretrained_problems(group.dump(), key))
            sides = [] if group.factory is not None else [IMAGENET_SIDE]
        else:
            sides = [info.side for info in datasets]
            yield from _trained_problems(group, key, sides)
        layers = [layer.name for layer in group.chosen_layers or ()]
        for name in sorted({name for name in layers if layers.count(name) > 1}):
            yield f"{key}.layers: {name!r} is listed twice; list each layer once"
        if group.architecture in listed() and layers and group.reader != "hooks":
            for side in sides:
                yield from _layer_problems(group.architecture, layers, key, side)


def _portable_problems(training: Training) -> Iterator[str]:
    if training.precision == PORTABLE and training.threads != 1:
        yield (
            f"training.threads: {training.threads} threads sum in another order than one; use 1"
            " with `precision: portable`"
        )


def _task_problems(
    training: Training, group: Group, datasets: Collection[Dataset]
) -> Iterator[str]:
    """Of what a group is trained on, and for."""
    key = f"networks ({group.name}): training"
    if {"epochs", "checkpoints"} & group.training.model_fields_set:
        for dataset in datasets:
            yield from _checkpoint_problems(training, dataset, f"{key}.checkpoints")
    if "crop_padding" in group.training.model_fields_set:
        for dataset in datasets:
            yield from _crop_problems(training, dataset, f"{key}.crop_padding")
    if training.schedule == "step" and not training.milestones:
        yield (
            f"{key}.milestones: without any, the schedule `step` never lowers the learning rate;"
            " give shares of the steps, such as [0.5, 0.75], or take the schedule `constant`"
        )
    if training.labels_name not in LABELS:
        yield _unknown(f"{key}.labels", training.labels_name, LABELS)
    if training.objective not in objectives():
        yield _unknown(f"{key}.objective", training.objective, objectives())
    if training.objective != "supervised" and training.labels_name != "true":
        yield f"{key}.labels: objective {training.objective} uses no labels; leave them `true`"
    if training.objective == "moco" and training.queue < training.batch_size:
        yield (
            f"{key}.queue: {training.queue} keys are fewer than a batch; use"
            f" {training.batch_size} or more"
        )
    streamed = [dataset.name for dataset in datasets if dataset.layout == "imagefolder"]
    if training.images != "natural" and streamed:
        yield f"{key}.images: those of {streamed[0]} stay in their files; use `natural`"
    if isinstance(training.images, str):
        if training.images not in IMAGES:
            known = [*IMAGES, "a mapping with `family` and `level`"]
            yield _unknown(f"{key}.images", training.images, known)
    elif training.images.family not in families():
        yield _unknown(f"{key}.images.family", training.images.family, families())
    else:
        try:
            get_family(training.images.family).level(training.images.level)
        except ValueError as error:
            yield f"{key}.images.level: {error}"


def _trained_problems(group: Group, key: str, sides: Iterable[int]) -> Iterator[str]:
    if group.architecture not in listed():
        new = [f"; or list {module} with `make pages`" for module in not_listed()]
        yield (
            f"{_unknown(f'{key}.architecture', group.architecture, listed())}; or, for another"
            f" network, give a `factory` or published `weights`{''.join(new)}"
        )
    else:
        for side in sides:
            try:
                listed()[group.architecture].sides.require(group.architecture, side)
            except ValueError as error:
                yield f"{key}.architecture: {error}"
    if group.width is None:
        yield f"{key}.width: a network that is trained here needs it (1 is the published width)"
    for other in sorted({"arguments", "mean", "std", "reader"} & group.model_fields_set):
        yield f"{key}.{other}: only for a network with a `factory` or `weights`; remove it"


def _layer_problems(
    architecture: str, names: Sequence[str], key: str, image_size: int
) -> Iterator[str]:
    known = graph_nodes(architecture, image_size)
    unknown = [name for name in names if name not in known]
    for name in unknown:
        yield f"{key}.layers: unknown {name!r}; graph nodes: {close_names(name, known)}"
    if not unknown and sorted(names, key=known.index) != names:
        yield f"{key}.layers: not in depth order, which is {', '.join(known)}"


def _stimulus_problems(config: Config, datasets: Collection[DatasetInfo]) -> Iterator[str]:
    images, folds = config.stimuli.images, config.alignment.folds
    if images < 2 * folds:
        yield (
            f"stimuli.images: {images} stimuli cannot make {folds} folds of two or more; raise it"
            " or lower alignment.folds"
        )
    for info in datasets:
        if info.test is not None and images > info.test:
            yield f"stimuli.images: {images}, but {info.name} has {info.test} test images"
    tests = {info.name: (info.test, info.side) for info in datasets}
    sets = set_problems([entry.dump() for entry in config.stimuli.sets], folds, tests)
    yield from _reading("stimuli.sets[].path", sets)
    if not isinstance(config.stimuli.families, str):
        yield from _family_problems(config.stimuli.families)
    recordings = recording_problems([entry.dump() for entry in config.recordings], folds)
    yield from _reading("recordings[].source or images", recordings)


def _family_problems(chosen: Collection[FamilyLevels]) -> Iterator[str]:
    names: list[str] = []
    for index, entry in enumerate(chosen):
        key = f"stimuli.families[{index}]"
        if entry.family not in families():
            yield _unknown(f"{key}.family", entry.family, families())
            continue
        if entry.family in names:
            yield f"{key}.family: {entry.family!r} is listed twice; put all levels in one entry"
        names.append(entry.family)
        try:
            families()[entry.family].chosen_levels(entry.levels)
        except ValueError as error:
            yield f"{key}.levels: {error}"


def _alignment_problems(alignment: Alignment, groups: Sequence[Group]) -> Iterator[str]:
    for index, metric in enumerate(alignment.metrics):
        if metric not in metrics():
            yield _unknown(f"alignment.metrics[{index}]", metric, metrics())
    if alignment.ridge == "cv" and alignment.folds < 3:
        yield (
            "alignment.folds: 2 leave no inner folds for `ridge: cv`; use 3 or more, or a number"
            " for alignment.ridge"
        )
    if 1 < alignment.shuffles < fewest_draws():
        yield (
            f"alignment.shuffles: with {alignment.shuffles} no p is as low as {ALPHA}; use"
            f" {fewest_draws()} or more (99 is usual), or 1, which calibrates nothing"
        )
    if alignment.shuffles > 1 and max(len(group.seeds) for group in groups) < 2:
        yield (
            "alignment.shuffles: pairs within groups are calibrated, and no group has two seeds;"
            " list more seeds, or use 1, which calibrates nothing"
        )


def _partner_problems(alignment: Alignment, group: Group) -> Iterator[str]:
    if alignment.partners is None:
        return
    size, mapped = len(group.seeds), len(group.seeds[: alignment.map_seeds])
    try:
        compared = graph(size, alignment.partners)
    except ValueError as error:
        yield f"alignment.partners: of group {group.name!r}, {error}; take an even number"
        return
    if not compared >= {*itertools.combinations(range(mapped), 2)}:
        enough = min(2 * (mapped - 1), size - 1)
        yield (
            f"alignment.partners: {alignment.partners} leave out pairs of the {mapped} networks of"
            f" {group.name!r} with layer x layer maps; raise it to {enough}, or set"
            f" alignment.map_seeds to {alignment.partners // 2 + 1}"
        )


def _reading(key: str, problems: Iterator[str]) -> Iterator[str]:
    """The problems, and one more for a path that the system refuses, as when it is too long."""
    try:
        yield from problems
    except OSError as error:
        yield f"{key}: {shown(error.filename)} cannot be looked at ({error.strerror})"


def _unknown(key: str, value: str, allowed: Iterable[str]) -> str:
    return f"{key}: unknown {value!r}; allowed: {', '.join(allowed)}"
