"""The built-in architectures: each file here defines some.

`ARCHITECTURES` of a file are functions by name that build a network, and `LAYERS` the layers that
are scored by default, those of each stem in depth order. `SIDES` are those of images that its
networks can divide, any if it has none. Files are imported where a network is built;
`networks.listed` knows without torch what config asks of them.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING

from convergent_learning.networks.layers import ANY

if TYPE_CHECKING:
    from torch import nn


def build(architecture: str, classes: int, width: float = 1.0, image_size: int = 32) -> nn.Module:
    """An untrained network in training mode; draws from torch's global generator.

    Parameters
    ----------
    architecture : the name of one that a file here defines.
    classes : number of classes.
    width : multiplier of every channel count. At 1 and 224 pixels, names and shapes of all
        parameters and the names of the graph's nodes are those of torchvision's own network.
    image_size : height and width of the images in pixels; 64 or less gives the CIFAR stem, more
        the ImageNet stem (`layers.stem`).

    Raises ValueError for an architecture that is not there, for a width that leaves a layer without
    channels, and for images that the architecture cannot divide.
    """
    module = module_of(architecture)
    if module is None:
        known = ", ".join(name for module in modules() for name in module.ARCHITECTURES)
        raise ValueError(f"there is no architecture {architecture!r}; there are {known}")
    if round(64 * width) < 1:
        raise ValueError(f"width {width} leaves {architecture} without channels: use 1/64 or more")
    getattr(module, "SIDES", ANY).require(architecture, image_size)
    return module.ARCHITECTURES[architecture](classes, width, image_size)


def module_of(architecture: str) -> ModuleType | None:
    """The file that defines an architecture, or None."""
    return next((module for module in modules() if architecture in module.ARCHITECTURES), None)


def modules() -> list[ModuleType]:
    """The files; imports them, and torch."""
    return [importlib.import_module(name) for name in files()]


def files() -> list[str]:
    """The names of the files as modules, of which none is imported."""
    return [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
