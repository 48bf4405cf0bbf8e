"""Refusal of a bad config before any work starts: one message with every key at fault.

The JSON schema says which keys there are and of what type; the rest is here: names that code knows,
and keys that depend on each other. Imports no torch, as the DAG is built with it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import jsonschema

from convergent_learning.alignment.registry import metrics
from convergent_learning.datasets.catalogue import DATASETS, LAYOUTS, DatasetInfo, dataset_info
from convergent_learning.experiment import IMAGENET_SIDE, train_images
from convergent_learning.networks.layers import LAYERS, graph_node_names, require_image_size
from convergent_learning.networks.pretrained import is_pretrained, pretrained_problems
from convergent_learning.stimuli import families
from convergent_learning.stimuli.user_sets import set_problems
from convergent_learning.training.plan import checkpoint_steps


class ConfigError(ValueError):
    """The config is refused; the message names every key at fault and the allowed values."""

    def __init__(self, problems: list[str]):
        super().__init__("The config is refused:\n" + "\n".join(f"  - {p}" for p in problems))


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
    known = {}
    for index, entry in enumerate(config["datasets"]):
        if entry["name"] in known:
            yield f"datasets[{index}].name: {entry['name']!r} is listed twice; list each once"
        problems = list(_dataset_problems(entry, f"datasets[{index}]", config["training"]))
        yield from problems
        if not problems:
            known[entry["name"]] = dataset_info(entry)
    yield from _network_problems(config["networks"], known.values())
    yield from _stimulus_problems(config, known.values())
    yield from _alignment_problems(config["alignment"])


def _dataset_problems(entry: dict[str, Any], key: str, training: dict[str, Any]) -> Iterator[str]:
    name, layout = entry["name"], entry.get("layout")
    if layout is None:
        if name not in DATASETS:
            yield (
                f"{_unknown(f'{key}.name', name, DATASETS)}; or, for your own files, give a"
                f" `layout` ({', '.join(LAYOUTS)}) and a `source`"
            )
            return
    else:
        if name in DATASETS:
            yield f"{key}.name: {name!r} is the official dataset; call your own files otherwise"
        for needed in ("source", "train_images"):
            if entry.get(needed) is None:
                yield f"{key}.{needed}: a dataset with a `layout` needs it"
    if layout != "imagefolder":
        for other in {"image_size", "classes"} & set(entry):
            yield f"{key}.{other}: only for `layout: imagefolder`; remove it"
    if layout is not None and entry.get("train_images") is None:
        return
    info, images = dataset_info(entry), train_images(entry)
    if images > info.train:
        yield f"{key}.train_images: {images} of {info.train}; null takes all"
    if images < training["batch_size"]:
        yield (
            f"training.batch_size: {training['batch_size']} exceeds the {images} training images of"
            f" {name}; lower it or raise {key}.train_images"
        )
    try:
        checkpoint_steps(
            tuple(training["checkpoints"]),
            training["epochs"],
            max(1, images // training["batch_size"]),
        )
    except ValueError as error:
        yield f"training.checkpoints: {error}"


def _network_problems(
    networks: list[dict[str, Any]], datasets: Collection[DatasetInfo]
) -> Iterator[str]:
    for index, entry in enumerate(networks):
        key, architecture = f"networks[{index}]", entry["architecture"]
        if architecture in [other["architecture"] for other in networks[:index]]:
            yield f"{key}.architecture: {architecture!r} is listed twice; list its seeds together"
        if is_pretrained(entry):
            yield from pretrained_problems(entry, key)
            sides = [] if "factory" in entry else [IMAGENET_SIDE]
        else:
            sides = [info.side for info in datasets]
            yield from _trained_problems(entry, key, sides)
        if architecture in LAYERS and entry.get("layers", "default") != "default":
            for side in sides:
                yield from _layer_problems(entry, key, side)


def _trained_problems(entry: dict[str, Any], key: str, sides: list[int]) -> Iterator[str]:
    for side in sides:
        try:
            require_image_size(entry["architecture"], side)
        except ValueError as error:
            yield f"{key}.architecture: {error}"
    if entry["architecture"] not in LAYERS:
        yield (
            f"{_unknown(f'{key}.architecture', entry['architecture'], LAYERS)}; or, for another"
            " network, give a `factory` or published `weights`"
        )
    if "width" not in entry:
        yield f"{key}.width: a network that is trained here needs it (1 is the published width)"
    for other in sorted({"arguments", "mean", "std"} & set(entry)):
        yield f"{key}.{other}: only for a network with a `factory` or `weights`; remove it"


def _layer_problems(entry: dict[str, Any], key: str, image_size: int) -> Iterator[str]:
    known = graph_node_names(entry["architecture"], image_size)
    unknown = [name for name in entry["layers"] if name not in known]
    if unknown:
        yield _unknown(f"{key}.layers", ", ".join(unknown), known)
    elif sorted(entry["layers"], key=known.index) != entry["layers"]:
        yield f"{key}.layers: not in depth order, which is {', '.join(known)}"


def _stimulus_problems(config: dict[str, Any], datasets: Collection[DatasetInfo]) -> Iterator[str]:
    images, folds = config["stimuli"]["images"], config["alignment"]["folds"]
    if images < 2 * folds:
        yield (
            f"stimuli.images: {images} stimuli cannot make {folds} folds of two or more; raise it"
            " or lower alignment.folds"
        )
    for info in datasets:
        if info.test is not None and images > info.test:
            yield f"stimuli.images: {images}, but {info.name} has {info.test} test images"
    sides = {info.name: info.side for info in datasets}
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


def _alignment_problems(alignment: dict[str, Any]) -> Iterator[str]:
    for index, metric in enumerate(alignment["metrics"]):
        if metric not in metrics():
            yield _unknown(f"alignment.metrics[{index}]", metric, metrics())
    if alignment["ridge"] == "cv" and alignment["folds"] < 3:
        yield (
            "alignment.folds: 2 leave no inner folds for `ridge: cv`; use 3 or more, or a number"
            " for alignment.ridge"
        )


def _unknown(key: str, value: str, allowed: Any) -> str:
    return f"{key}: unknown {value!r}; allowed: {', '.join(allowed)}"
