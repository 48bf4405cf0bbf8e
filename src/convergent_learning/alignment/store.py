"""Activation files of one condition in, one file of fold moments out.

Scores need nothing else, so activations may be deleted; a new metric reads only this file.

Layout (HDF5). Root attributes: what was measured, the fold seed and counts. For each network
``networks/<network>`` (attributes: group, seed, digests, `identity`) and below it
``layers/<layer>`` with ``means`` (K, positions, p) and ``products/<h>x<w>`` (K, p, p), float64.
``cross/<x>/<y>/<layer of x>`` is (K, p, q), float32, where q runs over the partner layers
of y: all in depth order, or the same one. ``shuffled/<x>/<y>/<layer>`` holds own layers.
Cross moments keep 24 bits, the precision of the products they are sums of.

`identity` is the sha256, in hexadecimal digits, of all that the network's moments depend on: the
identity of its activation file (weights, stimuli, layers with depths, positions, dtype, code), its
name, and the number, count and seed of the folds. Two networks of equal identities in two files
have equal moments there, of their own and with each other.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import h5py
import numpy as np

from .. import __version__
from ..files import damaged_file_named, open_hdf5, replace_when_done
from ..progress import track
from .crossvalidation import folds, shuffle_within
from .moments import LayerMoments
from .reading import NamePairs, pairs_of

if TYPE_CHECKING:
    from .accumulate import Device, Names

MEMORY = 2 << 30
_Networks: TypeAlias = "Mapping[str, _ActivationFile]"
CHUNK = (1024, 256)  # units of x, of y: a megabyte
SHARED = ("dataset", "step", "stimuli", "condition", "stimulus_digest")
PER_NETWORK = ("group", "seed", "weights_digest", "dtype", "positions", "identity")
PER_LAYER = ("layer", "order", "depth", "role")


def write_moments(
    activations: Iterable[Path],
    out: Path,
    mapped: Collection[str],
    n_folds: int,
    seed: int,
    shuffled: bool,
    pairs: NamePairs | None = None,
    device: Device | None = None,
    memory: int = MEMORY,
) -> None:
    """Accumulate the fold moments of all networks at one condition.

    Parameters
    ----------
    activations : sequence of paths
        One HDF5 file a network, all of the same stimuli.
    out : path
        Written under a temporary name in the same folder, then renamed.
    mapped : collection of network names
        Every pair of these gets the cross moments of all its layer pairs, across groups
        too. Other pairs of one group get those of each layer with the same layer.
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
        Bytes for a block of activations and the accumulators of a block of pairs together. One
        pair and one stimulus always fit.

    Raises
    ------
    ValueError
        A network of `mapped` or `pairs` that is not among the files; files that differ in stimuli;
        responses that are not finite: names the file, layer and stimulus set.
    DamagedFileError
        A file cannot be read: names it and says to delete it.
    """
    with ExitStack() as stack:
        networks = _open(activations, stack)
        unknown = sorted(set(mapped) - set(networks))
        if unknown:
            raise ValueError(f"mapped networks {', '.join(unknown)} have no activation file")
        fold_of = folds(_stimuli(networks), n_folds, seed)
        partial = stack.enter_context(replace_when_done(out))
        target = stack.enter_context(h5py.File(partial, "w"))
        _describe(target, networks, fold_of, n_folds, seed)
        compared = pairs_of(list(networks), pairs)
        passes = list(_passes(networks, compared, mapped, n_folds, shuffled, memory // 2))
        for job in track(passes, Path(out).name):
            _run(job, target, networks, fold_of, seed, memory // 2, device)


class _ActivationFile:
    """An open activation file: attributes and layers in depth order."""

    def __init__(self, path: Path, stack: ExitStack):
        self.path = path
        file = stack.enter_context(open_hdf5(path, "layers"))
        with damaged_file_named(path, KeyError, OSError):
            self.attrs: dict[str, Any] = {key: file.attrs[key] for key in SHARED + PER_NETWORK}
            datasets = sorted(file["layers"].values(), key=lambda d: d.attrs["order"])
            self.layers: dict[str, h5py.Dataset] = {d.attrs["layer"]: d for d in datasets}
            self.layer_attrs = {
                d.attrs["layer"]: {k: d.attrs[k] for k in PER_LAYER} for d in datasets
            }
        self.group = self.attrs["group"]
        self.name = Path(path).stem

    def label(self, layer: str) -> str:
        """What messages call a layer."""
        where = f"on {self.attrs['stimuli']} {self.attrs['condition']}".rstrip()
        return f"layer {layer!r} of network {self.name!r} {where} ({self.path})"


def _open(paths: Iterable[Path], stack: ExitStack) -> dict[str, _ActivationFile]:
    networks: dict[str, _ActivationFile] = {}
    for path in paths:
        network = _ActivationFile(path, stack)
        if network.name in networks:
            raise ValueError(f"{path}: network {network.name} was given twice")
        networks[network.name] = network
    if not networks:
        raise ValueError("no activation files were given")
    return networks


def _stimuli(networks: _Networks) -> int:
    """Number of stimuli, after checking that all files are of the same ones."""
    first = next(iter(networks.values()))
    n = len(next(iter(first.layers.values())))
    for network in networks.values():
        for key in SHARED:
            if network.attrs[key] != first.attrs[key]:
                raise ValueError(
                    f"{network.path} has {key} {network.attrs[key]!r} but {first.path} has "
                    f"{first.attrs[key]!r}: moments compare networks on the same stimuli"
                )
        for name, dataset in network.layers.items():
            if len(dataset) != n:
                raise ValueError(
                    f"{network.path}: layer {name!r} has {len(dataset)} stimuli, "
                    f"others {n}: delete it"
                )
    return n


def _describe(
    target: h5py.File, networks: _Networks, fold_of: np.ndarray, n_folds: int, seed: int
) -> None:
    first = next(iter(networks.values()))
    target.attrs.update({key: first.attrs[key] for key in SHARED})
    target.attrs.update(
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


@dataclass(frozen=True)
class _Pass:
    """One stream over some layers of some networks."""

    layers: Mapping[str, Sequence[str]]
    pairs: Sequence[Names]
    own: Collection[str]
    learned: bool
    shuffled: bool


def _passes(
    networks: _Networks,
    pairs: Sequence[Names],
    mapped: Collection[str],
    n_folds: int,
    shuffled: bool,
    memory: int,
) -> Iterator[_Pass]:
    """Layer x layer in groups of pairs whose sums fit; own layers stream layer by layer."""
    maps = [pair for pair in pairs if set(pair) <= set(mapped)]
    if mapped:
        yield from _groups(networks, maps, n_folds, memory)
    for group in {network.group: None for network in networks.values()}:
        names = [n for n in networks if networks[n].group == group]
        within = [pair for pair in pairs if set(pair) <= set(names)]
        rest = [pair for pair in within if pair not in maps]
        own = () if mapped else names
        for layer in networks[names[0]].layers:
            layers = {name: [layer] for name in names}
            if rest or own:
                yield _Pass(layers, rest, own, True, shuffled and rest == within)
            if shuffled and rest != within:
                yield _Pass(layers, within, (), False, True)


def _groups(
    networks: _Networks, pairs: Sequence[Names], n_folds: int, memory: int
) -> Iterator[_Pass]:
    width = {n: sum(d.shape[1] for d in networks[n].layers.values()) for n in networks}
    group: list[Names] = []
    size, groups = 0, []
    for x, y in pairs:
        needed = n_folds * width[x] * width[y] * 8
        if group and size + needed > memory:
            groups.append(group)
            group, size = [], 0
        group.append((x, y))
        size += needed
    done: set[str] = set()
    for chosen in [*groups, group]:
        names = {name for pair in chosen for name in pair} if done else set(networks)
        layers = {name: list(networks[name].layers) for name in networks if name in names}
        yield _Pass(layers, chosen, names - done, True, False)
        done |= names


def _run(
    job: _Pass,
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
            name: [Responses(networks[name].layers[n], networks[name].label(n)) for n in layers]
            for name, layers in job.layers.items()
        },
        fold_of,
        job.pairs,
        own=job.own,
        learned=job.learned,
        shuffles=shuffles,
        memory=memory,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
    )
    for name, moments in own.items():
        for layer, layer_moments in zip(job.layers[name], moments, strict=True):
            _write_layer(target, networks[name], layer, layer_moments)
    for kind, pairs in (("cross", cross), ("shuffled", null)):
        for (x, y), products in pairs.items():
            for i, layer in enumerate(job.layers[x]):
                row = [products[i, j] for j in range(len(job.layers[y]))]
                stored = np.concatenate(row, axis=2).astype(np.float32)
                # Read whole or one partner layer at a time.
                chunks = (1, *map(min, stored.shape[1:], CHUNK))
                name = f"{kind}/{x}/{y}/{layer}"
                target.create_dataset(name, data=stored, chunks=chunks, fletcher32=True)


def _write_layer(
    target: h5py.File, network: _ActivationFile, layer: str, moments: LayerMoments
) -> None:
    group = target.create_group(f"networks/{network.name}/layers/{layer}")
    group.attrs.update(network.layer_attrs[layer], units=moments.units, grid=moments.grid)
    group.create_dataset("means", data=moments.means, fletcher32=True)
    for (rows, columns), products in moments.products.items():
        group.create_dataset(
            f"products/{rows}x{columns}",
            data=products,
            chunks=(1, *products.shape[1:]),
            fletcher32=True,
        )
