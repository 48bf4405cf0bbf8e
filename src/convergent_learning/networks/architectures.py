"""Architectures with a width multiplier and a stem for 32-pixel images, from torchvision's blocks.

He et al. (2016), *Deep residual learning*; Simonyan & Zisserman (2015), *Very deep convolutional
networks*, here with batch normalisation and, as usual on CIFAR, one linear readout after global
average pooling.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from torchvision.models.vgg import cfgs as VGG_CONFIGURATIONS
from torchvision.models.vgg import make_layers


def build(architecture: str, classes: int, width: float = 1.0) -> nn.Module:
    """An untrained network in training mode; draws from torch's global generator.

    Parameters: architecture, a key of `ARCHITECTURES`; number of classes; width multiplier of
    every channel count. Raises ValueError for a width that leaves a layer without channels.
    """
    if round(64 * width) < 1:
        raise ValueError(f"width {width} leaves {architecture} without channels: use 1/64 or more")
    return ARCHITECTURES[architecture](classes, width)


class CifarResNet(nn.Module):
    """ResNet of basic blocks whose stem is one 3 x 3 convolution (no stride, no pooling)."""

    def __init__(self, blocks_per_stage: tuple[int, ...], classes: int, width: float):
        super().__init__()
        channels = [round(64 * width) * 2**stage for stage in range(4)]
        self.conv1 = nn.Conv2d(3, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        inputs = channels[0]
        for stage, (count, outputs) in enumerate(zip(blocks_per_stage, channels, strict=True)):
            self.add_module(
                f"layer{stage + 1}", _residual_stage(inputs, outputs, count, 1 if stage == 0 else 2)
            )
            inputs = outputs
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _residual_stage(inputs: int, outputs: int, count: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = BasicBlock(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(count - 1)))


class CifarVGG(nn.Module):
    """VGG with batch norm: convolutional stages, global average pooling, one linear readout."""

    def __init__(self, configuration: str, classes: int, width: float):
        super().__init__()
        channels = [
            entry if entry == "M" else round(entry * width)
            for entry in VGG_CONFIGURATIONS[configuration]
        ]
        self.features = make_layers(channels, batch_norm=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels[-2], classes)
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def _initialise(network: nn.Module) -> None:
    """He et al. (2015) initialisation of the convolutions, as torchvision does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


ARCHITECTURES: dict[str, Callable[[int, float], nn.Module]] = {
    "resnet18": lambda classes, width: CifarResNet((2, 2, 2, 2), classes, width),
    "resnet34": lambda classes, width: CifarResNet((3, 4, 6, 3), classes, width),
    "vgg11": lambda classes, width: CifarVGG("A", classes, width),
    "vgg16": lambda classes, width: CifarVGG("D", classes, width),
}
