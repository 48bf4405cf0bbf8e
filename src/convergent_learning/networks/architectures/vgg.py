"""VGG networks with batch normalisation, from torchvision's convolutional stages.

Simonyan & Zisserman (2015), *Very deep convolutional networks*; for small images the usual CIFAR
variant, one linear readout after global average pooling.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs as CONFIGURATIONS
from torchvision.models.vgg import make_layers

from convergent_learning.networks.layers import Layer, Sides, Stem, layers_of, stem

SIDES = Sides(smallest=32)  # five stages, each halves the side
_POOLED_SIDE = 7  # of the map that the three-layer classifier reads
_HIDDEN = 4096


class VGG(nn.Module):
    """Convolutional stages, average pooling, and one linear layer or a classifier of three."""

    def __init__(self, configuration: str, classes: int, width: float, image_size: int):
        super().__init__()
        channels = [
            entry if entry == "M" else round(entry * width)
            for entry in CONFIGURATIONS[configuration]
        ]
        self.features = make_layers(channels, batch_norm=True)
        if stem(image_size) == "cifar":
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier: nn.Module = nn.Linear(channels[-2], classes)
        else:
            self.avgpool = nn.AdaptiveAvgPool2d(_POOLED_SIDE)
            self.classifier = _classifier(channels[-2] * _POOLED_SIDE**2, width, classes)
        for module in self.modules():  # He et al. (2015), as torchvision does
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _classifier(inputs: int, width: float, classes: int) -> nn.Sequential:
    """The three fully connected layers of the paper, initialised as torchvision does at width 1.

    A narrower layer sums fewer inputs: larger weights keep the size of its outputs.
    """
    hidden = round(_HIDDEN * width)
    classifier = nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(hidden, classes),
    )
    for module in classifier:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01 / math.sqrt(width))
            nn.init.zeros_(module.bias)
    return classifier


ARCHITECTURES = {
    "vgg11": partial(VGG, "A"),
    "vgg16": partial(VGG, "D"),
    "vgg19": partial(VGG, "E"),
}


def _layers(convolutions_per_stage: tuple[int, ...]) -> dict[Stem, tuple[Layer, ...]]:
    """A convolution takes three modules (with batch norm and ReLU), a stage ends in a pool.

    The flattened map that the ImageNet classifier reads has 25,088 units: too many second moments
    to be a default layer. The classifier's last hidden layer stands for the pooled features.
    """
    blocks, index = [], 0
    for count in convolutions_per_stage:
        blocks += [f"features.{index + 3 * i + 2}" for i in range(count)]
        index += 3 * count + 1
    return {
        "cifar": layers_of(blocks, "flatten", "classifier"),
        "imagenet": layers_of(blocks, "classifier.4", "classifier.6"),
    }


LAYERS = {
    "vgg11": _layers((1, 1, 2, 2, 2)),
    "vgg16": _layers((2, 2, 3, 3, 3)),
    "vgg19": _layers((2, 2, 4, 4, 4)),
}
