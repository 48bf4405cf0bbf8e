"""Sizes of networks: parameters, operations, layers. Nothing is allocated: tensors have no data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from convergent_learning.alignment.positions import shape_after
from convergent_learning.experiment import Network
from convergent_learning.networks.architectures import build
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.loading import untrained
from convergent_learning.networks.outputs import LayerOutputs


@dataclass(frozen=True)
class LayerSize:
    """Units of a layer and the side of the grid of positions kept of it."""

    name: str
    units: int
    side: int


@dataclass(frozen=True)
class NetworkSize:
    """Of one image: `flop` floating point operations forward, `elements` written by the modules."""

    parameters: int
    flop: int
    elements: int
    layers: tuple[LayerSize, ...]


def network_size(
    network: Network,
    layers: tuple[Layer, ...],
    classes: int,
    image_size: int,
    positions: int | str,
) -> NetworkSize:
    """The size of `network` for images of `image_size` pixels with its scored `layers`."""
    with torch.device("meta"):
        if network.pretrained is None:
            module = build(network.architecture, classes, network.width, image_size)
        else:
            module = untrained(network.pretrained)
    module.eval()
    elements = 0

    def count(module, inputs, output):
        nonlocal elements
        if isinstance(output, torch.Tensor) and not list(module.children()):
            elements += output.numel()

    for child in module.modules():
        child.register_forward_hook(count)
    outputs = LayerOutputs(module, layers, network.architecture)
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        activations, _ = outputs(torch.zeros(1, 3, image_size, image_size, device="meta"))
    return NetworkSize(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        flop=counter.get_total_flops(),
        elements=elements,
        layers=tuple(_layer_size(name, a, positions) for name, a in activations.items()),
    )


def _layer_size(name: str, activations: torch.Tensor, positions: int | str) -> LayerSize:
    units = activations.shape[1]
    if activations.ndim == 2:
        return LayerSize(name, units, 1)
    height, width = activations.shape[2:]
    if positions == "units":
        return LayerSize(name, units * height * width, 1)
    return LayerSize(name, units, shape_after(height, width, positions)[0])
