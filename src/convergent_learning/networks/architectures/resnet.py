"""Residual networks of torchvision's blocks.

He et al. (2016), *Deep residual learning for image recognition*; the stem for small images (one
3 x 3 convolution without stride or pooling) is that of their CIFAR experiments.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from convergent_learning.networks.layers import Layer, Stem, layers_of, stem


class ResNet(nn.Module):
    """Stem, four stages of residual blocks, global average pooling, one linear readout."""

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks_per_stage: tuple[int, ...],
        classes: int,
        width: float,
        image_size: int,
    ):
        super().__init__()
        channels = [round(64 * width) * 2**stage for stage in range(4)]
        if stem(image_size) == "cifar":
            self.conv1 = nn.Conv2d(3, channels[0], 3, padding=1, bias=False)
            self.maxpool = None
        else:
            self.conv1 = nn.Conv2d(3, channels[0], 7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.relu = nn.ReLU(inplace=True)
        inputs = channels[0]
        for number, (count, planes) in enumerate(
            zip(blocks_per_stage, channels, strict=True), start=1
        ):
            stride = 1 if number == 1 else 2
            self.add_module(f"layer{number}", _stage(block, inputs, planes, count, stride))
            inputs = planes * block.expansion
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():  # He et al. (2015), as torchvision does
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        if self.maxpool is not None:
            x = self.maxpool(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def _stage(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, planes: int, count: int, stride: int
) -> nn.Sequential:
    outputs = planes * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = block(inputs, planes, stride, shortcut)
    return nn.Sequential(first, *(block(outputs, planes) for _ in range(count - 1)))


ARCHITECTURES = {
    "resnet18": partial(ResNet, BasicBlock, (2, 2, 2, 2)),
    "resnet34": partial(ResNet, BasicBlock, (3, 4, 6, 3)),
    "resnet50": partial(ResNet, Bottleneck, (3, 4, 6, 3)),
}


def _layers(blocks_per_stage: tuple[int, ...], last_relu: str) -> dict[Stem, tuple[Layer, ...]]:
    """`last_relu` is the block's ReLU after the addition: its second or, in bottlenecks, third."""
    blocks = [
        f"layer{stage}.{block}.{last_relu}"
        for stage, count in enumerate(blocks_per_stage, start=1)
        for block in range(count)
    ]
    layers = layers_of(["relu", *blocks], "flatten", "fc")
    return {"cifar": layers, "imagenet": layers}


LAYERS = {
    "resnet18": _layers((2, 2, 2, 2), "relu_1"),
    "resnet34": _layers((3, 4, 6, 3), "relu_1"),
    "resnet50": _layers((3, 4, 6, 3), "relu_2"),
}
