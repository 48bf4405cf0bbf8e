"""What the layers of a network give for images: (n, c, h, w) maps and (n, c) vectors."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from convergent_learning.networks.layers import Layer


class LayerOutputs:
    """Reads chosen layers of a network in evaluation mode, in one forward pass.

    Parameters
    ----------
    network : traceable by `torch.fx`; its modules are set to work out of place.
    layers : layers to read.
    name : of the network, for messages.

    Attribute `output` is the graph node of what the network itself returns. Raises ValueError
    naming a layer that the network's graph lacks, with the nodes it has.
    """

    def __init__(self, network: nn.Module, layers: tuple[Layer, ...], name: str):
        self._layers, self._name = layers, name
        _, nodes = get_graph_node_names(network)
        for layer in layers:
            if layer.node not in nodes:
                raise ValueError(
                    f"config key `networks[].layers`: {name} has no layer {layer.name!r};"
                    f" its graph nodes are {', '.join(nodes)}"
                )
        for module in network.modules():
            # An in-place ReLU would overwrite what the node before it gave.
            if getattr(module, "inplace", False):
                # torch types every attribute of a module as a tensor or a module.
                module.inplace = False  # type: ignore[assignment]
        self.output = nodes[-1]
        self._extractor = create_feature_extractor(
            network, sorted({self.output, *(layer.node for layer in layers)})
        )

    def __call__(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Activations by layer name, and what the network itself returns (its logits).

        `images` is (n, 3, h, w). Raises ValueError for a layer that is neither a map, a vector nor
        a square grid of tokens.
        """
        outputs = self._extractor(images)
        activations = {
            layer.name: as_activations(outputs[layer.node], layer, self._name)
            for layer in self._layers
        }
        return activations, outputs[self.output]


def as_activations(output: Any, layer: Layer, network: str) -> Tensor:
    """The output of a graph node as activations of `layer`.

    Maps (n, c, h, w) and vectors (n, c) stay as they are. Tokens (n, t, c) become a square grid
    (n, c, √t, √t), row by row; with one token more, the first is the class token: (n, c) if that
    is the layer, else left out. Raises ValueError naming the layer for anything else.
    """
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    where = f"config key `networks[].layers`: layer {layer.name!r} of {network}"
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4):
        raise ValueError(
            f"{where} gives {shape}, not (n, c), (n, c, h, w) or tokens (n, t, c); name another"
            " graph node"
        )
    if output.ndim != 3:
        if layer.is_class_token:
            raise ValueError(f"{where}: its output {shape} is no sequence of tokens; name its node")
        return output
    tokens = output.shape[1]
    patches = tokens if _is_square(tokens) else tokens - 1
    if not _is_square(patches):
        raise ValueError(
            f"{where} gives {shape}: {tokens} tokens are neither a square number, which would be a"
            " grid of patches, nor one more, the class token first; name a graph node that gives"
            " such tokens, or a map (n, c, h, w)"
        )
    if layer.is_class_token:
        if patches == tokens:
            raise ValueError(f"{where}: its {tokens} tokens are a grid without class token")
        return output[:, 0]
    return output[:, tokens - patches :].mT.unflatten(2, (math.isqrt(patches),) * 2)


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number
