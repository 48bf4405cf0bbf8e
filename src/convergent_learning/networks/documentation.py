"""docs/architectures.md: the built-in architectures and their default layers. Imports no torch."""

from __future__ import annotations

from itertools import groupby

from convergent_learning.networks.layers import Layer
from convergent_learning.networks.listed import listed

_HEAD = """# Architectures

Every architecture has a `width`, a multiplier of its channel counts, and two stems: images of 64
pixels or less get the CIFAR stem, larger ones torchvision's. Layers are nodes of the network's
graph, listed from input to output, and are scored in this order by `layers: default`. The role
`block` is the stem and every block, `pooled` the features before the readout, `logits` the readout.
[Extending](extending.md#an-architecture) says how to add an architecture and how to name other
layers. (`make pages` writes this page from the files in `networks/architectures/`.)

| architecture | stem | default layers | blocks | pooled | logits |
|---|---|---|---|---|---|"""


def markdown() -> str:
    """A row per architecture and stem; one row where the layers of both stems are the same."""
    rows = []
    for architecture, known in listed().items():
        for layers, alike in groupby(known.layers, key=known.layers.__getitem__):
            rows.append(_row(architecture, " and ".join(alike), layers))
    return "\n".join([_HEAD, *rows]) + "\n"


def _row(architecture: str, stems: str, layers: tuple[Layer, ...]) -> str:
    def named(role: str) -> str:
        return ", ".join(f"`{layer.name}`" for layer in layers if layer.role == role)

    cells = f"`{architecture}`", stems, str(len(layers)), *map(named, ("block", "pooled", "logits"))
    return f"| {' | '.join(cells)} |"
