"""The built-in architectures as config and DAG need them: read from a list, without torch.

`python -m convergent_learning.networks.graph` makes the list, `architectures.json`, from the files
in `architectures/`; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from convergent_learning.networks import architectures
from convergent_learning.networks.layers import Layer, Sides, Stem, stem

FILE = Path(__file__).with_name("architectures.json")


@dataclass(frozen=True)
class Listed:
    """An architecture: the `module` that defines it, its default layers and its graph's nodes.

    `nodes` are the names that config may give as layers, in depth order. Both are those of each
    stem.
    """

    module: str
    sides: Sides
    layers: dict[Stem, tuple[Layer, ...]]
    nodes: dict[Stem, list[str]]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Listed:
        """From JSON."""
        layers = {
            of_stem: tuple(Layer(name, role) for name, role in named)
            for of_stem, named in fields["layers"].items()
        }
        return cls(**fields | {"sides": Sides(**fields["sides"]), "layers": layers})

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        layers = {
            of_stem: [[layer.name, layer.role] for layer in named]
            for of_stem, named in self.layers.items()
        }
        return asdict(self) | {"layers": layers}


@cache
def listed() -> dict[str, Listed]:
    """The architectures by name, in the order in which tables have them."""
    return {name: Listed.of(fields) for name, fields in json.loads(FILE.read_text()).items()}


def select_layers(
    architecture: str, chosen: Sequence[Layer] | None = None, image_size: int = 32
) -> tuple[Layer, ...]:
    """The default layers, or those `chosen`, which must be in depth order.

    Default layers keep their roles where `chosen` gives them none.
    """
    default = listed()[architecture].layers[stem(image_size)]
    if chosen is None:
        return default
    roles = {layer.name: layer.role for layer in default}
    return tuple(replace(layer, role=layer.role or roles.get(layer.name)) for layer in chosen)


def graph_nodes(architecture: str, image_size: int = 32) -> list[str]:
    """Every name that config may give as a layer of an architecture, in depth order."""
    return listed()[architecture].nodes[stem(image_size)]


def not_listed() -> list[str]:
    """Files in `architectures/` that the list does not know yet."""
    known = {architecture.module for architecture in listed().values()}
    return [file for file in architectures.files() if file not in known]


def code_of(names: Iterable[str]) -> list[str]:
    """What builds those of these architectures that are built in, as ``"module:variable"``."""
    known = listed()
    return sorted({f"{known[name].module}:ARCHITECTURES" for name in names if name in known})
