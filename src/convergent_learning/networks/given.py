"""Networks of which only activations are known, in files that any framework may have made.

Read while the DAG is built, so it imports no torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from convergent_learning.alignment.activation_reader import read_activations
from convergent_learning.networks.layers import Layer, Role

IDENTITY = "id"  # what the path calls the in-distribution set
_KEYS = {"architecture", "name", "seeds", "layers", "activations", "steps", "steps_per_epoch"}


@dataclass(frozen=True)
class ActivationFiles:
    """The files of one network, each with its activations for one stimulus set.

    In `path` ``{step}`` stands for the training step and ``{condition}`` for the stimulus set
    (``id``, ``contrast-50``); without the latter, there is the in-distribution set alone. `step` is
    the training step, 0 where nothing is known of the training.
    """

    path: str
    step: int = 0

    @classmethod
    def of(cls, entry: dict[str, Any], seed: int) -> ActivationFiles:
        """Those of a config entry; ``{seed}`` in the path becomes `seed`."""
        return cls(entry["activations"].replace("{seed}", str(seed)))

    def at(self, step: int) -> ActivationFiles:
        """Those of a training step, if the path tells steps apart."""
        if "{step}" not in self.path:
            return self
        return replace(self, step=step, path=self.path.replace("{step}", str(step)))

    def file(self, condition: str) -> str | None:
        """The file of a stimulus set; None where there is none."""
        if condition != IDENTITY and "{condition}" not in self.path:
            return None
        path = self.path.replace("{condition}", condition)
        return path if Path(path).exists() else None

    def layers(self) -> tuple[Layer, ...]:
        """All layers of its in-distribution file, in depth order."""
        path = self.file(IDENTITY)
        assert path is not None, "`given_problems` demands it"
        with read_activations(path) as found:
            return tuple(Layer(name, cast(Role, found.roles[name])) for name in found)


def given_problems(entry: dict[str, Any], key: str) -> Iterator[str]:
    """What is wrong with a network entry that has activations."""
    for unknown in sorted(set(entry) - _KEYS):
        yield f"{key}.{unknown}: {entry['architecture']} comes as activations; remove the key"
    path, seeds = entry["activations"], entry["seeds"]
    if len(seeds) > 1 and "{seed}" not in path:
        yield f"{key}.activations: {path} serves all seeds {seeds}; put {{seed}} into the path"
    if ("steps" in entry) != ("{step}" in path):
        yield f"{key}.steps: give `steps` and {{step}} in the path of `activations`, or neither"
        return
    if "steps_per_epoch" in entry and "steps" not in entry:
        yield f"{key}.steps_per_epoch: only with `steps`; remove it"
    for seed, step in itertools.product(seeds, entry.get("steps", (0,))):
        files = ActivationFiles.of(entry, seed).at(step)
        if files.file(IDENTITY) is None:
            yield f"{key}.activations: there is no {files.path.replace('{condition}', IDENTITY)}"
            continue
        try:
            there = [layer.name for layer in files.layers()]
        except ValueError as error:
            yield f"{key}.activations: {error}"
            continue
        listed = entry.get("layers", "default")
        wanted = [] if listed == "default" else [_name(layer) for layer in listed]
        for layer in sorted(set(wanted) - set(there)):
            yield (
                f"{key}.layers: {files.file(IDENTITY)} has no layer {layer!r}; there are"
                f" {', '.join(there)}"
            )
        known = [layer for layer in wanted if layer in there]
        if sorted(known, key=there.index) != known:
            yield f"{key}.layers: not in depth order, which is {', '.join(there)}"


def _name(layer: str | dict[str, Any]) -> str:
    return layer if isinstance(layer, str) else layer["name"]
