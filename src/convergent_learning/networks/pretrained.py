"""Networks that are not trained here: described by the config, shown to the stimuli as they are.

Read while the DAG is built, so it imports no torch; `networks.loading` builds what this describes.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from convergent_learning.networks.layers import ReaderName
from convergent_learning.networks.listed import listed

IMAGENET_SIDE = 224  # pixels of the images that published weights were trained on
_KEYS = {
    "architecture",
    "name",
    "seeds",
    "layers",
    "reader",
    "factory",
    "arguments",
    "weights",
    "steps",
    "steps_per_epoch",
    "mean",
    "std",
}
# Every network is computed with them: records of jobs say which versions.
_UNDER_ALL = {"torch", "numpy"}


@dataclass(frozen=True)
class Pretrained:
    """A network from a factory, or from torchvision with published weights.

    `factory` is ``"package.module:function"``, called with `arguments`; `weights` is then a file
    with a state dict, or None if the factory loads its own. Without a factory, `architecture` is a
    torchvision model and `weights` the name of its published weights. `mean` and `std` normalise
    pixels in [0, 1]; None takes those of the published weights, or of the dataset. `step` is the
    training step that the weights are of, 0 where nothing is known of their training. `reader`
    says how its layers are read (`readers.reader_for`). `packages` are those that build it, with
    their versions: another version may build another network.
    """

    architecture: str
    seed: int
    experiment_seed: int
    factory: str | None
    arguments: dict[str, Any]
    weights: str | None
    mean: list[float] | None
    std: list[float] | None
    step: int = 0
    reader: ReaderName = "auto"
    packages: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: dict[str, Any], seed: int, experiment_seed: int) -> Pretrained:
        """The network of a config entry; ``{seed}`` in the weights' path becomes `seed`."""
        factory, weights = entry.get("factory"), entry.get("weights")
        if factory and weights:
            weights = weights.replace("{seed}", str(seed))
        return cls(
            architecture=entry["architecture"],
            seed=seed,
            experiment_seed=experiment_seed,
            factory=factory,
            arguments=entry.get("arguments", {}),
            weights=weights,
            mean=entry.get("mean"),
            std=entry.get("std"),
            reader=entry.get("reader", "auto"),
            packages=_packages(factory),
        )

    def at(self, step: int) -> Pretrained:
        """The network at a training step: ``{step}`` in the weights' path becomes `step`."""
        if self.factory is None or self.weights is None or "{step}" not in self.weights:
            return self
        return replace(self, step=step, weights=self.weights.replace("{step}", str(step)))

    @property
    def is_own(self) -> bool:
        """Whether code of the user's makes it, which may need memory in the order of the axes."""
        return self.factory is not None

    @property
    def files(self) -> list[str]:
        """Files that define it: the factory's module and the state dict."""
        if self.factory is None:
            return []
        module = find_module(self.factory.split(":")[0])
        return [path for path in (module, self.weights) if path is not None]


def _packages(factory: str | None) -> tuple[str, ...]:
    """Distribution and version of the factory's package, or of those its own module imports."""
    module = "torchvision.models" if factory is None else factory.partition(":")[0]
    top = module.partition(".")[0]
    names = {top} if top in _distributions() else _imported(find_module(module)) - _UNDER_ALL
    found = {each for name in names for each in _distributions().get(name, ())}
    # CPU and GPU builds of a release differ in what follows the plus.
    return tuple(f"{each} {version(each).partition('+')[0]}" for each in sorted(found))


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    """Installed distributions by the names that they are imported under."""
    return packages_distributions()


def _imported(path: str | None) -> set[str]:
    """Packages that a module's source imports, anywhere in it."""
    if path is None or not path.endswith(".py"):
        return set()
    try:
        tree = ast.parse(Path(path).read_bytes())
    except SyntaxError:  # which building the network reports
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def find_module(name: str) -> str | None:
    """Path of a module's source, looked for beside the config too; None if there is no module."""
    import_from_working_directory()
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return spec.origin if spec is not None and spec.has_location else None


def import_from_working_directory() -> None:
    """Let a module that lies beside the config be imported, as with ``python -m``."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def pretrained_problems(entry: dict[str, Any], key: str) -> Iterator[str]:
    """What is wrong with a network entry that has a factory or weights."""
    for unknown in sorted(set(entry) - _KEYS):
        yield f"{key}.{unknown}: {entry['architecture']} is not trained here; remove the key"
    if ("mean" in entry) != ("std" in entry):
        yield f"{key}: give both `mean` and `std`, or neither"
    weights, seeds = entry.get("weights"), entry["seeds"]
    if len(seeds) > 1 and "factory" not in entry:
        yield f"{key}.seeds: published weights are one network; list one seed"
    elif len(seeds) > 1 and weights is not None and "{seed}" not in weights:
        yield f"{key}.weights: {weights} serves all seeds {seeds}; put {{seed}} into the path"
    for other in ("steps", "steps_per_epoch"):
        if other in entry and ("factory" not in entry or weights is None):
            yield f"{key}.{other}: only with a `factory` and `weights`; remove it"
    if "factory" in entry:
        yield from _factory_problems(entry, key)
    elif entry.get("layers", "default") == "default":
        if entry["architecture"] not in listed():
            yield f"{key}.layers: {entry['architecture']} has no default layers; list its layers"
        elif entry.get("reader") == "hooks":
            yield f"{key}.layers: default layers are graph nodes; list modules, or remove `reader`"


def _factory_problems(entry: dict[str, Any], key: str) -> Iterator[str]:
    module = entry["factory"].split(":")[0]
    try:
        found = find_module(module)
    except Exception as error:  # importing its packages runs their code
        yield f"{key}.factory: {module} cannot be imported ({type(error).__name__}: {error})"
        return
    if found is None:
        yield (
            f"{key}.factory: no module {module!r}; install its package, put it into the working"
            " directory, or set PYTHONPATH"
        )
    if entry.get("layers", "default") == "default":
        yield f"{key}.layers: list layers of {entry['architecture']}, in depth order"
    followed = "{step}" in (entry.get("weights") or "")
    if "steps" in entry and not followed:
        yield f"{key}.steps: put {{step}} into the path of `weights`, which all steps share"
    if followed and "steps" not in entry:
        yield f"{key}.steps: list the training steps that {{step}} in `weights` stands for"
        return
    for network in (Pretrained.of(entry, seed, 0) for seed in entry["seeds"]):
        for step in entry.get("steps", (0,)):
            weights = network.at(step).weights
            if weights is not None and not Path(weights).is_file():
                yield f"{key}.weights: there is no file {weights}"
