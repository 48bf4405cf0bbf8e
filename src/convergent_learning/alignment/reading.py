"""Reads the files that `store.write_moments` writes. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np

from ..files import damaged_file_named, open_hdf5
from .arrays import Device, placed
from .layer_pair import LayerPair, paired
from .moments import Center, Grid, LayerMoments, common_grid

# Names of two networks each, in either order.
NamePairs: TypeAlias = Collection[tuple[str, str]]
Stored: TypeAlias = Path | h5py.File  # a moments file, or one that is open
Kind: TypeAlias = Literal["cross", "shuffled"]


@dataclass(frozen=True)
class StoredLayer:
    """A layer's place in its network; its moments are read by `MomentsFile.moments`."""

    name: str
    depth: float
    role: str
    units: int


@dataclass(frozen=True)
class StoredNetwork:
    """A network of the file: what it is called there, and its layers in depth order.

    `identity` is the digest of what its responses were computed from (`store`).
    """

    name: str
    identity: str
    group: str
    seed: int
    layers: tuple[StoredLayer, ...]


class MomentsFile:
    """An open moments file; use as a context manager.

    path : path or open HDF5 file, which stays open

    `device` says where moments go as torch tensors; None, as it is at first, for NumPy arrays.

    Raises
    ------
    DamagedFileError
        If the file cannot be read: names it and says to delete it.
    """

    def __init__(self, path: Stored):
        self.device: Device | None = None
        self._stack = ExitStack()
        self.path = path_of(path)
        if isinstance(path, h5py.File):
            self._file = path
        else:
            self._file = self._stack.enter_context(open_hdf5(path, "counts", "networks"))
        with damaged_file_named(self.path, KeyError, OSError):
            self.attrs: dict[str, Any] = dict(self._file.attrs)
            self._counts = self._file["counts"][:]
            groups = self._file["networks"].values()
            self.networks = [_network(g) for g in sorted(groups, key=lambda g: g.attrs["order"])]
        self._moments: dict[tuple[str, str], LayerMoments] = {}

    def __enter__(self) -> MomentsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def widest(self) -> int:
        """Units of the widest layer."""
        return max(layer.units for network in self.networks for layer in network.layers)

    def pairs(
        self, chosen: NamePairs | None = None
    ) -> Iterator[tuple[StoredNetwork, StoredNetwork]]:
        """Pairs of networks that have cross moments, in file order; only those `chosen`, if given.

        Raises ValueError for a chosen network that is not in the file.
        """
        cross = self._file.get("cross", {})
        networks = {network.name: network for network in self.networks}
        for x, y in pairs_of(list(networks), chosen):
            if x in cross and y in cross[x]:
                yield networks[x], networks[y]

    def is_mapped(self, x: StoredNetwork, y: StoredNetwork) -> bool:
        """Whether a pair has the cross moments of all its layer pairs, not of own layers only."""
        return self._file[f"cross/{x.name}/{y.name}/{x.layers[0].name}"].shape[2] == sum(
            layer.units for layer in y.layers
        )

    def moments(self, network: StoredNetwork, layer: StoredLayer) -> LayerMoments:
        """Own LayerMoments, read once."""
        key = network.name, layer.name
        if key not in self._moments:
            group = self._file[f"networks/{network.name}/layers/{layer.name}"]
            products = {
                _grid(grid.split("x")): placed(dataset[:], self.device)
                for grid, dataset in group["products"].items()
            }
            self._moments[key] = LayerMoments(
                placed(self._counts, self.device),
                _grid(group.attrs["grid"]),
                placed(group["means"][:], self.device),
                products,
                f"layer {layer.name!r} of network {network.name!r} in {self.path}",
            )
        return self._moments[key]

    def forget(self, layer: str, network: StoredNetwork | None = None) -> None:
        """Free the own moments of a layer, of one network or all, and what was made of them."""
        names = [one.name for one in ([network] if network else self.networks)]
        for name in names:
            self._moments.pop((name, layer), None)

    @property
    def grids(self) -> list[Grid]:
        """Grids of all layers."""
        layers = [(network, layer) for network in self.networks for layer in network.layers]
        return list(dict.fromkeys(self._grid(*one) for one in layers))

    def _grid(self, network: StoredNetwork, layer: StoredLayer) -> Grid:
        return _grid(self._file[f"networks/{network.name}/layers/{layer.name}"].attrs["grid"])

    def layer_pairs(
        self,
        x: StoredNetwork,
        y: StoredNetwork,
        layer_x: StoredLayer,
        *,
        own: bool = False,
        kind: Kind = "cross",
        center: Center = "position",
        grid: Grid | None = None,
        partners: Collection[StoredLayer] | None = None,
    ) -> Iterator[tuple[StoredLayer, LayerPair]]:
        """(layer of y, LayerPair) of one layer of x with its stored partners.

        own : only the layer of the same name
        kind : "cross" or "shuffled"
        grid : only partners that the layer is compared with on this grid
        partners : only these layers of y
        """
        dataset = self._file[f"{kind}/{x.name}/{y.name}/{layer_x.name}"]
        stored = y.layers
        if kind != "cross" or not self.is_mapped(x, y):
            stored = tuple(layer for layer in stored if layer.name == layer_x.name)
        ends = np.cumsum([0] + [layer.units for layer in stored])
        # Only the part that is needed is read, unless that is most of it.
        stored_row = dataset if own or grid else dataset[:]
        for layer_y, start, stop in zip(stored, ends, ends[1:], strict=False):
            if own and layer_y.name != layer_x.name:
                continue
            if partners is not None and layer_y not in partners:
                continue
            if grid and grid != common_grid(self._grid(x, layer_x), self._grid(y, layer_y)):
                continue
            cross = stored_row[:, :, start:stop]
            a, b = self.moments(x, layer_x), self.moments(y, layer_y)
            products = placed(cross.astype(np.float64), self.device)
            yield layer_y, paired(a, b, products, center)

    def has_shuffled(self, x: StoredNetwork, y: StoredNetwork) -> bool:
        return f"shuffled/{x.name}/{y.name}" in self._file


def path_of(stored: Stored) -> Path:
    """What a moments file is called."""
    return Path(stored.filename) if isinstance(stored, h5py.File) else stored


def pairs_of(names: Sequence[str], chosen: NamePairs | None) -> list[tuple[str, str]]:
    """The chosen pairs of `names`, or all for None: in their order, and so is each pair.

    Raises ValueError for a chosen name that is not among them.
    """
    every = itertools.combinations(names, 2)
    if chosen is None:
        return list(every)
    unknown = sorted({name for pair in chosen for name in pair} - set(names))
    if unknown:
        raise ValueError(f"pairs to compare name networks without a file: {', '.join(unknown)}")
    wanted = {frozenset(pair) for pair in chosen}
    return [pair for pair in every if frozenset(pair) in wanted]


def _grid(sides: Iterable[Any]) -> Grid:
    rows, columns = (int(side) for side in sides)
    return rows, columns


def _network(group: h5py.Group) -> StoredNetwork:
    layers = sorted(group["layers"].values(), key=lambda g: g.attrs["order"])
    return StoredNetwork(
        group.name.rsplit("/", 1)[1],
        str(group.attrs["identity"]),
        str(group.attrs["group"]),
        int(group.attrs["seed"]),
        tuple(
            StoredLayer(
                str(g.attrs["layer"]),
                float(g.attrs["depth"]),
                str(g.attrs["role"]),
                int(g.attrs["units"]),
            )
            for g in layers
        ),
    )
