"""Reads the files that `store.write_moments` writes. No torch."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from ..files import damaged_file_named, open_hdf5
from .comparison import compare
from .moments import LayerMoments


@dataclass(frozen=True)
class Layer:
    """A layer's place in its network; its moments are read by `MomentsFile.moments`."""

    name: str
    depth: float
    role: str
    units: int


@dataclass(frozen=True)
class Network:
    name: str
    architecture: str
    seed: int
    layers: tuple[Layer, ...]


class MomentsFile:
    """An open moments file; use as a context manager.

    Raises
    ------
    DamagedFileError
        If the file cannot be read: names it and says to delete it.
    """

    def __init__(self, path):
        self.path = path
        self._stack = ExitStack()
        self._file = self._stack.enter_context(open_hdf5(path, "counts", "networks"))
        with damaged_file_named(path, KeyError, OSError):
            self.attrs = dict(self._file.attrs)
            self._counts = self._file["counts"][:]
            groups = self._file["networks"].values()
            self.networks = [_network(g) for g in sorted(groups, key=lambda g: g.attrs["order"])]
        self._moments = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def pairs(self, within=False):
        """Pairs of networks that have cross moments, in file order."""
        cross = self._file.get("cross", {})
        for x, y in itertools.combinations(self.networks, 2):
            stored = x.name in cross and y.name in cross[x.name]
            if stored and not (within and x.architecture != y.architecture):
                yield x, y

    def moments(self, network, layer):
        """Own LayerMoments, read once."""
        key = network.name, layer.name
        if key not in self._moments:
            group = self._file[f"networks/{network.name}/layers/{layer.name}"]
            products = {
                tuple(int(side) for side in grid.split("x")): dataset[:]
                for grid, dataset in group["products"].items()
            }
            self._moments[key] = LayerMoments(
                self._counts,
                tuple(int(side) for side in group.attrs["grid"]),
                group["means"][:],
                products,
                f"layer {layer.name!r} of network {network.name!r} in {self.path}",
            )
        return self._moments[key]

    def comparisons(self, x, y, layer_x, *, own=False, kind="cross", center="position"):
        """(layer of y, Comparison) of one layer of x with its stored partners.

        own : only the layer of the same name
        kind : "cross" or "shuffled"
        """
        dataset = self._file[f"{kind}/{x.name}/{y.name}/{layer_x.name}"]
        stored = y.layers
        if dataset.shape[2] != sum(layer.units for layer in stored):
            stored = [layer for layer in stored if layer.name == layer_x.name]
        ends = np.cumsum([0] + [layer.units for layer in stored])
        row = None if own else dataset[:]
        for layer_y, start, stop in zip(stored, ends, ends[1:], strict=False):
            if own and layer_y.name != layer_x.name:
                continue
            cross = dataset[:, :, start:stop] if own else row[:, :, start:stop]
            a, b = self.moments(x, layer_x), self.moments(y, layer_y)
            yield layer_y, compare(a, b, cross.astype(np.float64), center)

    def has_shuffled(self, x, y):
        return f"shuffled/{x.name}/{y.name}" in self._file


def _network(group):
    layers = sorted(group["layers"].values(), key=lambda g: g.attrs["order"])
    return Network(
        group.name.rsplit("/", 1)[1],
        str(group.attrs["architecture"]),
        int(group.attrs["seed"]),
        tuple(
            Layer(
                str(g.attrs["layer"]),
                float(g.attrs["depth"]),
                str(g.attrs["role"]),
                int(g.attrs["units"]),
            )
            for g in layers
        ),
    )
