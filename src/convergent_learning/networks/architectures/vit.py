"""Vision transformers: torchvision's `VisionTransformer` with a width multiplier.

Dosovitskiy et al. (2021), *An image is worth 16x16 words*; the 384-wide one is the ViT-S of
Touvron et al. (2021), *Training data-efficient image transformers*.
"""

from __future__ import annotations

from functools import partial

from torch import nn
from torchvision.models import VisionTransformer

from convergent_learning.networks.layers import CLASS_TOKEN, Sides, Stem, layers_of, stem

_HEAD_SIZE = 64
_BLOCKS = 12
_PATCH: dict[Stem, int] = {"cifar": 4, "imagenet": 16}

SIDES = Sides(multiple_of=_PATCH)


def vision_transformer(
    hidden: int, classes: int, width: float, image_size: int
) -> VisionTransformer:
    """12 blocks, `hidden` x `width` wide, in heads of 64 units or as near as the width allows."""
    heads = max(1, round(hidden * width / _HEAD_SIZE))
    hidden = heads * round(hidden * width / heads)
    network = VisionTransformer(
        image_size=image_size,
        patch_size=_PATCH[stem(image_size)],
        num_layers=_BLOCKS,
        num_heads=heads,
        hidden_dim=hidden,
        mlp_dim=4 * hidden,
        num_classes=classes,
    )
    # torchvision starts the readout at zero; an untrained network would have no logits to compare.
    nn.init.trunc_normal_(network.heads.head.weight, std=0.02)
    return network


ARCHITECTURES = {
    "vit_small": partial(vision_transformer, 384),
    "vit_b_16": partial(vision_transformer, 768),
}

# Patch embedding, the patches after each block, and the class token that the readout sees.
_LAYERS = layers_of(
    ["conv_proj", *(f"encoder.layers.encoder_layer_{block}.add_1" for block in range(_BLOCKS))],
    f"encoder.ln{CLASS_TOKEN}",
    "heads.head",
)
LAYERS = {name: {"cifar": _LAYERS, "imagenet": _LAYERS} for name in ARCHITECTURES}
