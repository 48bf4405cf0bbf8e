"""Sizes of networks: parameters, operations, layers; measured once and kept for later plans.

Measuring builds networks with torch, which takes seconds to import: it is done in a process of its
own, and only for networks that the cache does not know.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convergent_learning import alignment, networks
from convergent_learning.alignment.activation_reader import read_activations
from convergent_learning.alignment.moments import Grid
from convergent_learning.alignment.positions import Positions, shape_after
from convergent_learning.config.errors import ConfigError
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
    """Units of a layer, and rows and columns of the positions that are kept of it."""

    name: str
    units: int
    grid: Grid

    @property
    def positions(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def values(self) -> int:
        """Numbers kept of one image."""
        return self.units * self.positions


@dataclass(frozen=True)
class NetworkSize:
    """Of one image: `flop` floating point operations forward, `elements` written by the modules.

    `alive` bytes of tensors exist at once in the pass.
    """

    parameters: int
    flop: int
    elements: int
    alive: int
    layers: tuple[LayerSize, ...]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> NetworkSize:
        """From JSON."""
        layers = (layer | {"grid": tuple(layer["grid"])} for layer in fields["layers"])
        return cls(**fields | {"layers": tuple(LayerSize(**layer) for layer in layers)})


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

    Raises ConfigError where a network cannot be built or lists its layers out of order, and naming
    two layers whose positions do not correspond.
    """

    def __init__(self, experiment: Experiment, cache: Path = CACHE):
        self._experiment, self._cache = experiment, cache
        self._known: dict[tuple[str, str], NetworkSize] = {}
        # The lines of a run's stages are printed by a thread that asks for sizes too.
        self._measuring = threading.Lock()

    def of(self, dataset: str, network: Network) -> NetworkSize:
        """The size of a network for a dataset: the same for all seeds of its group."""
        with self._measuring:
            if not self._known:
                self._measure()
        return self._known[dataset, network.group]

    def check(self) -> None:
        """Raise ConfigError as `of` does, for experiments with networks that are not trained here.

        Those that are trained here can be built, and their grids fit each other.
        """
        if len(self._experiment.trained) < len(self._experiment.networks):
            with self._measuring:
                self._measure()

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
        known = {which: NetworkSize.of(stored[key]) for which, key in keys.items()}
        for dataset in self._experiment.datasets:
            require_shared_positions(
                {group: known[dataset, group].layers for group in self._experiment.groups}
            )
        self._known = known

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

    from convergent_learning.config.live_tensors import LiveTensors
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
    reader = "graph" if network.pretrained is None else network.pretrained.reader
    outputs = LayerOutputs(module.eval(), asked.layers, network.architecture, reader)
    outputs.require_depth_order(asked.image_size, device)
    for child in module.modules():
        child.register_forward_hook(count)
    counter, live = FlopCounterMode(display=False), LiveTensors()
    with counter, live:
        activations = outputs.of_one_image(asked.image_size, device)
    shapes = {name: tuple(kept.shape) for name, kept in activations.items()}
    return NetworkSize(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        flop=counter.get_total_flops(),
        elements=elements,
        alive=live.peak,
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
    widest = max(layer.values for layer in layers)
    return NetworkSize(0, 0, widest, 4 * widest, layers)


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
        return LayerSize(name, units, (1, 1))
    height, width = shape[2:]
    if positions == "units":
        return LayerSize(name, units * height * width, (1, 1))
    return LayerSize(name, units, shape_after(height, width, positions))


def require_shared_positions(groups: Mapping[str, Sequence[LayerSize]]) -> None:
    """Raise ConfigError naming two layers of which neither grid is a part of the other.

    Layers of all groups are compared at the places of the image that they share. Tokens in one row
    have none.
    """
    first: dict[Grid, str] = {}
    for group, layers in groups.items():
        for layer in layers:
            first.setdefault(layer.grid, f"layer {layer.name!r} of {group}")
    grids = sorted(first, key=math.prod)
    remedy = "set `activations.positions: average`, or"
    for coarse, fine in itertools.combinations(grids, 2):
        if {coarse[0] == 1, fine[0] == 1} == {True, False} and math.prod(coarse) > 1:
            row, square = sorted((coarse, fine))
            problem = (
                f"networks[].layers: {first[row]} keeps a row of {row[1]} tokens, and"
                f" {first[square]} a map of {square[0]} x {square[1]} positions, with which tokens"
                f" do not correspond; {remedy} list a single token"
                " or only the patches, by index"
            )
            raise ConfigError([problem])
        if fine[0] % coarse[0] or fine[1] % coarse[1]:
            problem = (
                f"activations.positions: {first[coarse]} has {coarse[0]} x {coarse[1]} positions"
                f" and {first[fine]} {fine[0]} x {fine[1]}, which these do not divide; {remedy} a"
                " number such as 64, which keeps grids that do"
            )
            raise ConfigError([problem])


def _in_another_process(asked: Sequence[Measured]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=pickle.dumps(asked), capture_output=True
    )
    if done.returncode:
        reason = done.stderr.decode().strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise ConfigError([f"networks: cannot be built ({' '.join(reason)})"])
    return json.loads(done.stdout)


def _digest(code: str, asked: Measured) -> str:
    files = [(path, Path(path).stat()) for path in _files(asked.network)]
    seen = [(path, about.st_size, about.st_mtime_ns) for path, about in files]
    return hashlib.sha256(f"{code} {asked!r} {seen}".encode()).hexdigest()[:16]


def _files(network: Network) -> list[str]:
    """Files that decide the sizes of a network that is not trained here; weights do not."""
    if network.given is not None:
        return [path for path in [network.given.file(IDENTITY)] if path is not None]
    made_by = network.pretrained
    return [] if made_by is None else [path for path in made_by.files if path != made_by.weights]


def _code_digest() -> str:
    """Of the modules that decide what a network is, what is kept of it and how it is measured."""
    paths = sorted(Path(networks.__path__[0]).rglob("*.py"))
    paths += [Path(alignment.__path__[0]) / "positions.py", Path(__file__)]
    paths.append(Path(__file__).with_name("live_tensors.py"))
    code = hashlib.sha256()
    for path in filter(Path.is_file, paths):
        code.update(path.read_bytes())
    return code.hexdigest()


if __name__ == "__main__":
    # What a factory prints is no part of the answer, and it may end the process too.
    with redirect_stdout(sys.stderr):
        try:
            found = [asdict(measure(one)) for one in pickle.loads(sys.stdin.buffer.read())]
        except (Exception, SystemExit) as error:
            sys.exit("\n" + " ".join(f"{type(error).__name__}: {error}".split()))
    print(json.dumps(found))
