"""Default layers of the built-in architectures, in depth order, and the names config may give.

A name begins with a graph node (`torchvision.models.feature_extraction`) or, where a network is
read by forward hooks, a module. ``#key`` then picks one of several outputs, and ``:class_token``,
``:4``, ``:1-4`` or ``:5-`` picks tokens by their index from 0, both ends included. Default layers
of convolutional networks are taken after their non-linearity, those of transformers after each
block, where its output has joined the residual stream.

All of it is read while the DAG is built, without importing torch; a test checks it against the
traced graphs.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["block", "pooled", "logits"]
Layout: TypeAlias = Literal["nhwc", "tnc", "nct"]
ReaderName: TypeAlias = Literal["auto", "graph", "hooks"]

LAYER_NAME = r"^[^#:/]+(#[^#:/]+)?(:(class_token|[0-9]+(-[0-9]*)?))?$"
"""Pattern of a layer's name. A slash would nest layers in an HDF5 file."""

CLASS_TOKEN = ":class_token"
_FEW = 20  # names that a message lists in full
TRANSFORMER_BLOCKS = 12
NODES_FILE = Path(__file__).with_name("graph_nodes.json")
PATCH = {"cifar": 4, "imagenet": 16}
_LARGEST_CIFAR_IMAGE = 64
_SMALLEST_VGG_IMAGE = 32  # five stages, each halves the side


@dataclass(frozen=True)
class Layer:
    """A scored layer.

    `role` is ``block``, ``pooled`` (features before the readout) or ``logits``. Pooled features are
    left out of matching and slopes (docs/methods/representations.md), logits of every claim, since
    labels fix their axes. None means logits for what the network itself returns, and else a block.
    `layout` names the axes of an output that is neither (n, c, h, w) nor (n, t, c).
    """

    name: str
    role: Role | None = None
    layout: Layout | None = None

    @property
    def source(self) -> str:
        """The name without its tokens: one tensor, of which several layers may be taken."""
        return self.name.partition(":")[0]

    @property
    def node(self) -> str:
        """The graph node or module whose output holds the layer."""
        return self.source.partition("#")[0]

    @property
    def key(self) -> str | None:
        """Which of several outputs it is: a key, a field or an index."""
        return self.source.partition("#")[2] or None

    @property
    def is_class_token(self) -> bool:
        return self.name.endswith(CLASS_TOKEN)

    @property
    def tokens(self) -> tuple[int, int | None] | None:
        """Indices of the first and the last token that the name picks; the last may be open."""
        chosen = re.search(r":([0-9]+)(-?)([0-9]*)$", self.name)
        if chosen is None:
            return None
        first, is_range, last = chosen.groups()
        return int(first), int(last) if last else None if is_range else int(first)


def stem(image_size: int) -> str:
    """Which first layers a network gets: ``cifar`` up to 64 pixels, ``imagenet`` above."""
    return "cifar" if image_size <= _LARGEST_CIFAR_IMAGE else "imagenet"


def require_image_size(architecture: str, image_size: int) -> None:
    """Raise ValueError for images that a built-in architecture cannot divide."""
    patch = PATCH[stem(image_size)]
    if architecture.startswith("vit") and image_size % patch:
        raise ValueError(
            f"{architecture} cuts images of {image_size} pixels into patches of {patch}: the image"
            f" size must be a multiple of {patch}"
        )
    if architecture.startswith("vgg") and image_size < _SMALLEST_VGG_IMAGE:
        raise ValueError(
            f"{architecture} halves images five times and needs {_SMALLEST_VGG_IMAGE} pixels or"
            f" more, not {image_size}: enlarge the images, or take a ResNet"
        )


