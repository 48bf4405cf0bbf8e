"""Two ways to read what a network computes: nodes of its graph, and forward hooks on its modules.

`torch.fx` traces a network without showing it an image, which fails where Python code depends on
values or shapes. Hooks work on any module, but see only what a module returns.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from convergent_learning.networks.layers import Layer, ReaderName, close_names

OUTPUT = "output"
"""What a reader with hooks calls the network itself."""
_LIST = "`python -m convergent_learning.networks list-layers` prints the names of a network"
_LOG = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads layers of one network in a forward pass."""

    def __call__(self, images: Tensor) -> tuple[dict[str, Tensor], Any, set[str]]:
        """For images (n, 3, h, w).

        Returns the tensors by `Layer.source`, what the network itself returns, and the sources
        whose tensor that is.
        """


class LayerError(ValueError):
    """Layers of a network cannot be read."""


class UntraceableError(LayerError):
    """`torch.fx` cannot trace a network, for a `reason`."""

    def __init__(self, reason: str):
        super().__init__(
            f"config key `networks[].reader`: {reason}; use `reader: hooks` and name modules"
        )
        self.reason = reason


class GraphReader:
    """Nodes of the graph that `torch.fx` traces.

    Raises UntraceableError, and LayerError naming a layer that is no node.
    """

    def __init__(self, network: nn.Module, layers: Collection[Layer], name: str):
        nodes = traced_nodes(network, name)
        _require_known(layers, nodes, "graph node", name)
        self._layers, self._name, self._output = layers, name, nodes[-1]
        self._extractor = create_feature_extractor(
            network, sorted({self._output, *(layer.node for layer in layers)})
        )
        # A function that works in place would overwrite what the node before it gave.
        for node in self._extractor.graph.nodes:
            if node.kwargs.get("inplace"):
                node.kwargs = {**node.kwargs, "inplace": False}
        self._extractor.recompile()

    def __call__(self, images: Tensor) -> tuple[dict[str, Tensor], Any, set[str]]:
        values = self._extractor(images)
        tensors = {
            layer.source: tensor_in(values[layer.node], layer.source, self._name)
            for layer in self._layers
        }
        returned = values[self._output]
        return tensors, returned, {layer.source for layer in self._layers} & {self._output}


class HookReader:
    """What modules return, by their names, and the network itself as ``output``.

    Tensors are copied when their module returns them: the code after it may change them in place.
    The hooks are on the modules during a forward pass only.

    Raises LayerError naming a layer that is no module and, in a forward pass, one that is not
    called exactly once.
    """

    def __init__(self, network: nn.Module, layers: Collection[Layer], name: str):
        self._modules = named_modules(network)
        _require_known(layers, self._modules, "module", name)
        self._network, self._name = network, name
        self._sources: dict[str, set[str]] = {}
        for layer in layers:
            self._sources.setdefault(layer.node, set()).add(layer.source)

    def __call__(self, images: Tensor) -> tuple[dict[str, Tensor], Any, set[str]]:
        given: dict[str, Tensor] = {}
        copies: dict[str, Tensor] = {}
        calls = dict.fromkeys(self._sources, 0)

        def remember(node: str, module: nn.Module, inputs: Any, value: Any) -> None:
            calls[node] += 1
            if calls[node] == 1:
                for source in self._sources[node]:
                    given[source] = tensor_in(value, source, self._name)
                    copies[source] = given[source].clone()

        hooks = [
            self._modules[node].register_forward_hook(partial(remember, node))
            for node in self._sources
        ]
        try:
            returned = self._network(images)
        finally:
            for hook in hooks:
                hook.remove()
        for node, count in calls.items():
            self._require_one_call(node, count)
        output = first_tensor(returned)
        return copies, returned, {source for source in given if given[source] is output}

    def _require_one_call(self, node: str, count: int) -> None:
        where = f"config key `networks[].layers`: module {node!r} of {self._name}"
        if count == 0:
            raise LayerError(
                f"{where} is not called in a forward pass; name a module that is, such as the one"
                " around it"
            )
        if count > 1:
            raise LayerError(
                f"{where} is called {count} times in a forward pass, so its output is not one"
                " layer; name the module around it, give each call a module of its own, or use"
                " `reader: graph`, where each call is a node, if torch.fx can trace the network"
            )


