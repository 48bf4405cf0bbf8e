"""Activations under one condition in, one file of fold moments out.

Scores need nothing else, so activations need not be kept; a new metric reads only this file.

Layout (HDF5). Root attributes: what was measured, the fold seed and counts. For each network
``networks/<network>`` (attributes: group, seed, digests, `identity`) and below it
``layers/<layer>`` with ``means`` (K, positions, p) and ``products/<h>x<w>`` (K, p, p), float64.
``cross/<x>/<y>/<layer of x>`` is (K, p, q), float32, where q runs over the partner layers
of y: all in depth order, or the same one. ``shuffled/<x>/<y>/<layer>`` holds own layers.
Cross moments keep 24 bits, the precision of the products they are sums of.

`identity` is the sha256, in hexadecimal digits, of all that the network's moments depend on: the
identity of its activations (weights, stimuli, layers with depths, positions, dtype, code), its
name, and the number, count and seed of the folds. Two networks of equal identities in two files
have equal moments there, of their own and with each other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import h5py
import numpy as np

from .. import __version__
from ..files import damaged_file_named, open_hdf5, replace_when_done
from ..progress import track
from .crossvalidation import folds, shuffle_within
from .moments import LayerMoments
from .passes import Pass, passes_over
from .reading import NamePairs, pairs_of

if TYPE_CHECKING:
    from .arrays import Device
    from .responses import Array

MEMORY, MEMORY_ON_GPU = 2 << 30, 16 << 30  # bytes, see `default_memory`
_Networks: TypeAlias = "Mapping[str, Activations]"
CHUNK = (1024, 256)  # units of x, of y: a megabyte
SHARED = ("dataset", "stimuli", "condition", "stimulus_digest")
PER_NETWORK = ("group", "seed", "step", "weights_digest", "dtype", "positions", "identity")
PER_LAYER = ("layer", "order", "depth", "role")


class Activations(Protocol):
    """A network's activations, as `write_moments` reads them; its name says where they are.

    name : of the network
    attrs : mapping with the keys `SHARED` and `PER_NETWORK`
    layers : layer -> mapping with the keys `PER_LAYER`, in depth order
    shapes : layer -> ``(n, c, h, w)`` or ``(n, c)``
    together : bool
        Whether reading one layer costs what reading all of them does.
    """

    name: str
    attrs: Mapping[str, Any]
    layers: Mapping[str, Mapping[str, Any]]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def together(self) -> bool: ...

    def read(self, layers: Sequence[str]) -> list[Array]:
        """Responses of some layers, which are valid until the next call."""

    def __str__(self) -> str:
        """What messages call it."""


def write_moments(
    activations: Iterable[Path | Activations],
    out: Path | h5py.File,
    mapped: Collection[str],
    n_folds: int,
    seed: int,
    shuffled: bool,
    pairs: NamePairs | None = None,
    device: Device | None = None,
    memory: int | None = None,
) -> None:
    """Accumulate the fold moments of all networks at one condition.

    Parameters
    ----------
    activations : sequence of paths or `Activations`
        One HDF5 file for each network or what stands for one, all of the same stimuli.
    out : path or open, empty HDF5 file
        A path is written under a temporary name in the same folder, then renamed.
    mapped : collection of network names
        Every pair of these gets the cross moments of all its layer pairs, across groups
        too. Other pairs of networks with equal layers, of one group or two, get those of each
        layer with the same layer.
    n_folds, seed : int
        The folds, and the permutations of the shuffled null, derive from them.
    shuffled : bool
        Also the cross moments of own layers within group with y's stimuli permuted within
        folds (whole images; seeded by network y).
    pairs : collection of two network names each, optional
        Only these pairs of networks, in whichever order they are named. Default: all pairs.
    device : torch device, optional
        Default: CUDA if there is one.
    memory : int
        Bytes for a block of activations and the accumulators of a pass together; default
        `default_memory`. One pair, one
        layer of all networks of a group, and one stimulus always fit.

    Raises
    ------
    ValueError
        A network of `mapped` or `pairs` that is not among the files; files that differ in stimuli;
        responses that are not finite: names the file, layer and stimulus set.
    DamagedFileError
        A file cannot be read: names it and says to delete it.
    """
    memory = memory or default_memory()
    name = Path(out.filename if isinstance(out, h5py.File) else out).name
    with ExitStack() as stack:
        networks = _open(activations, stack)
        unknown = sorted(set(mapped) - set(networks))
        if unknown:
            raise ValueError(f"mapped networks {', '.join(unknown)} have no activation file")
        fold_of = folds(_stimuli(networks), n_folds, seed)
        target = stack.enter_context(_writable(out))
        _describe(target, networks, fold_of, n_folds, seed)
        compared = pairs_of(list(networks), pairs)
        passes = list(passes_over(networks, compared, mapped, n_folds, shuffled, memory // 2))
        for job in track(passes, name):
            _run(job, target, networks, fold_of, seed, memory // 2, device)


def default_memory() -> int:
    """Bytes that `write_moments` may take: more on a GPU, where forward passes cost little."""
    import torch

    return MEMORY_ON_GPU if torch.cuda.is_available() else MEMORY


@contextmanager
def _writable(out: Path | h5py.File) -> Iterator[h5py.File]:
    if isinstance(out, h5py.File):
        yield out
        return
    with replace_when_done(out) as partial, h5py.File(partial, "w") as file:
        yield file


class _ActivationFile:
    """`Activations` in an open HDF5 file."""

    together = False

    def __init__(self, path: Path, stack: ExitStack):
        self._path, self.name = path, Path(path).stem
        file = stack.enter_context(open_hdf5(path, "layers"))
        with damaged_file_named(path, KeyError, OSError):
            self.attrs: Mapping[str, Any] = {k: file.attrs[k] for k in SHARED + PER_NETWORK}
            datasets = sorted(file["layers"].values(), key=lambda d: d.attrs["order"])
            self._datasets = {d.attrs["layer"]: d for d in datasets}
            self.layers: Mapping[str, Mapping[str, Any]] = {
                name: {k: d.attrs[k] for k in PER_LAYER} for name, d in self._datasets.items()
            }
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: dataset.shape for name, dataset in self._datasets.items()
        }

    def read(self, layers: Sequence[str]) -> list[Array]:
        return [self._datasets[layer] for layer in layers]

    def __str__(self) -> str:
        return str(self._path)


def _open(activations: Iterable[Path | Activations], stack: ExitStack) -> dict[str, Activations]:
    networks: dict[str, Activations] = {}
    for given in activations:
        network = _ActivationFile(given, stack) if isinstance(given, (str, Path)) else given
        if network.name in networks:
            raise ValueError(f"{network}: network {network.name} was given twice")
        networks[network.name] = network
    if not networks:
        raise ValueError("no activation files were given")
    return networks


def _stimuli(networks: _Networks) -> int:
    """Number of stimuli, after checking that all files are of the same ones."""
    first = next(iter(networks.values()))
    n = next(iter(first.shapes.values()))[0]
    for network in networks.values():
        for key in SHARED:
            if network.attrs[key] != first.attrs[key]:
                raise ValueError(
                    f"{network} has {key} {network.attrs[key]!r} but {first} has "
                    f"{first.attrs[key]!r}: moments compare networks on the same stimuli"
                )
        for name, shape in network.shapes.items():
            if shape[0] != n:
                raise ValueError(
                    f"{network}: layer {name!r} has {shape[0]} stimuli, others {n}: delete it"
                )
    return n


def _describe(
    target: h5py.File, networks: _Networks, fold_of: np.ndarray, n_folds: int, seed: int
) -> None:
    first = next(iter(networks.values()))
    target.attrs.update({key: first.attrs[key] for key in SHARED})
    target.attrs.update(
        # Where networks stand at different ones, that of the network trained for longest.
        step=max(int(network.attrs["step"]) for network in networks.values()),
        n=len(fold_of),
        n_folds=n_folds,
        fold_seed=seed,
        package_version=__version__,
    )
    target.create_dataset("counts", data=np.bincount(fold_of), fletcher32=True)
    for order, network in enumerate(networks.values()):
        group = target.create_group(f"networks/{network.name}")
        attributes = {key: network.attrs[key] for key in PER_NETWORK}
        depended_on = [network.attrs["identity"], network.name, len(fold_of), n_folds, seed]
        attributes["identity"] = sha256(json.dumps(depended_on).encode()).hexdigest()
        group.attrs.update(attributes, order=order)


def _run(
    job: Pass,
    target: h5py.File,
    networks: _Networks,
    fold_of: np.ndarray,
    seed: int,
    memory: int,
    device: Device | None,
) -> None:
    # Imported here: torch takes seconds to load, and scores of stored moments do without.
    import torch

    from .accumulate import accumulate
    from .responses import Responses

    shuffles = None
    if job.shuffled:
        shuffles = {name: shuffle_within(fold_of, seed, name) for name in job.layers}
    own, cross, null = accumulate(
        {
            name: [
                Responses(array, _label(networks[name], layer))
                for layer, array in zip(layers, networks[name].read(layers), strict=True)
            ]
            for name, layers in job.layers.items()
        },
        fold_of,
        job.pairs,
        own=job.own,
        learned=job.learned,
        matched=job.matched,
        shuffles=shuffles,
        memory=memory,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
    # What is written is given up: a file in memory grows by as much.
    for name in list(own):
        moments = own.pop(name)
        for layer in job.layers[name]:
            _write_layer(target, networks[name], layer, moments.pop(0))
    for kind, pairs in (("cross", cross), ("shuffled", null)):
        for (x, y), products in pairs.items():
            for i, layer in enumerate(job.layers[x]):
                partners = [i] if job.matched else range(len(job.layers[y]))
                row = [products.pop((i, j)) for j in partners]
                stored = np.concatenate(row, axis=2).astype(np.float32)
                # Read whole or one partner layer at a time.
                chunks = (1, *map(min, stored.shape[1:], CHUNK))
                name = f"{kind}/{x}/{y}/{layer}"
                target.create_dataset(name, data=stored, chunks=chunks, fletcher32=True)


def _label(network: Activations, layer: str) -> str:
    """What messages call a layer."""
    where = f"on {network.attrs['stimuli']} {network.attrs['condition']}".rstrip()
    return f"layer {layer!r} of network {network.name!r} {where} ({network})"


def _write_layer(
    target: h5py.File, network: Activations, layer: str, moments: LayerMoments
) -> None:
    group = target.create_group(f"networks/{network.name}/layers/{layer}")
    group.attrs.update(network.layers[layer], units=moments.units, grid=moments.grid)
    group.create_dataset("means", data=moments.means, fletcher32=True)
    for (rows, columns), products in moments.products.items():
        group.create_dataset(
            f"products/{rows}x{columns}",
            data=products,
            chunks=(1, *products.shape[1:]),
            fletcher32=True,
        )
