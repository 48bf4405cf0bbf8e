"""Scores with permuted stimuli, many times: what calibrated scores are judged against."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from convergent_learning.activations.block import Block
from convergent_learning.activations.given import GivenActivations
from convergent_learning.activations.live import LiveActivations
from convergent_learning.activations.shown import ShownSample
from convergent_learning.alignment.crossvalidation import folds, shuffle_within
from convergent_learning.alignment.responses import Array, MadeWhenRead
from convergent_learning.alignment.score_tables import score_table
from convergent_learning.alignment.store import write_moments
from convergent_learning.files import replace_when_done
from convergent_learning.progress import track


def write_shuffled_scores(
    block: Block,
    sample: ShownSample,
    out: Path,
    metrics: Sequence[str],
    draws: int,
    **how: Any,
) -> None:
    """Write scores of a sample's pairs with permuted stimuli as one parquet file `out`.

    In each draw the stimuli of every network are permuted within folds, in an order of its own that
    all its layers share: what is asked of two networks at once, or of the highest of many layers,
    then has the distribution that it has where networks respond independently. Memory holds the
    moments of one draw, and activations if all networks' are few (see `Block`).

    Parameters
    ----------
    block : where responses come from, without files of activations; its seed seeds the
        permutations
    sample : with the pairs to score, and of `mapped` networks all layer pairs
    metrics, how : see ``score_table``
    draws : number of permutations

    The columns are those of ``score_table``: baseline ``shuffled``, `draw` from 1 on.
    """
    networks = [one for one in block.activations(sample) if not isinstance(one, Path)]
    if len(networks) < len(sample.networks):
        raise ValueError("the block keeps activations as files: make one with `kept=None`")
    n = next(iter(networks[0].shapes.values()))[0]
    fold_of = folds(n, block.n_folds, block.seed)

    def scores(draw: int) -> pa.Table:
        shuffled = [
            _Shuffled(one, shuffle_within(fold_of, block.seed, f"{one.name} draw {draw}"))
            for one in networks
        ]
        table = _scores(shuffled, block, sample, metrics, **how)
        table = table.assign(baseline="shuffled", draw=draw)
        return pa.Table.from_pandas(table, preserve_index=False)

    tables = map(scores, track(range(1, draws + 1), out.name))
    first = next(tables)
    with (
        replace_when_done(out) as partial,
        pq.ParquetWriter(partial, first.schema, write_page_checksum=True) as writer,
    ):
        for table in itertools.chain([first], tables):
            writer.write_table(table)


def _scores(
    networks: Sequence[_Shuffled],
    block: Block,
    sample: ShownSample,
    metrics: Sequence[str],
    **how: Any,
) -> pd.DataFrame:
    with h5py.File(f"{sample.name}.h5", "w", driver="core", backing_store=False) as moments:
        write_moments(
            networks,
            moments,
            mapped=sample.mapped,
            n_folds=block.n_folds,
            seed=block.seed,
            shuffled=False,
            pairs=sample.pairs,
        )
        moments.flush()
        return score_table(moments, metrics, **how)


class _Shuffled:
    """A network's activations with its stimuli in another order (`alignment.store.Activations`)."""

    def __init__(self, network: LiveActivations | GivenActivations, order: np.ndarray):
        self._network, self._order = network, order
        self.name, self.attrs = network.name, network.attrs
        self.layers: Mapping[str, Mapping[str, Any]] = network.layers
        self.shapes = network.shapes

    @property
    def together(self) -> bool:
        return self._network.together

    def read(self, layers: Sequence[str]) -> list[Array]:
        """Responses of some layers, which are valid until the next call."""
        return [_Layer(array, self._order) for array in self._network.read(layers)]

    def __str__(self) -> str:
        return str(self._network)


class _Layer:
    """A layer whose stimulus i is stimulus order[i] of another (`responses.MadeWhenRead`)."""

    def __init__(self, array: MadeWhenRead, order: np.ndarray):
        self._array, self._order = array, order
        self.shape = array.shape

    def __getitem__(self, stimuli: slice | np.ndarray) -> torch.Tensor:
        ascending, places = np.unique(self._order[stimuli], return_inverse=True)
        responses = torch.as_tensor(self._array[ascending])
        return responses[torch.as_tensor(places, device=responses.device)]
