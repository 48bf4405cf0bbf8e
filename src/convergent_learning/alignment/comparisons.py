"""Which layers of a moments file are compared, under which metrics and baselines.

All metrics of a layer pair are scored together: its moments are read and prepared once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from .arrays import WIDE
from .evaluate import evaluate, rotated_scores
from .fold_scores import BACKWARD, FoldScore
from .layer_pair import LayerPair
from .moments import Center, Grid
from .reading import Kind, MomentsFile, NamePairs, StoredLayer, StoredNetwork
from .registry import Metric
from .ridge import Ridge
from .rotation import Rotations, haar

# Squares of the units of layers of which memory holds what is made of their moments.
_SQUARES_AT_ONCE = 10e6
CONTEXT = "context"  # what `Wanted` is asked about in place of each context metric

# Asked with a moments file, a metric, or CONTEXT, and the names of two networks in file order.
Wanted: TypeAlias = Callable[[Path, str, str, str], bool]


class _Layer(Protocol):
    @property
    def units(self) -> int: ...


_L = TypeVar("_L", bound=_Layer)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What ``score_tables.score_table`` was asked for."""

    metrics: Sequence[Metric]
    context: Sequence[Metric]
    rotated: Sequence[Metric]
    pairs: NamePairs | None
    centers: Sequence[Center]
    crossed: Collection[str] | None
    ridge: Ridge
    draws: int
    seed: int
    wanted: Wanted | None
    workers: Executor | None

    def evaluate(
        self, metric: Metric, pair: LayerPair, onto: LayerPair | None = None
    ) -> list[FoldScore]:
        """The fold scores of a pair, see `evaluate.evaluate`."""
        return evaluate(metric, pair, onto, ridge=self.ridge, workers=self.workers)

    def asked(
        self, metrics: Sequence[Metric], file: MomentsFile, x: StoredNetwork, y: StoredNetwork
    ) -> list[Metric]:
        """Those of `metrics` whose rows for x and y are wanted of a file."""
        if self.wanted is None:
            return list(metrics)
        named = {metric: CONTEXT if metric.context else metric.name for metric in metrics}
        return [
            metric for metric in metrics if self.wanted(file.path, named[metric], x.name, y.name)
        ]


class Compared(NamedTuple):
    """Directed fold scores of a layer of x with a layer of y, from a moments file."""

    file: MomentsFile
    x: StoredNetwork
    y: StoredNetwork
    layer_x: StoredLayer
    layer_y: StoredLayer
    metric: str
    center: Center
    baseline: str
    draw: int
    scores: Sequence[FoldScore]


def compared(
    files: Sequence[MomentsFile], fitted: MomentsFile | None, request: Request
) -> Iterator[Compared]:
    """Own layers within group, layer by layer; then the other stored layer pairs.

    Those are all layer pairs of mapped networks, and across groups own layers of networks with
    equal layers.

    files : of the same networks
    fitted : moments of the ID stimuli, for the baseline ``transfer``: its maps serve all files
    """
    pairs = list(files[0].pairs(request.pairs))
    others = [
        (file, x, y)
        for file in files
        for x, y in pairs
        if x.group != y.group or file.is_mapped(x, y)
    ]
    kept = bool(others) and not _frugal(files[0])  # the other layer pairs need them again
    for group in dict.fromkeys(x.group for x, y in pairs if x.group == y.group):
        within = [(x, y) for x, y in pairs if x.group == y.group == group]
        for index in range(len(within[0][0].layers)):
            yield from _own_layers(files, fitted, request, within, index, kept)
    if "position" in request.centers:
        for file, x, y in others:
            yield from _other_layers(file, request, x, y)


def _own_layers(
    files: Sequence[MomentsFile],
    fitted: MomentsFile | None,
    request: Request,
    within: Sequence[tuple[StoredNetwork, StoredNetwork]],
    index: int,
    kept: bool,
) -> Iterator[Compared]:
    """The layer with an index of all networks of a group; its moments are then freed or `kept`."""
    rotations: dict[str, Rotations] = {}
    layer = within[0][0].layers[index]
    own = [
        _OwnLayer((x, y), (x.layers[index], y.layers[index]), request, rotations) for x, y in within
    ]
    for pair in own:
        yield from pair.position_centred(files, fitted)
    rotations.clear()
    if not kept:
        _forget(files, layer)
    if fitted is not None:
        fitted.forget(layer.name)
    if "unit" in request.centers:
        for pair in own:
            yield from pair.unit_centred(files)
        if not kept:
            _forget(files, layer)


def _forget(files: Sequence[MomentsFile], layer: StoredLayer) -> None:
    for file in files:
        file.forget(layer.name)