def reader_for(
    network: nn.Module, layers: Collection[Layer], name: str, chosen: ReaderName
) -> Reader:
    """The reader called `chosen`.

    ``auto`` takes the graph, or hooks where it cannot be traced or where layers that are not all
    nodes are all modules; the log says so. Raises LayerError for a layer that there is not.
    """
    if chosen == "hooks":
        return HookReader(network, layers, name)
    try:
        return GraphReader(network, layers, name)
    except UntraceableError as error:
        if chosen == "graph":
            raise
        _LOG.info("%s: layers of %s are read by forward hooks on its modules", error.reason, name)
        return HookReader(network, layers, name)
    except LayerError:
        if chosen == "graph" or not {layer.node for layer in layers} <= {*named_modules(network)}:
            raise
        _LOG.info("layers of %s are modules: they are read by forward hooks", name)
        return HookReader(network, layers, name)


@contextmanager
def failure_named(name: str, side: int) -> Iterator[None]:
    """Raise ValueError naming network and images of `side` pixels if its forward pass fails."""
    try:
        yield
    except LayerError:
        raise
    except Exception as error:  # of the network's own code
        reason = " ".join(str(error).split())
        raise ValueError(
            f"config key `networks[].architecture`: {name} fails on images of {side} x {side}"
            f" pixels ({type(error).__name__}: {reason}); build it for such images by its"
            " `arguments`, or choose a dataset whose images it takes"
        ) from error


def traced_nodes(network: nn.Module, name: str) -> list[str]:
    """Names of the nodes of a network's graph in evaluation mode, in the order they are computed.

    Raises UntraceableError with the reason, after which the network is as it was.
    """
    # A trace that fails leaves the network in training mode, and may leave its placeholders in
    # attributes that a forward pass sets.
    attributes = [(module, dict(vars(module))) for module in network.modules()]
    try:
        _, nodes = get_graph_node_names(network)
    except Exception as error:  # the network's own code runs on placeholders: any type is possible
        for module, before in attributes:
            vars(module).clear()
            vars(module).update(before)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UntraceableError(f"torch.fx cannot trace {name} ({reason})") from error
    return nodes


def named_modules(network: nn.Module) -> dict[str, nn.Module]:
    """Modules by every name that they have, and the network itself as ``output``."""
    modules = dict(network.named_modules(remove_duplicate=False))
    return {OUTPUT: network} | {name: module for name, module in modules.items() if name}


def tensor_in(value: Any, source: str, network: str) -> Tensor:
    """The tensor that a layer's ``name#key`` means in what its module or node gives.

    Without a key it is the first one. Raises LayerError naming the layer if there is none.
    """
    name, sign, key = source.partition("#")
    found = tensors_in(value).get(sign + key) if key else first_tensor(value)
    if found is None:
        there = ", ".join(name + suffix for suffix in tensors_in(value)) or "no tensor"
        raise LayerError(
            f"config key `networks[].layers`: layer {source!r} of {network} is not in what {name}"
            f" gives, which is {type(value).__name__} with {there}; name one of these, or another"
            " layer"
        )
    return found


def first_tensor(value: Any) -> Tensor | None:
    """`value` if it is a tensor, else the first one among its entries or fields."""
    return next(iter(tensors_in(value).values()), None)


def tensors_in(value: Any) -> dict[str, Tensor]:
    """Tensors of a value by what follows its name: nothing, or ``#`` and a key, field or index."""
    if isinstance(value, Tensor):
        return {"": value}
    parts: Mapping[Any, Any] = {}
    if isinstance(value, Mapping):
        parts = value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, tuple | list):
        parts = dict(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    return {f"#{key}": part for key, part in parts.items() if isinstance(part, Tensor)}


def _require_known(
    layers: Collection[Layer], known: Collection[str], kind: str, network: str
) -> None:
    for layer in layers:
        if layer.node not in known:
            raise LayerError(
                f"config key `networks[].layers`: {network} has no layer {layer.name!r}; {kind}s:"
                f" {close_names(layer.node, known)}; {_LIST}"
            )
