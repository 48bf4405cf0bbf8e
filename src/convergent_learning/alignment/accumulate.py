"""Responses in, fold moments out: one streamed pass with torch (CPU or CUDA).

Rows (stimuli x positions) are never all held. Blocks are float32 (float64 if the input is) with
TF32 off, accumulators float64, and a provisional shift taken from the first stimuli keeps large
offsets from cancelling. The layers of a network that share a grid are stacked, so that all layer
pairs of two networks on that grid are one matrix product.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import torch

from .arrays import Device
from .layer_stack import LayerStack, Scratch
from .moments import Grid, LayerMoments, common_grid
from .responses import Responses
from .streamed_sums import Layers, Names, StreamedSums

BLOCK = (1024, 128 << 20)  # stimuli, bytes
DEFAULT_MEMORY = 1 << 30


def accumulate(
    networks: Mapping[str, Sequence[Responses]],
    fold_of: np.ndarray,
    pairs: Sequence[Names] = (),
    *,
    own: Collection[str] | None = None,
    learned: bool = True,
    matched: bool = False,
    shuffles: Mapping[str, np.ndarray] | None = None,
    memory: int = DEFAULT_MEMORY,
    device: Device | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[
    dict[str, list[LayerMoments]],
    dict[Names, dict[Layers, np.ndarray]],
    dict[Names, dict[Layers, np.ndarray]],
]:
    """Fold moments of every layer, and cross moments of all layer pairs of each pair of networks.

    Parameters
    ----------
    networks : dict name -> list of Responses
    fold_of : int array, ``(n,)``
    pairs : sequence of (name_x, name_y)
    own : collection of names, optional
        Networks whose own moments are wanted; default all.
    learned : bool
        Whether the cross moments of corresponding stimuli are wanted.
    matched : bool
        Pair layer i with layer i only. Networks then have equally many layers, and own moments
        are on the grids of the layers of one index.
    shuffles : dict name_y -> int array ``(n,)``, optional
        Also accumulate the cross moments with the stimuli of y reordered so.
    memory : int
        Bytes that a block of stimuli may take; accumulators come on top.
    device : torch device, optional
        Default: the device of the first layer.
    dtype : torch dtype, optional
        Of the products. Default: float64 if a layer is, else float32.

    Returns
    -------
    own : dict name -> list of LayerMoments
    cross, shuffled : dict (name_x, name_y) -> dict (i, j) -> float64 array ``(K, p_i, q_j)``
        Centred within fold and position, on the coarser of the two grids, divided by its positions.

    Raises
    ------
    ValueError
        On non-finite responses, different numbers of stimuli, or grids that do not nest.
    """
    layers = [layer for stack in networks.values() for layer in stack]
    for layer in layers:
        if layer.n != len(fold_of):
            raise ValueError(
                f"{layer.label} has {layer.n} stimuli where {len(fold_of)} are expected: "
                "both sides must hold the same images in the same order"
            )
    device = torch.device(device) if device is not None else layers[0].device
    if dtype is None:
        exact = any(layer.dtype == torch.float64 for layer in layers)
        dtype = torch.float64 if exact else torch.float32
    scratch: dict[str, Scratch] = {name: {} for name in networks}

    def sums(chosen: slice) -> StreamedSums:
        responses = {name: stack[chosen] for name, stack in networks.items()}
        chain = _grid_chain(itertools.chain.from_iterable(responses.values()))
        stacks = {
            name: LayerStack(
                responses[name],
                chain,
                fold_of,
                own is None or name in own,
                dtype,
                device,
                scratch[name],
            )
            for name in networks
        }
        return StreamedSums(stacks, pairs, learned, shuffles)

    depth = len(next(iter(networks.values())))
    parts = [sums(slice(i, i + 1)) for i in range(depth)] if matched else [sums(slice(None))]
    with _exact_float32():
        for start, stop in _blocks(layers, memory, shuffles):
            _add_block(start, stop, fold_of, parts)
    for part in parts:
        part.check_finite()
    own_moments: dict[str, list[LayerMoments]] = defaultdict(list)
    cross: dict[Names, dict[Layers, np.ndarray]] = defaultdict(dict)
    shuffled: dict[Names, dict[Layers, np.ndarray]] = defaultdict(dict)
    for first, part in enumerate(parts):
        for name, moments in part.moments().items():
            own_moments[name] += moments
        for found, products in ((cross, part.products), (shuffled, part.nulls)):
            for pair, product in products.items():
                for (i, j), centred in product.centred().items():
                    found[pair][first + i, first + j] = centred
    return own_moments, cross, shuffled


def _add_block(start: int, stop: int, fold_of: np.ndarray, parts: Sequence[StreamedSums]) -> None:
    """Add stimuli start … stop-1 to all sums; nothing read outlives the call.

    Folds are the outer loop: a source that makes its responses gathers shuffled stimuli of all
    layers at once.
    """
    read = [part.read(start, stop) for part in parts]
    for fold in np.unique(fold_of[start:stop]):
        members = np.flatnonzero(fold_of[start:stop] == fold)
        for part, blocks in zip(parts, read, strict=True):
            part.add(fold, members, blocks, start)


def _grid_chain(layers: Iterable[Responses]) -> list[Grid]:
    """Grids from fine to coarse; each must divide the one before."""
    chain = sorted({layer.grid for layer in layers}, key=lambda g: -g[0] * g[1])
    for fine, coarse in itertools.pairwise(chain):
        common_grid(fine, coarse)
    return chain


def _blocks(
    layers: Sequence[Responses], memory: int, shuffles: Mapping[str, np.ndarray] | None
) -> list[tuple[int, int]]:
    """Ranges of stimuli. Arrays in memory are viewed whole; files are read in bounded blocks.

    Larger blocks than `BLOCK` gain nothing, unless stimuli are shuffled: those outside the block
    must be read one by one.
    """
    n = layers[0].n
    if all(layer.in_memory for layer in layers):
        return [(0, n)]
    stimulus = sum(layer.bytes_a_stimulus for layer in layers)
    size = memory // stimulus
    if not shuffles:
        size = min(size, BLOCK[0], BLOCK[1] // stimulus)
    size = max(1, int(size))
    return [(start, min(start + size, n)) for start in range(0, n, size)]


class _exact_float32:
    """TF32 and reduced-precision products off, restored afterwards."""

    def __enter__(self) -> None:
        self._precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")

    def __exit__(self, *_: object) -> None:
        torch.set_float32_matmul_precision(self._precision)