@dataclass(frozen=True)
class _OwnLayer:
    """One layer of two networks of a group, with everything that own layers are scored by.

    rotations : those of the layer by network, made once for all partners
    """

    networks: tuple[StoredNetwork, StoredNetwork]
    layers: tuple[StoredLayer, StoredLayer]
    request: Request
    rotations: dict[str, Rotations]

    def position_centred(
        self, files: Sequence[MomentsFile], fitted: MomentsFile | None
    ) -> Iterator[Compared]:
        """All scores but those of raw means."""
        maps = None
        for file in files:
            metrics, context, rotated = (
                self.request.asked(metrics, file, *self.networks)
                for metrics in (self.request.metrics, self.request.context, self.request.rotated)
            )
            if not (metrics or context or rotated):
                continue
            pair = self._read(file)
            learned = metrics if "position" in self.request.centers else []
            yield from self._scored(file, [*learned, *context], pair, "learned")
            if metrics and fitted is not None:
                maps = maps or self._read(fitted)
                yield from self._scored(file, metrics, maps, "transfer", onto=pair)
            for metric in rotated:
                yield from self._rotated(file, metric, pair)
            if metrics and file.has_shuffled(*self.networks):
                null = self._read(file, "shuffled")
                yield from self._scored(file, metrics, null, "shuffled")

    def unit_centred(self, files: Sequence[MomentsFile]) -> Iterator[Compared]:
        """Scores of raw means."""
        for file in files:
            metrics = self.request.asked(self.request.metrics, file, *self.networks)
            if metrics:
                raw = self._read(file, center="unit")
                yield from self._scored(file, metrics, raw, "learned", "unit")

    def _read(
        self, file: MomentsFile, kind: Kind = "cross", center: Center = "position"
    ) -> LayerPair:
        [(_, pair)] = file.layer_pairs(
            *self.networks, self.layers[0], own=True, kind=kind, center=center
        )
        return pair

    def _scored(
        self,
        file: MomentsFile,
        metrics: Sequence[Metric],
        pair: LayerPair,
        baseline: str,
        center: Center = "position",
        onto: LayerPair | None = None,
    ) -> Iterator[Compared]:
        for metric in metrics:
            if not metric.equal_widths or self.layers[0].units == self.layers[1].units:
                scores = self.request.evaluate(metric, pair, onto)
                where = (file, *self.networks, *self.layers)
                yield Compared(*where, metric.name, center, baseline, 0, scores)

    def _rotated(self, file: MomentsFile, metric: Metric, pair: LayerPair) -> Iterator[Compared]:
        """Both directions, the source of a direction being rotated."""
        where = (file, *self.networks, *self.layers)
        layer, request = self.layers[0], self.request
        for network, directed in zip(self.networks, (pair, pair.reversed()), strict=True):
            if network.name not in self.rotations:
                drawn = haar(layer.units, request.draws, request.seed, network.name, layer.name)
                self.rotations[network.name] = Rotations(drawn, file.device)
            scored = rotated_scores(
                metric,
                directed,
                self.rotations[network.name],
                ridge=request.ridge,
                workers=request.workers,
            )
            for draw, scores in enumerate(scored, 1):
                if directed is not pair:
                    scores = [_swapped(entry) for entry in scores]
                yield Compared(*where, metric.name, "position", "rotated", draw, scores)


def _other_layers(
    file: MomentsFile, request: Request, x: StoredNetwork, y: StoredNetwork
) -> Iterator[Compared]:
    """Every stored pair of a layer of x and a layer of y, without the own layers of a group."""
    crossed = [m for m in request.metrics if request.crossed is None or m.name in request.crossed]
    metrics = request.asked(crossed, file, x, y)
    if not metrics:
        return
    for grid, partners in _turns(file, y):
        for layer_x in x.layers:
            pairs = file.layer_pairs(x, y, layer_x, grid=grid, partners=partners)
            yield from _with_partners(file, request, metrics, (x, y), layer_x, pairs)
            if grid is not None:
                file.forget(layer_x.name, x)
        if grid is not None:
            for layer_y in partners:
                file.forget(layer_y.name, y)


def _with_partners(
    file: MomentsFile,
    request: Request,
    metrics: Sequence[Metric],
    networks: tuple[StoredNetwork, StoredNetwork],
    layer_x: StoredLayer,
    pairs: Iterator[tuple[StoredLayer, LayerPair]],
) -> Iterator[Compared]:
    """A layer of x with layers of y; no pair is held once this is done."""
    x, y = networks
    for layer_y, pair in pairs:
        if x.group == y.group and layer_x.name == layer_y.name:
            continue
        for metric in metrics:
            if not metric.equal_widths or layer_x.units == layer_y.units:
                scores = request.evaluate(metric, pair)
                where = (file, x, y, layer_x, layer_y)
                yield Compared(*where, metric.name, "position", "learned", 0, scores)


def _turns(
    file: MomentsFile, y: StoredNetwork
) -> Iterator[tuple[Grid | None, Sequence[StoredLayer]]]:
    """Grids with the layers of y that are prepared at once; (None, all) where memory allows it."""
    if _frugal(file):
        yield from itertools.product(file.grids, prepared_together(y.layers))
    else:
        yield None, y.layers


def prepared_together(layers: Sequence[_L]) -> Iterator[Sequence[_L]]:
    """Wide layers, in order, in parts of which memory holds what is made of their moments."""
    part: list[_L] = []
    for layer in layers:
        if part and sum(one.units**2 for one in [*part, layer]) > _SQUARES_AT_ONCE:
            yield part
            part = []
        part.append(layer)
    yield part


def _frugal(file: MomentsFile) -> bool:
    """Whether layers are so wide that what is made of their moments is not kept for partners."""
    return file.widest >= WIDE


def _swapped(entry: FoldScore) -> FoldScore:
    return entry._replace(direction=BACKWARD, n_dead_x=entry.n_dead_y, n_dead_y=entry.n_dead_x)
