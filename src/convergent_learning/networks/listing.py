"""Names that config may give as layers of a network, with the shapes that they have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from convergent_learning.networks.architectures import build, module_of
from convergent_learning.networks.loading import untrained
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.networks.readers import (
    UntraceableError,
    failure_named,
    named_modules,
    tensors_in,
    traced_nodes,
)

_CLASSES = 1000


def built(name: str, arguments: dict[str, Any], image_size: int) -> nn.Module:
    """A network with random weights, in evaluation mode.

    `name` is a built-in architecture, a torchvision model, or ``package.module:function``, which
    gets the `arguments`. Raises ValueError as `loading.untrained`, and for arguments of a network
    that is not from a factory.
    """
    factory = name if ":" in name else None
    if arguments and factory is None:
        raise ValueError(f"--arguments are those of a factory, and {name} is none; leave them out")
    if module_of(name) is not None:
        return build(name, _CLASSES, image_size=image_size).eval()
    described = {"architecture": name, "factory": factory, "arguments": arguments}
    return untrained(Pretrained.of(described, seed=0, experiment_seed=0)).eval()


def listing(network: nn.Module, name: str, image_size: int) -> str:
    """Nodes of the graph and modules, a line each, in the order they are computed.

    A line has the shape for one image, with several outputs one line for each, and says where a
    module is called more than once. Raises ValueError if the network fails on such images.
    """
    images = torch.zeros(1, 3, image_size, image_size)
    with failure_named(name, image_size), torch.inference_mode():
        modules = _section("modules (`reader: hooks`)", _module_lines(network, images))
        try:
            nodes = _section("graph nodes (`reader: graph`)", _node_lines(network, name, images))
        except UntraceableError as error:
            nodes = f"{error}\n"
    return f"{nodes}\n{modules}"


def _node_lines(network: nn.Module, name: str, images: Tensor) -> Iterator[tuple[str, str]]:
    nodes = traced_nodes(network, name)
    values = create_feature_extractor(network, nodes)(images)
    for node in nodes:
        yield from _lines(node, values[node])


def _module_lines(network: nn.Module, images: Tensor) -> Iterator[tuple[str, str]]:
    values: dict[str, list[Any]] = {}

    def remember(name: str, module: nn.Module, inputs: Any, value: Any) -> None:
        values.setdefault(name, []).append(value)

    hooks = [
        module.register_forward_hook(partial(remember, name))
        for name, module in named_modules(network).items()
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    for name, (value, *more) in values.items():
        if more:
            yield name, f"called {1 + len(more)} times: no layer"
        else:
            yield from _lines(name, value)


def _lines(name: str, value: Any) -> Iterator[tuple[str, str]]:
    for suffix, tensor in tensors_in(value).items():
        yield f"{name}{suffix}", str(tuple(tensor.shape))


def _section(title: str, lines: Iterator[tuple[str, str]]) -> str:
    rows = list(lines)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {shape}" for name, shape in rows)]) + "\n"
