"""Default layers of the built-in architectures, in depth order.

Names are graph nodes (`torchvision.models.feature_extraction`), each after its non-linearity. The
table is read while the DAG is built, without importing torch; a test checks it against the
traced graphs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A scored layer. `role` is ``block``, ``pooled`` (features before the readout) or ``logits``.

    Pooled features are left out of matching and slopes (methods, section 1), logits of every
    claim: labels fix their axes.
    """

    name: str
    role: str


def _layers(blocks: list[str], readout: str) -> tuple[Layer, ...]:
    return (
        *(Layer(name, "block") for name in blocks),
        Layer("flatten", "pooled"),
        Layer(readout, "logits"),
    )


def _resnet(blocks_per_stage: tuple[int, ...]) -> tuple[Layer, ...]:
    blocks = [
        f"layer{stage}.{block}.relu_1"
        for stage, count in enumerate(blocks_per_stage, start=1)
        for block in range(count)
    ]
    return _layers(["relu", *blocks], "fc")


def _vgg(convolutions_per_stage: tuple[int, ...]) -> tuple[Layer, ...]:
    """A convolution takes three modules (with batch norm and ReLU), a stage ends in a pool."""
    blocks, index = [], 0
    for count in convolutions_per_stage:
        blocks += [f"features.{index + 3 * i + 2}" for i in range(count)]
        index += 3 * count + 1
    return _layers(blocks, "classifier")


LAYERS: dict[str, tuple[Layer, ...]] = {
    "resnet18": _resnet((2, 2, 2, 2)),
    "resnet34": _resnet((3, 4, 6, 3)),
    "vgg11": _vgg((1, 1, 2, 2, 2)),
    "vgg16": _vgg((2, 2, 3, 3, 3)),
}


def select_layers(architecture: str, names: list[str] | str) -> tuple[Layer, ...]:
    """The default layers, or those called `names` in that order, which must be depth order.

    A name that is not in the table is any other graph node and counts as a block.
    """
    default = LAYERS[architecture]
    if names == "default":
        return default
    known = {layer.name: layer for layer in default}
    return tuple(known.get(name, Layer(name, "block")) for name in names)


def depths(layers: tuple[Layer, ...]) -> list[float]:
    """Rank of each layer among the scored ones, scaled to 0…1."""
    return [rank / max(1, len(layers) - 1) for rank in range(len(layers))]
