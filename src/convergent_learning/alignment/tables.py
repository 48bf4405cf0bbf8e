"""Moments files in, tidy score tables out. No torch: a scoring job starts in about a second."""

from __future__ import annotations

import pandas as pd

from . import registry
from .evaluate import BACKWARD, FORWARD, evaluate
from .maps import check_ridge
from .reading import MomentsFile
from .rotation import haar, rotated

COLUMNS = [
    "dataset",
    "architecture_x",
    "architecture_y",
    "seed_x",
    "seed_y",
    "step",
    "stimuli",
    "condition",
    "layer_x",
    "layer_y",
    "depth_x",
    "depth_y",
    "metric",
    "center",
    "baseline",
    "draw",
    "direction",
    "fold",
    "score",
    "n_dead_x",
    "n_dead_y",
]


def score_table(moments, metric, *, centers=("position",), transfer_from=None, ridge="cv"):
    """Scores of every stored layer pair under one metric.

    Parameters
    ----------
    moments : path
        File of ``store.write_moments``.
    metric : str
        A registered metric, or ``"context"``: all context measures, own layers within architecture.
    centers : sequence of "position", "unit"
        ``"position"`` for every stored layer pair; ``"unit"`` for own layers within architecture.
    transfer_from : path, optional
        Moments of the ID stimuli: adds baseline ``transfer``, maps fitted on its training folds and
        scored on the held-out folds of `moments` (own layers within architecture).
    ridge : "cv" or float
        See ``maps.linear``.

    Returns
    -------
    DataFrame with ``COLUMNS``
        One row a directed fold score. Baseline ``learned``, ``shuffled`` where stored (own layers
        within architecture, position-centred), ``transfer``. No rows where a metric needs equal
        widths and they differ.

    Raises
    ------
    ValueError
        Unknown metric, or a `transfer_from` with other folds.
    DamagedFileError
        A file cannot be read: names it and says to delete it.
    """
    rows = _Rows()
    with MomentsFile(moments) as file:
        check_ridge(ridge, int(file.attrs["n_folds"]))
        if metric == "context":
            for name in registry.metrics(context=True):
                for x, y, layer in _own_layers(file):
                    rows.score(file, registry.metric(name), x, y, layer, own=True, ridge=ridge)
            return rows.table(file)
        chosen = registry.metric(metric)
        if "position" in centers:
            for x, y in file.pairs():
                for layer in x.layers:
                    rows.score(file, chosen, x, y, layer, ridge=ridge)
        for x, y, layer in _own_layers(file):
            if "unit" in centers:
                rows.score(file, chosen, x, y, layer, own=True, center="unit", ridge=ridge)
            if file.has_shuffled(x, y):
                rows.score(file, chosen, x, y, layer, kind="shuffled", ridge=ridge)
        if transfer_from is not None:
            with MomentsFile(transfer_from) as fitted:
                _check_same_folds(file, fitted)
                for x, y, layer in _own_layers(file):
                    rows.score(file, chosen, x, y, layer, own=True, fitted_on=fitted, ridge=ridge)
        return rows.table(file)


def rotated_table(moments, metric, n_draws, seed):
    """Rotated-basis scores of own layers within architecture; the source of a row is rotated.

    Q of a draw derives from (seed, network, layer): all folds and partners share it. Columns as in
    `score_table`, baseline ``rotated``, draw 1 … n_draws.
    """
    chosen, rows = registry.metric(metric), _Rows()
    with MomentsFile(moments) as file:
        # Layer by layer, so that the rotations of a layer are made once for all partners.
        layers = sorted(_own_layers(file), key=lambda o: (o[0].architecture, o[2].depth, o[2].name))
        rotations, current = {}, None
        for x, y, layer in layers:
            if current != (x.architecture, layer.name):
                rotations, current = {}, (x.architecture, layer.name)
            [(partner, forward)] = file.comparisons(x, y, layer, own=True)
            for source, comparison, direction in (
                (x, forward, FORWARD),
                (y, forward.reversed(), BACKWARD),
            ):
                if source.name not in rotations:
                    drawn = haar(layer.units, n_draws, seed, source.name, layer.name)
                    rotations[source.name] = drawn
                for draw, turned in enumerate(rotated(comparison, rotations[source.name]), 1):
                    scores = evaluate(chosen, turned, directions=(FORWARD,))
                    if direction == BACKWARD:
                        scores = [_swapped(entry) for entry in scores]
                    rows.add(x, y, layer, partner, metric, "position", "rotated", scores, draw)
        return rows.table(file)


class _Rows:
    """Score rows as they come; constant columns are added once, at the end."""

    def __init__(self):
        self._rows = []

    def score(
        self,
        file,
        metric,
        x,
        y,
        layer_x,
        *,
        ridge,
        own=False,
        kind="cross",
        center="position",
        fitted_on=None,
    ):
        """Add the scores of a layer of x with its stored partners (own: the same layer)."""
        baseline = "learned" if kind == "cross" else "shuffled"
        for layer_y, target in file.comparisons(x, y, layer_x, own=own, kind=kind, center=center):
            if metric.equal_widths and layer_x.units != layer_y.units:
                continue
            forward = target
            if fitted_on is not None:
                baseline = "transfer"
                [(_, forward)] = fitted_on.comparisons(x, y, layer_x, own=True, center=center)
            scores = evaluate(metric, forward, target, ridge=ridge)
            self.add(x, y, layer_x, layer_y, metric.name, center, baseline, scores)

    def add(self, x, y, layer_x, layer_y, metric, center, baseline, scores, draw=0):
        where = (
            *(x.architecture, y.architecture, x.seed, y.seed),
            *(layer_x.name, layer_y.name, layer_x.depth, layer_y.depth),
            *(metric, center, baseline, draw),
        )
        for entry in scores:
            numbers = (entry.direction, entry.fold, entry.score, entry.n_dead_x, entry.n_dead_y)
            self._rows.append(where + numbers)

    def table(self, file):
        same = {key: file.attrs[key] for key in ("dataset", "step", "stimuli", "condition")}
        varying = [column for column in COLUMNS if column not in same]
        return pd.DataFrame(self._rows, columns=varying).assign(**same)[COLUMNS]


def _own_layers(file):
    """(x, y, layer) for every pair of networks of one architecture."""
    for x, y in file.pairs(within=True):
        for layer in x.layers:
            yield x, y, layer


def _swapped(entry):
    return entry._replace(direction=BACKWARD, n_dead_x=entry.n_dead_y, n_dead_y=entry.n_dead_x)


def _check_same_folds(file, fitted):
    for key in ("dataset", "n", "n_folds", "fold_seed"):
        if file.attrs[key] != fitted.attrs[key]:
            raise ValueError(
                f"{fitted.path} has {key} {fitted.attrs[key]} but {file.path} has "
                f"{file.attrs[key]}: transfer needs the same images in the "
                "same folds; make both files again"
            )
