"""Layers that are scored: their names, their roles and their depths.

A name begins with a graph node (`torchvision.models.feature_extraction`) or, where a network is
read by forward hooks, a module. ``#key`` then picks one of several outputs, and ``:class_token``,
``:4``, ``:1-4`` or ``:5-`` picks tokens by their index from 0, both ends included. The DAG is
built of layers: nothing here imports torch.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["block", "pooled", "logits"]
Stem: TypeAlias = Literal["cifar", "imagenet"]
Layout: TypeAlias = Literal["nhwc", "tnc", "nct"]
ReaderName: TypeAlias = Literal["auto", "graph", "hooks"]

LAYER_NAME = r"^[^#:/]+(#[^#:/]+)?(:(class_token|[0-9]+(-[0-9]*)?))?$"
"""Pattern of a layer's name. A slash would nest layers in an HDF5 file."""

CLASS_TOKEN = ":class_token"
_FEW = 20  # names that a message lists in full
_LARGEST_CIFAR_IMAGE = 64


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


def stem(image_size: int) -> Stem:
    """Which first layers a network gets: ``cifar`` up to 64 pixels, ``imagenet`` above."""
    return "cifar" if image_size <= _LARGEST_CIFAR_IMAGE else "imagenet"


@dataclass(frozen=True)
class Sides:
    """Heights and widths of images, in pixels, that an architecture can divide.

    They are at least `smallest`, and multiples of what `multiple_of` has for their stem.
    """

    smallest: int = 1
    multiple_of: Mapping[Stem, int] = field(default_factory=dict)

    def require(self, architecture: str, image_size: int) -> None:
        """Raise ValueError for an image size that is not among them."""
        patch = self.multiple_of.get(stem(image_size), 1)
        if image_size % patch:
            raise ValueError(
                f"{architecture} divides images into patches of {patch} pixels: the image size must"
                f" be a multiple of {patch}, and not {image_size}"
            )
        if image_size < self.smallest:
            raise ValueError(
                f"{architecture} needs images of {self.smallest} pixels or more, not {image_size}:"
                " enlarge the images, or take another architecture"
            )


ANY = Sides()


def close_names(name: str, known: Collection[str]) -> str:
    """Those of the `known` names that resemble `name`, as messages list them; all of a few."""
    if len(known) <= _FEW:
        return ", ".join(known)
    close = difflib.get_close_matches(name, known, n=6, cutoff=0.5)
    return f"{', '.join(close or list(known)[:6])}, …"


def layers_of(blocks: Sequence[str], pooled: str, readout: str) -> tuple[Layer, ...]:
    """The stem and every block, the features before the readout, and the readout, by name."""
    return (
        *(Layer(name, "block") for name in blocks),
        Layer(pooled, "pooled"),
        Layer(readout, "logits"),
    )


def depths(layers: tuple[Layer, ...]) -> list[float]:
    """Rank of each layer among the scored ones, scaled to 0…1."""
    return [rank / max(1, len(layers) - 1) for rank in range(len(layers))]
