"""Scores of a block whose moments are kept nowhere: each sample's are made, scored and dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from convergent_learning.activations.block import Block
from convergent_learning.activations.shown import ShownSample
from convergent_learning.progress import track
from convergent_learning.tables.score_files import BlockScores

_LOG = logging.getLogger(__name__)


def score_block(
    block: Block,
    samples: Sequence[ShownSample],
    identity: ShownSample | None,
    out: Path,
    metrics: Mapping[str, str],
    *,
    earlier: Iterable[Path],
    **how: Any,
) -> list[Path]:
    """Write the scores of all `samples` as one parquet file `out`.

    At any moment memory holds the moments of one sample, and those of `identity`, the ID sample
    whose maps are tried on the others, if there is one. Nothing of them is on the disk.

    block : where the moments come from
    metrics, earlier, how : see ``score_files.write_scores``

    Returns the earlier files that rows were taken from.
    """
    scores = BlockScores(metrics, earlier, **how)
    with _moments(block, identity, counted=False) as fitted:
        for sample in track(samples, out.name):
            with _moments(block, sample) as moments:
                assert moments is not None
                scores.add([moments], fitted)
                size = moments.id.get_filesize() / 1e9
                _LOG.info(
                    "moments of %s took %.2f GB of memory, and are dropped", sample.name, size
                )
    return scores.write(out)


@contextmanager
def _moments(
    block: Block, sample: ShownSample | None, counted: bool = True
) -> Iterator[h5py.File | None]:
    """Moments of a sample in an HDF5 file in memory."""
    if sample is None:
        yield None
        return
    with h5py.File(f"{sample.name}.h5", "w", driver="core", backing_store=False) as file:
        block.fold(sample, file, counted)
        file.flush()
        yield file
