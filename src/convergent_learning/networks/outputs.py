"""What the layers of a network give for images: (n, c, h, w) maps and (n, c) vectors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from convergent_learning.networks.layers import Layer, ReaderName
from convergent_learning.networks.readers import LayerError, failure_named, first_tensor, reader_for

_ORDER = {"nhwc": (0, 3, 1, 2), "tnc": (1, 0, 2), "nct": (0, 2, 1)}  # to (n, c, h, w) or (n, t, c)


class LayerOutputs:
    """Reads chosen layers of a network in evaluation mode, in one forward pass.

    Parameters
    ----------
    network : its modules are set to work out of place.
    layers : layers to read.
    name : of the network, for messages.
    reader : ``graph``, ``hooks`` or ``auto``, see `readers.reader_for`.

    Raises LayerError naming a layer that the network lacks, with names that it has.
    """

    def __init__(
        self,
        network: nn.Module,
        layers: tuple[Layer, ...],
        name: str,
        reader: ReaderName = "graph",
    ):
        self._layers, self._name = layers, name
        self._returned: set[str] | None = None
        for module in network.modules():
            # An in-place ReLU would overwrite what the node before it gave.
            if getattr(module, "inplace", False):
                # torch types every attribute of a module as a tensor or a module.
                module.inplace = False  # type: ignore[assignment]
        self._read = reader_for(network, layers, name, reader)

    def __call__(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Activations by layer name, and the logits that the network returns.

        `images` is (n, 3, h, w). The logits are the first tensor that the network returns, if that
        is (n, k), and else (n, 0). Raises LayerError for a layer that gives no activations of n
        images.
        """
        tensors, returned, sources = self._read(images)
        activations = {}
        for layer in self._layers:
            made = as_activations(tensors[layer.source], layer, self._name)
            if len(made) != len(images):
                raise LayerError(
                    f"{_where(layer, self._name)} gives {tuple(tensors[layer.source].shape)} for"
                    f" {len(images)} images, so its first axis is not the images; set its `layout`"
                    " (tnc if tokens come first), or name another layer"
                )
            activations[layer.name] = made
        logits = first_tensor(returned)
        if logits is not None and logits.shape[:-1] == images.shape[:1]:
            self._returned = sources
            return activations, logits
        self._returned = set()
        return activations, images.new_empty(len(images), 0)

    def of_one_image(self, side: int, device: str = "cpu") -> dict[str, Tensor]:
        """Activations of a black image of `side` pixels.

        Raises LayerError as a call does, and ValueError if the network itself fails.
        """
        with failure_named(self._name, side), torch.inference_mode():
            return self(torch.zeros(1, 3, side, side, device=device))[0]

    def require_depth_order(self, side: int, device: str = "cpu") -> None:
        """Raise LayerError naming two layers of which the first is computed from the second.

        Shows a black image of `side` pixels. Layers of parallel branches may come in any order.
        What is computed without gradients is not known to depend on anything, and passes.
        """
        # A copy: networks may normalise images in place, which a leaf forbids.
        images = torch.zeros(1, 3, side, side, device=device, requires_grad=True).clone()
        try:
            with torch.enable_grad():
                tensors, _, _ = self._read(images)
        except Exception:  # of code that works without gradients only, or not at all
            return
        nodes = {source: _computed_by(tensor) for source, tensor in tensors.items()}
        for place, layer in enumerate(self._layers):
            before = _ancestors(nodes[layer.source])
            for later in self._layers[place + 1 :]:
                if nodes[later.source] in before - {nodes[layer.source]}:
                    raise LayerError(
                        f"config key `networks[].layers`: {self._name} computes layer"
                        f" {layer.name!r} from {later.name!r}, which is listed after it; list"
                        f" layers in depth order, {later.name!r} before {layer.name!r}"
                    )

    def role(self, layer: Layer) -> str:
        """The layer's own role, else ``logits`` if the network returns it as such, else ``block``.

        Known after the first forward pass. Raises RuntimeError before it.
        """
        if self._returned is None:
            raise RuntimeError(f"{self._name} was shown no images yet")
        return layer.role or ("logits" if layer.name in self._returned else "block")


def _computed_by(tensor: Tensor) -> Any:
    """The operation of autograd that gave a tensor, or that which a copy is of; None if unknown."""
    node = tensor.grad_fn
    if node is not None and node.name() == "CloneBackward0":
        return node.next_functions[0][0]
    return node


def _ancestors(node: Any) -> set[Any]:
    """An operation and all that its result depends on; nothing of an unknown one."""
    found: set[Any] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [before for before, _ in node.next_functions]
    return found


def as_activations(output: Tensor, layer: Layer, network: str) -> Tensor:
    """The output of a graph node or module as activations of `layer`.

    Maps (n, c, h, w) and vectors (n, c) stay as they are; other axes are brought into this order if
    `layer.layout` names them. Of tokens (n, t, c) the layer's name may pick one, (n, c), or some. A
    square number of tokens becomes a grid (n, c, √t, √t), row by row; any other number is one row
    (n, c, 1, t). If none are picked and there is one more than a square number, the first is the
    class token: (n, c) if that is the layer, else left out. Raises LayerError naming the layer for
    anything else.
    """
    shape, where = tuple(output.shape), _where(layer, network)
    if layer.layout is not None:
        if output.ndim != len(layer.layout):
            raise LayerError(f"{where} gives {shape}, which `layout: {layer.layout}` does not fit")
        output = output.permute(_ORDER[layer.layout])
    if output.ndim not in (2, 3, 4):
        raise LayerError(
            f"{where} gives {shape}, not (n, c), (n, c, h, w) or tokens (n, t, c); name another"
            " layer"
        )
    if output.ndim == 3:
        return _of_tokens(output, layer, where)
    if layer.is_class_token or layer.tokens:
        raise LayerError(
            f"{where}: its output {shape} is no sequence of tokens; name a layer that is"
        )
    return output


def _of_tokens(output: Tensor, layer: Layer, where: str) -> Tensor:
    """Activations of tokens (n, t, c)."""
    tokens = output.shape[1]
    if layer.tokens:
        first, last = layer.tokens
        end = tokens - 1 if last is None else last
        if not first <= end < tokens:
            raise LayerError(f"{where} picks tokens beyond its {tokens}, which count from 0")
        return output[:, first] if first == last else _grid(output[:, first : end + 1])
    has_class_token = not _is_square(tokens) and _is_square(tokens - 1)
    if not layer.is_class_token:
        return _grid(output[:, 1:] if has_class_token else output)
    if not has_class_token:
        raise LayerError(
            f"{where}: its {tokens} tokens are no square grid after a class token; name the token"
            f" by its index, `{layer.source}:0`"
        )
    return output[:, 0]


def _grid(tokens: Tensor) -> Tensor:
    count = tokens.shape[1]
    rows = math.isqrt(count) if _is_square(count) else 1
    return tokens.mT.unflatten(2, (rows, count // rows))


def _where(layer: Layer, network: str) -> str:
    return f"config key `networks[].layers`: layer {layer.name!r} of {network}"


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number
