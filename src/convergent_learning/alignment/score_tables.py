"""Moments files in, tidy score tables out. No torch: a scoring job starts in about a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd

from . import registry
from .evaluate import BACKWARD, FORWARD, FoldScore, evaluate
from .maps import check_ridge
from .moments import Center
from .reading import Between, Kind, MomentsFile, StoredLayer, StoredNetwork
from .registry import Metric
from .ridge import Ridge
from .rotation import haar, rotated

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


def score_table(
    moments: Path,
    metric: str,
    *,
    between: Between | None = None,
    centers: Sequence[Center] = ("position",),
    transfer_from: Path | None = None,
    ridge: Ridge = "cv",
) -> pd.DataFrame:
    """Scores of every stored layer pair under one metric.

    Memory is that of the widest layer of all networks at once, and of all layers of the networks
    with layer x layer maps.

    Parameters
    ----------
    moments : path
        File of ``store.write_moments``.
    metric : str
        A registered metric, or ``"context"``: all context measures, own layers within group.
    between : two collections of network names, optional
        Only pairs with one network in each. Default: all pairs.
    centers : sequence of "position", "unit"
        ``"position"`` for every stored layer pair; ``"unit"`` for own layers within group.
    transfer_from : path, optional
        Moments of the ID stimuli: adds baseline ``transfer``, maps fitted on its training folds and
        scored on the held-out folds of `moments` (own layers within group).
    ridge : "cv" or float
        See ``maps.linear``.

    Returns
    -------
    DataFrame with ``COLUMNS``
        One row a directed fold score. Baseline ``learned``, ``shuffled`` where stored (own layers
        within group, position-centred), ``transfer``. No rows where a metric needs equal
        widths and they differ.

    Raises
    ------
    ValueError
        Unknown metric, or a `transfer_from` with other folds.
    DamagedFileError
        A file cannot be read: names it and says to delete it.
    """
    rows = _Rows(ridge)
    id_moments = nullcontext() if transfer_from is None else MomentsFile(transfer_from)
    with MomentsFile(moments) as file, id_moments as fitted:
        check_ridge(ridge, int(file.attrs["n_folds"]))
        pairs = list(file.pairs(between))
        if metric == "context":
            for x, y, layer in _own_layers(pairs, file):
                for name in registry.metrics(context=True):
                    rows.score(file, registry.metric(name), x, y, layer, own=True)
            return rows.table(file)
        chosen = registry.metric(metric)
        learned = "position" in centers
        if fitted is not None:
            _check_same_folds(file, fitted)
        mapped = {(x.name, y.name) for x, y in pairs if learned and file.is_mapped(x, y)}
        for x, y in pairs:
            if (x.name, y.name) in mapped:
                for layer in x.layers:
                    rows.score(file, chosen, x, y, layer)
        for x, y, layer in _own_layers(pairs, *filter(None, (file, fitted))):
            if learned and (x.name, y.name) not in mapped:
                rows.score(file, chosen, x, y, layer, own=True)
            if "unit" in centers:
                rows.score(file, chosen, x, y, layer, own=True, center="unit")
            if file.has_shuffled(x, y):
                rows.score(file, chosen, x, y, layer, kind="shuffled")
            if fitted is not None:
                rows.score(file, chosen, x, y, layer, own=True, fitted_on=fitted)
        return rows.table(file)


def rotated_table(
    moments: Path, metric: str, n_draws: int, seed: int, *, between: Between | None = None
) -> pd.DataFrame:
    """Rotated-basis scores of own layers within group; the source of a row is rotated.

    Q of a draw derives from (seed, network, layer): all folds and partners share it. `between` and
    columns as in `score_table`, baseline ``rotated``, draw 1 … n_draws.
    """
    chosen, rows = registry.metric(metric), _Rows()
    with MomentsFile(moments) as file:
        # The rotations of a layer are made once for all partners.
        rotations: dict[str, np.ndarray] = {}
        current = None
        for x, y, layer in _own_layers(file.pairs(between), file):
            if current != (x.group, layer.name):
                rotations, current = {}, (x.group, layer.name)
            [(partner, forward)] = file.layer_pairs(x, y, layer, own=True)
            for source, pair, direction in (
                (x, forward, FORWARD),
                (y, forward.reversed(), BACKWARD),
            ):
                if source.name not in rotations:
                    drawn = haar(layer.units, n_draws, seed, source.name, layer.name)
                    rotations[source.name] = drawn
                for draw, turned in enumerate(rotated(pair, rotations[source.name]), 1):
                    scores = evaluate(chosen, turned, directions=(FORWARD,))
                    if direction == BACKWARD:
                        scores = [_swapped(entry) for entry in scores]
                    rows.add(x, y, layer, partner, metric, "position", "rotated", scores, draw)
        return rows.table(file)


class _Rows:
    """Score rows as they come; constant columns are added once, at the end."""

    def __init__(self, ridge: Ridge = "cv"):
        self._ridge: Ridge = ridge
        self._rows: list[tuple[object, ...]] = []

    def score(
        self,
        file: MomentsFile,
        metric: Metric,
        x: StoredNetwork,
        y: StoredNetwork,
        layer_x: StoredLayer,
        *,
        own: bool = False,
        kind: Kind = "cross",
        center: Center = "position",
        fitted_on: MomentsFile | None = None,
    ) -> None:
        """Add the scores of a layer of x with its stored partners (own: the same layer)."""
        baseline = "learned" if kind == "cross" else "shuffled"
        for layer_y, target in file.layer_pairs(x, y, layer_x, own=own, kind=kind, center=center):
            if metric.equal_widths and layer_x.units != layer_y.units:
                continue
            forward = target
            if fitted_on is not None:
                baseline = "transfer"
                [(_, forward)] = fitted_on.layer_pairs(x, y, layer_x, own=True, center=center)
            scores = evaluate(metric, forward, target, ridge=self._ridge)
            self.add(x, y, layer_x, layer_y, metric.name, center, baseline, scores)

    def add(
        self,
        x: StoredNetwork,
        y: StoredNetwork,
        layer_x: StoredLayer,
        layer_y: StoredLayer,
        metric: str,
        center: Center,
        baseline: str,
        scores: Iterable[FoldScore],
        draw: int = 0,
    ) -> None:
        """Add one row for each directed fold score."""
        where = (
            *(x.group, y.group, x.seed, y.seed),
            *(layer_x.name, layer_y.name, layer_x.depth, layer_y.depth),
            *(metric, center, baseline, draw),
        )
        for entry in scores:
            numbers = (entry.direction, entry.fold, entry.score, entry.n_dead_x, entry.n_dead_y)
            self._rows.append(where + numbers)

    def table(self, file: MomentsFile) -> pd.DataFrame:
        same = {key: file.attrs[key] for key in ("dataset", "step", "stimuli", "condition")}
        varying = [column for column in COLUMNS if column not in same]
        return pd.DataFrame(self._rows, columns=varying).assign(**same)[COLUMNS].astype(_TYPES)


def _own_layers(
    pairs: Iterable[tuple[StoredNetwork, StoredNetwork]], *files: MomentsFile
) -> Iterator[tuple[StoredNetwork, StoredNetwork, StoredLayer]]:
    """(x, y, layer of x) for pairs of one group, layer by layer.

    Moments of a layer that were read from `files` are freed after it.
    """
    alike: dict[str, list[tuple[StoredNetwork, StoredNetwork]]] = {}
    for x, y in pairs:
        if x.group == y.group:
            alike.setdefault(x.group, []).append((x, y))
    for same in alike.values():
        for index, layer in enumerate(same[0][0].layers):
            for x, y in same:
                yield x, y, x.layers[index]
            for file in files:
                file.forget(layer.name)


def _swapped(entry: FoldScore) -> FoldScore:
    return entry._replace(direction=BACKWARD, n_dead_x=entry.n_dead_y, n_dead_y=entry.n_dead_x)


def _check_same_folds(file: MomentsFile, fitted: MomentsFile) -> None:
    for key in ("dataset", "n", "n_folds", "fold_seed"):
        if file.attrs[key] != fitted.attrs[key]:
            raise ValueError(
                f"{fitted.path} has {key} {fitted.attrs[key]} but {file.path} has "
                f"{file.attrs[key]}: transfer needs the same images in the "
                "same folds; make both files again"
            )
