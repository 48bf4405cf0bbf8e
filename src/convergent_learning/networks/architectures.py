"""The built-in architectures, each with a width multiplier and stems for small and large images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from convergent_learning.networks.layers import require_image_size
from convergent_learning.networks.resnet import ResNet
from convergent_learning.networks.vgg import VGG
from convergent_learning.networks.vit import vision_transformer


def build(architecture: str, classes: int, width: float = 1.0, image_size: int = 32) -> nn.Module:
    """An untrained network in training mode; draws from torch's global generator.

    Parameters
    ----------
    architecture : a key of `ARCHITECTURES`.
    classes : number of classes.
    width : multiplier of every channel count. At 1 and 224 pixels, names and shapes of all
        parameters and the names of the graph's nodes are those of torchvision's own network.
    image_size : height and width of the images in pixels; 64 or less gives the CIFAR stem, more
        the ImageNet stem (`layers.stem`).

    Raises ValueError for a width that leaves a layer without channels and for images that the
    architecture cannot divide.
    """
    if round(64 * width) < 1:
        raise ValueError(f"width {width} leaves {architecture} without channels: use 1/64 or more")
    require_image_size(architecture, image_size)
    return ARCHITECTURES[architecture](classes, width, image_size)


ARCHITECTURES: dict[str, Callable[[int, float, int], nn.Module]] = {
    "resnet18": partial(ResNet, BasicBlock, (2, 2, 2, 2)),
    "resnet34": partial(ResNet, BasicBlock, (3, 4, 6, 3)),
    "resnet50": partial(ResNet, Bottleneck, (3, 4, 6, 3)),
    "vgg11": partial(VGG, "A"),
    "vgg16": partial(VGG, "D"),
    "vgg19": partial(VGG, "E"),
    "vit_small": partial(vision_transformer, 384),
    "vit_b_16": partial(vision_transformer, 768),
}

TORCHVISION_NAMES = {name: f"{name}_bn" for name in ARCHITECTURES if name.startswith("vgg")}
"""What torchvision, and its published weights, call an architecture, where the name differs."""
