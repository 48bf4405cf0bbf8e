"""Which layers of a moments file are compared, under which metrics and baselines.

All metrics of a layer pair are scored together: its moments are read and prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from .evaluate import BACKWARD, FORWARD, FoldScore, evaluate
from .layer_pair import LayerPair
from .moments import Center
from .reading import Between, Kind, MomentsFile, StoredLayer, StoredNetwork
from .registry import Metric
from .ridge import Ridge
from .rotation import haar, rotated

CONTEXT = "context"  # what `Wanted` is asked about in place of each context measure

# Asked with a metric, or CONTEXT, and the names of two networks in file order.
Wanted: TypeAlias = Callable[[str, str, str], bool]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What ``score_tables.score_table`` was asked for."""

    metrics: Sequence[Metric]
    context: Sequence[Metric]
    rotated: Sequence[Metric]
    between: Between | None
    centers: Sequence[Center]
    ridge: Ridge
    draws: int
    seed: int
    wanted: Wanted | None

    def asked(self, metrics: Sequence[Metric], x: StoredNetwork, y: StoredNetwork) -> list[Metric]:
        """Those of `metrics` whose rows for x and y are wanted."""
        if self.wanted is None:
            return list(metrics)
        named = {metric: CONTEXT if metric.context else metric.name for metric in metrics}
        return [metric for metric in metrics if self.wanted(named[metric], x.name, y.name)]


class Compared(NamedTuple):
    """Directed fold scores of a layer of x with a layer of y."""

    x: StoredNetwork
    y: StoredNetwork
    layer_x: StoredLayer
    layer_y: StoredLayer
    metric: str
    center: Center
    baseline: str
    draw: int
    scores: Sequence[FoldScore]


def compared(file: MomentsFile, fitted: MomentsFile | None, request: Request) -> Iterator[Compared]:
    """Own layers within group, layer by layer; then the other layer pairs of mapped networks.

    fitted : moments of the ID stimuli, for the baseline ``transfer``
    """
    pairs = list(file.pairs(request.between))
    mapped = [(x, y) for x, y in pairs if file.is_mapped(x, y)]
    for group in dict.fromkeys(x.group for x, y in pairs if x.group == y.group):
        within = [(x, y) for x, y in pairs if x.group == y.group == group]
        for index, layer in enumerate(within[0][0].layers):
            rotations: dict[str, np.ndarray] = {}
            for x, y in within:
                layers = (x.layers[index], y.layers[index])
                yield from _own_layer(file, fitted, request, (x, y), layers, rotations)
            if not mapped:  # else the other layer pairs need it again
                file.forget(layer.name)
            if fitted is not None:
                fitted.forget(layer.name)
    if "position" in request.centers:
        for x, y in mapped:
            yield from _other_layers(file, request, x, y)


def _own_layer(
    file: MomentsFile,
    fitted: MomentsFile | None,
    request: Request,
    networks: tuple[StoredNetwork, StoredNetwork],
    layers: tuple[StoredLayer, StoredLayer],
    rotations: dict[str, np.ndarray],
) -> Iterator[Compared]:
    """One layer of two networks of a group, with everything that own layers are scored by.

    rotations : those of the layer by network, made once for all partners
    """
    metrics = request.asked(request.metrics, *networks)
    context = request.asked(request.context, *networks)
    turned = request.asked(request.rotated, *networks)

    def read(source: MomentsFile, kind: Kind = "cross", center: Center = "position") -> LayerPair:
        [(_, pair)] = source.layer_pairs(*networks, layers[0], own=True, kind=kind, center=center)
        return pair

    def scored(
        chosen: Sequence[Metric],
        pair: LayerPair,
        baseline: str,
        center: Center = "position",
        onto: LayerPair | None = None,
    ) -> Iterator[Compared]:
        for metric in chosen:
            if not metric.equal_widths or layers[0].units == layers[1].units:
                scores = evaluate(metric, pair, onto, ridge=request.ridge)
                yield Compared(*networks, *layers, metric.name, center, baseline, 0, scores)

    if metrics or context or turned:
        pair = read(file)
        learned = metrics if "position" in request.centers else []
        yield from scored([*learned, *context], pair, "learned")
        if metrics and fitted is not None:
            yield from scored(metrics, read(fitted), "transfer", onto=pair)
        for metric in turned:
            for draw, scores in _rotated(metric, pair, networks, layers[0], request, rotations):
                yield Compared(*networks, *layers, metric.name, "position", "rotated", draw, scores)
    if metrics and "unit" in request.centers:
        yield from scored(metrics, read(file, center="unit"), "learned", "unit")
    if metrics and file.has_shuffled(*networks):
        yield from scored(metrics, read(file, "shuffled"), "shuffled")


def _rotated(
    metric: Metric,
    pair: LayerPair,
    networks: tuple[StoredNetwork, StoredNetwork],
    layer: StoredLayer,
    request: Request,
    rotations: dict[str, np.ndarray],
) -> Iterator[tuple[int, list[FoldScore]]]:
    """(draw, its fold scores) of both directions, the source of a direction being rotated."""
    for network, directed in zip(networks, (pair, pair.reversed()), strict=True):
        if network.name not in rotations:
            drawn = haar(layer.units, request.draws, request.seed, network.name, layer.name)
            rotations[network.name] = drawn
        for draw, turned in enumerate(rotated(directed, rotations[network.name]), 1):
            scores = evaluate(metric, turned, directions=(FORWARD,))
            if directed is not pair:
                scores = [_swapped(entry) for entry in scores]
            yield draw, scores


def _other_layers(
    file: MomentsFile, request: Request, x: StoredNetwork, y: StoredNetwork
) -> Iterator[Compared]:
    """Every layer of x with every layer of y, without the own layers of a group."""
    metrics = request.asked(request.metrics, x, y)
    if not metrics:
        return
    for layer_x in x.layers:
        for layer_y, pair in file.layer_pairs(x, y, layer_x):
            if x.group == y.group and layer_x.name == layer_y.name:
                continue
            for metric in metrics:
                if not metric.equal_widths or layer_x.units == layer_y.units:
                    scores = evaluate(metric, pair, ridge=request.ridge)
                    yield Compared(
                        x, y, layer_x, layer_y, metric.name, "position", "learned", 0, scores
                    )


def _swapped(entry: FoldScore) -> FoldScore:
    return entry._replace(direction=BACKWARD, n_dead_x=entry.n_dead_y, n_dead_y=entry.n_dead_x)
