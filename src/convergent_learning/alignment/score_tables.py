"""Moments files in, tidy score tables out. Narrow layers need no torch: jobs start at once."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import pandas as pd

from . import registry
from .arrays import Device, default_device
from .comparisons import CONTEXT, Compared, Request, Wanted, compared
from .maps import check_ridge
from .moments import Center
from .reading import MomentsFile, NamePairs, Stored
from .ridge import Ridge

_LOG = logging.getLogger(__name__)
_TYPES = {
    "dataset": "str",
    "group_x": "str",
    "group_y": "str",
    "seed_x": "int64",
    "seed_y": "int64",
    "step": "int64",
    "stimuli": "str",
    "condition": "str",
    "layer_x": "str",
    "layer_y": "str",
    "depth_x": "float64",
    "depth_y": "float64",
    "metric": "str",
    "center": "str",
    "baseline": "str",
    "draw": "int64",
    "direction": "str",
    "fold": "int64",
    "score": "float64",
    "n_dead_x": "int64",
    "n_dead_y": "int64",
}
COLUMNS = list(_TYPES)
TEXTS = [column for column, kind in _TYPES.items() if kind == "str"]
MEASURED = ["score", "n_dead_x", "n_dead_y"]


def score_table(
    moments: str | Stored | Sequence[str | Stored],
    metrics: Sequence[str],
    *,
    pairs: NamePairs | None = None,
    centers: Sequence[Center] = ("position",),
    transfer_from: str | Stored | None = None,
    ridge: Ridge = "cv",
    rotated: Sequence[str] = (),
    draws: int = 0,
    seed: int = 0,
    context: bool = False,
    crossed: Sequence[str] | None = None,
    wanted: Wanted | None = None,
    device: Device | None = None,
    threads: int = 1,
) -> pd.DataFrame:
    """Scores of every stored layer pair under several metrics.

    Memory is that of the widest layer of all networks of a group and all files at once, and of all
    layers of the networks with layer x layer maps. Where layers have ``arrays.WIDE`` units or more,
    these maps need instead one layer of a network and some of its partner's.

    Parameters
    ----------
    moments : path or open HDF5 file, or sequence of them
        Files of ``store.write_moments``, of the same networks.
    metrics : sequence of str
        Registered metrics.
    pairs : collection of two network names each, optional
        Only these pairs of networks, in whichever order they are named. Default: all pairs.
    centers : sequence of "position", "unit"
        ``"position"`` for every stored layer pair; ``"unit"`` for own layers within group.
    transfer_from : path or open HDF5 file, optional
        Moments of the ID stimuli: adds baseline ``transfer``, maps fitted on its training folds and
        scored on the held-out folds of `moments` (own layers within group).
    ridge : "cv" or float
        See ``maps.linear``.
    rotated : sequence of str
        Metrics that get the baseline ``rotated``: own layers within group, `draws` of them, the
        source of a row rotated. Q of a draw derives from (`seed`, network, layer): all folds and
        partners share it.
    context : bool
        All context metrics too (own layers within group, position-centred).
    crossed : sequence of str, optional
        Those of `metrics` that also compare a layer with all others of its partner, where these are
        stored. Default: all.
    wanted : function (file, metric, network x, network y) -> bool, optional
        Rows for which it is False are not computed. It is asked about ``"context"`` for all context
        measures at once; rotated rows belong to their metric.
    device : torch device, optional
        Where scores are computed. Default: CUDA if it is there; on a processor torch for wide
        layers, else NumPy.
    threads : int
        Plans of units that are matched are found by so many threads of the processor.

    Returns
    -------
    DataFrame with ``COLUMNS``
        One row a directed fold score. Baseline ``learned``, ``shuffled`` where stored (own layers
        within group, position-centred), ``transfer``, ``rotated``. No rows where a metric needs
        equal widths and they differ.

    Raises
    ------
    ValueError
        Unknown metric, a network of `pairs` that a file lacks, or a `transfer_from` with other
        folds.
    DamagedFileError
        A file cannot be read: names it and says to delete it.
    """
    request = Request(
        metrics=[registry.metric(name) for name in metrics],
        context=[registry.metric(name) for name in registry.metrics(context=True) if context],
        rotated=[registry.metric(name) for name in rotated],
        pairs=pairs,
        centers=centers,
        crossed=None if crossed is None else frozenset(crossed),
        ridge=ridge,
        draws=draws,
        seed=seed,
        wanted=wanted,
        workers=None,
    )
    stored = [moments] if isinstance(moments, str | Path | h5py.File) else moments
    with ExitStack() as stack:
        if threads > 1:
            request = replace(request, workers=stack.enter_context(ThreadPoolExecutor(threads)))
        open_file = partial(_open, stack, device)
        files = [open_file(one) for one in stored]
        fitted = None if transfer_from is None else open_file(transfer_from)
        for file in files:
            check_ridge(ridge, int(file.attrs["n_folds"]))
            if fitted is not None:
                _check_same_folds(file, fitted)
        return _table(compared(files, fitted, request))


def _open(stack: ExitStack, device: Device | None, stored: str | Stored) -> MomentsFile:
    file = stack.enter_context(
        MomentsFile(stored if isinstance(stored, h5py.File) else Path(stored))
    )
    file.device = device or default_device(file.widest)
    return file


def _table(comparisons: Iterable[Compared]) -> pd.DataFrame:
    """One row for each fold score; what each metric took is logged."""
    rows = []
    seconds: defaultdict[str, float] = defaultdict(float)
    before = time.process_time()
    for comparison in comparisons:
        now = time.process_time()
        seconds[_kind(comparison)] += now - before
        before = now
        file, x, y, layer_x, layer_y, *how, scores = comparison
        where = (
            str(file.attrs["dataset"]),
            *(x.group, y.group, x.seed, y.seed),
            *(file.attrs[key] for key in ("step", "stimuli", "condition")),
            *(layer_x.name, layer_y.name, layer_x.depth, layer_y.depth, *how),
        )
        for entry in scores:
            numbers = (entry.direction, entry.fold, entry.score, entry.n_dead_x, entry.n_dead_y)
            rows.append(where + numbers)
    for kind, taken in seconds.items():
        _LOG.info("scored %s in %.3f s of processor time", kind, taken)
    return pd.DataFrame(rows, columns=COLUMNS).astype(_TYPES)


def _kind(comparison: Compared) -> str:
    if comparison.baseline == "rotated":
        return comparison.baseline
    return CONTEXT if registry.metric(comparison.metric).context else comparison.metric


def _check_same_folds(file: MomentsFile, fitted: MomentsFile) -> None:
    for key in ("dataset", "n", "n_folds", "fold_seed"):
        if file.attrs[key] != fitted.attrs[key]:
            raise ValueError(
                f"{fitted.path} has {key} {fitted.attrs[key]} but {file.path} has "
                f"{file.attrs[key]}: transfer needs the same images in the "
                "same folds; make both files again"
            )
