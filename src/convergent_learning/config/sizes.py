"""Sizes of networks: parameters, operations, layers; measured once and kept for later plans.

Measuring builds networks with torch, which takes seconds to import: it is done in a process of its
own, and only for networks that the cache does not know.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergent_learning import alignment, networks
from convergent_learning.alignment.activation_reader import read_activations
from convergent_learning.alignment.positions import Positions, shape_after
from convergent_learning.config.experiment import Experiment, Network
from convergent_learning.files import replace_when_done
from convergent_learning.networks.given import IDENTITY
from convergent_learning.networks.layers import Layer

if TYPE_CHECKING:
    import torch

CACHE = Path(".snakemake/network_sizes.json")
_IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class LayerSize:
    """Units of a layer and the number of positions kept of it."""

    name: str
    units: int
    positions: int

    @property
    def values(self) -> int:
        """Numbers kept of one image."""
        return self.units * self.positions


@dataclass(frozen=True)
class NetworkSize:
    """Of one image: `flop` floating point operations forward, `elements` written by the modules."""

    parameters: int
    flop: int
    elements: int
    layers: tuple[LayerSize, ...]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> NetworkSize:
        """From JSON."""
        return cls(**fields | {"layers": tuple(LayerSize(**layer) for layer in fields["layers"])})


@dataclass(frozen=True)
class Measured:
    """A network whose size is asked for, with its scored `layers` and the images it sees."""

    network: Network
    layers: tuple[Layer, ...]
    classes: int
    image_size: int
    positions: Positions


class Sizes:
    """Sizes of the networks of an experiment.

    Raises ValueError where a network cannot be built, with the reason.
    """

    def __init__(self, experiment: Experiment, cache: Path = CACHE):
        self._experiment, self._cache = experiment, cache
        self._known: dict[tuple[str, str], NetworkSize] = {}

    def of(self, dataset: str, network: Network) -> NetworkSize:
        """The size of a network for a dataset: the same for all seeds of its group."""
        if not self._known:
            self._measure()
        return self._known[dataset, network.group]

    def _measure(self) -> None:
        asked = {
            (dataset, group): self._measured(dataset, group)
            for dataset in self._experiment.datasets
            for group in self._experiment.groups
        }
        code = _code_digest()
        keys = {which: _digest(code, one) for which, one in asked.items()}
        stored = json.loads(self._cache.read_text()) if self._cache.exists() else {}
        missing = {key: asked[which] for which, key in keys.items() if key not in stored}
        if missing:
            stored |= dict(zip(missing, _in_another_process(list(missing.values())), strict=True))
            with replace_when_done(self._cache) as partial:
                partial.write_text(json.dumps(stored, indent=1))
        self._known = {which: NetworkSize.of(stored[key]) for which, key in keys.items()}

    def _measured(self, dataset: str, group: str) -> Measured:
        info = self._experiment.dataset(dataset).info
        network = next(n for n in self._experiment.networks if n.group == group)
        if network.given is not None:
            step = self._experiment.last_step(dataset, group)
            network = replace(network, given=network.given.at(step))
        return Measured(
            network,
            self._experiment.layers(dataset, group),
            info.classes or _IMAGENET_CLASSES,
            info.side,
            self._experiment.config.activations.positions,
        )


def measure(asked: Measured) -> NetworkSize:
    """Build the network and trace an image through it; torch allocates nothing for our own."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from convergent_learning.networks.outputs import LayerOutputs

    network = asked.network
    if network.given is not None:
        return _size_of_files(asked)
    elements = 0

    def count(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        nonlocal elements
        if isinstance(output, torch.Tensor) and not list(module.children()):
            elements += output.numel()

    device, module = _built(asked)
    for child in module.modules():
        child.register_forward_hook(count)
    reader = "graph" if network.pretrained is None else network.pretrained.reader
    outputs = LayerOutputs(module.eval(), asked.layers, network.architecture, reader)
    counter = FlopCounterMode(display=False)
    with counter:
        activations = outputs.of_one_image(asked.image_size, device)
    shapes = {name: tuple(kept.shape) for name, kept in activations.items()}
    return NetworkSize(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        flop=counter.get_total_flops(),
        elements=elements,
        layers=tuple(_layer(name, shape, asked.positions) for name, shape in shapes.items()),
    )


def _size_of_files(asked: Measured) -> NetworkSize:
    """Of a network that comes as activations: nothing is computed."""
    assert asked.network.given is not None
    path = asked.network.given.file(IDENTITY)
    assert path is not None, "`checks` demands it"
    with read_activations(path) as found:
        layers = tuple(
            _layer(layer.name, found.shapes[layer.name], asked.positions) for layer in asked.layers
        )
    return NetworkSize(0, 0, max(layer.values for layer in layers), layers)


def _built(asked: Measured) -> tuple[str, torch.nn.Module]:
    """A device, and the network on it: the user's own code may need real numbers."""
    import torch

    from convergent_learning.networks.architectures import build
    from convergent_learning.networks.loading import untrained

    network = asked.network
    if network.pretrained is not None and network.pretrained.factory is not None:
        return "cpu", untrained(network.pretrained)
    with torch.device("meta"):
        if network.pretrained is not None:
            return "meta", untrained(network.pretrained)
        assert network.width is not None, "`checks` demands it of networks that are trained here"
        return "meta", build(network.architecture, asked.classes, network.width, asked.image_size)


def _layer(name: str, shape: Sequence[int], positions: Positions) -> LayerSize:
    units = shape[1]
    if len(shape) == 2:
        return LayerSize(name, units, 1)
    height, width = shape[2:]
    if positions == "units":
        return LayerSize(name, units * height * width, 1)
    rows, columns = shape_after(height, width, positions)
    return LayerSize(name, units, rows * columns)


def _in_another_process(asked: Sequence[Measured]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=pickle.dumps(asked), capture_output=True
    )
    if done.returncode:
        reason = done.stderr.decode().strip().splitlines()[-1:]
        raise ValueError(f"networks: cannot be built ({' '.join(reason)})")
    return json.loads(done.stdout)


def _digest(code: str, asked: Measured) -> str:
    return hashlib.sha256(f"{code} {asked!r}".encode()).hexdigest()[:16]


def _code_digest() -> str:
    """Of the modules that decide what a network is and what is kept of it."""
    paths = sorted(Path(networks.__path__[0]).iterdir())
    paths.append(Path(alignment.__path__[0]) / "positions.py")
    code = hashlib.sha256()
    for path in filter(Path.is_file, paths):
        code.update(path.read_bytes())
    return code.hexdigest()


if __name__ == "__main__":
    # What a factory prints is no part of the answer.
    with redirect_stdout(sys.stderr):
        found = [asdict(measure(one)) for one in pickle.loads(sys.stdin.buffer.read())]
    print(json.dumps(found))
