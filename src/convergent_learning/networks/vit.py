"""Vision transformers: torchvision's `VisionTransformer` with a width multiplier.

Dosovitskiy et al. (2021), *An image is worth 16x16 words*; the 384-wide one is the ViT-S of
Touvron et al. (2021), *Training data-efficient image transformers*.
"""

from __future__ import annotations

from torch import nn
from torchvision.models import VisionTransformer

from convergent_learning.networks.layers import PATCH, TRANSFORMER_BLOCKS, stem

_HEAD_SIZE = 64


def vision_transformer(
    hidden: int, classes: int, width: float, image_size: int
) -> VisionTransformer:
    """12 blocks, `hidden` x `width` wide, in heads of 64 units or as near as the width allows."""
    heads = max(1, round(hidden * width / _HEAD_SIZE))
    hidden = heads * round(hidden * width / heads)
    network = VisionTransformer(
        image_size=image_size,
        patch_size=PATCH[stem(image_size)],
        num_layers=TRANSFORMER_BLOCKS,
        num_heads=heads,
        hidden_dim=hidden,
        mlp_dim=4 * hidden,
        num_classes=classes,
    )
    # torchvision starts the readout at zero; an untrained network would have no logits to compare.
    nn.init.trunc_normal_(network.heads.head.weight, std=0.02)
    return network