def select_layers(
    architecture: str, chosen: Sequence[Layer] | None = None, image_size: int = 32
) -> tuple[Layer, ...]:
    """The default layers, or those `chosen`, which must be in depth order.

    Default layers keep their roles where `chosen` gives them none.
    """
    default = LAYERS[architecture][stem(image_size)]
    if chosen is None:
        return default
    roles = {layer.name: layer.role for layer in default}
    return tuple(replace(layer, role=layer.role or roles.get(layer.name)) for layer in chosen)


def graph_node_names(architecture: str, image_size: int = 32) -> list[str]:
    """Every name that config may give as a layer of a built-in architecture, in depth order."""
    return json.loads(NODES_FILE.read_text())[nodes_key(architecture, image_size)]


def close_names(name: str, known: Collection[str]) -> str:
    """Those of the `known` names that resemble `name`, as messages list them; all of a few."""
    if len(known) <= _FEW:
        return ", ".join(known)
    close = difflib.get_close_matches(name, known, n=6, cutoff=0.5)
    return f"{', '.join(close or list(known)[:6])}, …"


def nodes_key(architecture: str, image_size: int) -> str:
    """Key of `NODES_FILE`: the architecture, with its stem unless that is the CIFAR one."""
    return architecture if stem(image_size) == "cifar" else f"{architecture} {stem(image_size)}"


def depths(layers: tuple[Layer, ...]) -> list[float]:
    """Rank of each layer among the scored ones, scaled to 0…1."""
    return [rank / max(1, len(layers) - 1) for rank in range(len(layers))]


def _layers(blocks: list[str], pooled: str, readout: str) -> tuple[Layer, ...]:
    return (
        *(Layer(name, "block") for name in blocks),
        Layer(pooled, "pooled"),
        Layer(readout, "logits"),
    )


def _resnet(blocks_per_stage: tuple[int, ...], last_relu: str) -> dict[str, tuple[Layer, ...]]:
    """`last_relu` is the block's ReLU after the addition: its second or, in bottlenecks, third."""
    blocks = [
        f"layer{stage}.{block}.{last_relu}"
        for stage, count in enumerate(blocks_per_stage, start=1)
        for block in range(count)
    ]
    layers = _layers(["relu", *blocks], "flatten", "fc")
    return {"cifar": layers, "imagenet": layers}


def _vgg(convolutions_per_stage: tuple[int, ...]) -> dict[str, tuple[Layer, ...]]:
    """A convolution takes three modules (with batch norm and ReLU), a stage ends in a pool.

    The flattened map that the ImageNet classifier reads has 25,088 units: too many second moments
    to be a default layer. The classifier's last hidden layer stands for the pooled features.
    """
    blocks, index = [], 0
    for count in convolutions_per_stage:
        blocks += [f"features.{index + 3 * i + 2}" for i in range(count)]
        index += 3 * count + 1
    return {
        "cifar": _layers(blocks, "flatten", "classifier"),
        "imagenet": _layers(blocks, "classifier.4", "classifier.6"),
    }


def _transformer() -> dict[str, tuple[Layer, ...]]:
    """Patch embedding, the patches after each block, and the class token that the readout sees."""
    blocks = [f"encoder.layers.encoder_layer_{i}.add_1" for i in range(TRANSFORMER_BLOCKS)]
    layers = _layers(["conv_proj", *blocks], "encoder.ln" + CLASS_TOKEN, "heads.head")
    return {"cifar": layers, "imagenet": layers}


LAYERS: dict[str, dict[str, tuple[Layer, ...]]] = {
    "resnet18": _resnet((2, 2, 2, 2), "relu_1"),
    "resnet34": _resnet((3, 4, 6, 3), "relu_1"),
    "resnet50": _resnet((3, 4, 6, 3), "relu_2"),
    "vgg11": _vgg((1, 1, 2, 2, 2)),
    "vgg16": _vgg((2, 2, 3, 3, 3)),
    "vgg19": _vgg((2, 2, 4, 4, 4)),
    "vit_small": _transformer(),
    "vit_b_16": _transformer(),
}
"""By architecture and stem."""
