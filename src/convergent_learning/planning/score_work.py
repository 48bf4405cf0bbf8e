"""Jobs that score fold moments, and those that draw what they found."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from convergent_learning.experiment import CONTEXT_METRIC, Network, Sample, Tile
from convergent_learning.planning.job import (
    GIGA,
    MEGA,
    Job,
    compared_layers,
    layer_pairs,
    values,
)
from convergent_learning.planning.sizes import LayerSize
from convergent_learning.tables.schema import COLUMNS

if TYPE_CHECKING:
    from convergent_learning.planning.work import Workload

_CONTEXT_METRICS = 4
_BYTES_A_ROW = 10.5  # of compressed scores
_BYTES_A_KEPT_ROW = 2e3  # of scores in memory
_WHOLE = ("final", "untrained")  # blocks that hold every layer pair of every network pair


def score_jobs(workload: Workload, dataset: str) -> Iterator[Job]:
    experiment = workload.experiment
    for block, samples in experiment.blocks(dataset).items():
        metrics = [*experiment.metrics, *([CONTEXT_METRIC] if block in _WHOLE else [])]
        for metric in metrics:
            for tile in experiment.tiles(dataset, block, within=metric == CONTEXT_METRIC):
                yield _score_job(workload, dataset, block, metric, samples, tile)
        if block in _WHOLE and "permutation" in experiment.metrics:
            for tile in experiment.tiles(dataset, block, within=True):
                yield _rotated_job(workload, dataset, block, tile)


def figure_jobs(workload: Workload) -> Iterator[Job]:
    """Tables, figures, claims and what is made of them."""
    one = {"start:tables": 1}
    for name in ("datasets", "layers", "conditions", "accuracy"):
        yield Job("figures", f"{name}_table", f"tables/{name}", one)
    yield Job("figures", "training_table", "tables/fig1_training", one)
    yield Job("figures", "stimulus_tiles", "tables/fig1_stimuli", one)
    rows = _score_rows(workload)
    for number in sorted({int(name[3]) for name in COLUMNS if name.startswith("fig")} | {1}):
        if number in rows:
            read = {"start:tables": 1, "mrow:tables": rows[number] / MEGA}
            yield Job("figures", f"fig{number}_tables", f"tables/fig{number}", read)
        yield Job("figures", f"fig{number}", f"figures/fig{number}", {"start:figures": 1})
    for name in ("claims", "report", "research_object"):
        yield Job("figures", name, name, one)


def _score_job(
    workload: Workload, dataset: str, block: str, metric: str, samples: list[Sample], tile: Tile
) -> Job:
    comparisons = cubes = 0.0
    for sample in samples:
        for a, b, repeats in _compared(workload, dataset, sample, metric, block, tile):
            comparisons += repeats
            cubes += repeats * _cube(a, b)
    # A file is read at a time, with the ID moments beside it where maps are transferred.
    files = 2 if block in workload.experiment.paired() else 1
    mapped = [] if metric == CONTEXT_METRIC else _mapped(workload, dataset, samples[0])
    return Job(
        "scores",
        "scores",
        f"scores/{dataset}_{block}_{metric}{tile.name}",
        {
            "start:scores": 1,
            f"kcomparison:{metric}": comparisons / 1e3,
            f"gcube:{metric}": workload.folds * cubes / GIGA,
        },
        files * _kept_moments(workload, dataset, tile, mapped) / MEGA,
        _BYTES_A_ROW * 2 * workload.folds * comparisons,
        metric=metric,
    )


def _compared(
    workload: Workload, dataset: str, sample: Sample, metric: str, block: str, tile: Tile
) -> Iterator[tuple[LayerSize, LayerSize, int]]:
    """Pairs of layers and how often each is compared in a job."""
    if metric == CONTEXT_METRIC:
        own_repeats = _CONTEXT_METRICS
    elif block in _WHOLE:
        own_repeats = 2  # centred by unit, and shuffled; learned ones come with all layer pairs
    else:
        own_repeats = 3 if block in workload.experiment.paired() else 2  # learned, shuffled, moved
    compared = [(pair, n * own_repeats, own) for pair, n, own in compared_layers(tile, [])]
    if block in _WHOLE and metric != CONTEXT_METRIC:
        compared += compared_layers(tile, _mapped(workload, dataset, sample))
    for (x, y), count, own in compared:
        for i, j in layer_pairs(workload.size(dataset, x), workload.size(dataset, y), own=own):
            if metric != "permutation" or i.units == j.units:
                yield i, j, count


def _rotated_job(workload: Workload, dataset: str, block: str, tile: Tile) -> Job:
    draws = workload.experiment.config["alignment"]["rotations"]
    comparisons = cubes = widest = 0.0
    for (x, _), count, _ in compared_layers(tile, []):
        for layer in workload.size(dataset, x).layers:
            comparisons += count * draws
            cubes += count * draws * _cube(layer, layer)
            widest = max(widest, layer.units)
    rows = 2 * workload.folds * comparisons
    # The rotations of a layer, for every network of the job, and all rows.
    kept = 8 * draws * widest**2 * len(set(itertools.chain(*tile.sides))) + _BYTES_A_KEPT_ROW * rows
    return Job(
        "scores",
        "rotated_scores",
        f"scores/{dataset}_{block}_permutation_rotated{tile.name}",
        {
            "start:scores": 1,
            "kcomparison:rotated": comparisons / 1e3,
            "gcube:rotated": workload.folds * cubes / GIGA,
        },
        (_kept_moments(workload, dataset, tile, []) + kept) / MEGA,
        _BYTES_A_ROW * rows,
        metric="rotated",
    )


def _mapped(workload: Workload, dataset: str, sample: Sample) -> list[Network]:
    return workload.experiment.mapped(dataset, sample.condition.slug, sample.step)


def _kept_moments(workload: Workload, dataset: str, tile: Tile, mapped: list[Network]) -> float:
    """Bytes of own moments that a scoring job holds at once.

    Those of all layers of the networks with layer x layer maps; of the others', a layer at a time.
    """
    names = set(itertools.chain(*tile.sides))
    whole, by_layer = 0.0, Counter()
    for network in workload.experiment.networks:
        if network.name in names:
            for layer in workload.size(dataset, network).layers:
                size = 8 * workload.folds * (layer.units**2 + values(layer))
                by_layer[network.group, layer.name] += size
                whole += size if network in mapped else 0.0
    return max(whole, *by_layer.values())


def _score_rows(workload: Workload) -> dict[int, float]:
    """Score rows that each figure's tables are made from."""
    rows = dict.fromkeys(range(2, 7), 0.0)
    for dataset in workload.experiment.datasets:
        for job in score_jobs(workload, dataset):
            block = job.benchmark.removeprefix(f"scores/{dataset}_")
            for number in _figures_of(block, job.rule):
                rows[number] += job.disk / _BYTES_A_ROW
    return rows


def _figures_of(block: str, rule: str) -> tuple[int, ...]:
    """Numbers of the figures that a file of scores goes into."""
    if rule == "rotated_scores":
        return (3,)
    if block.startswith("final_"):
        return (2, 3, 4, 5, 6)
    if block.startswith("untrained_"):
        return (2, 3, 4, 5)
    return (5,) if block.startswith("training_") else (6,)


def _cube(x: LayerSize, y: LayerSize) -> float:
    """Scale of the decompositions and products of a comparison, both directions."""
    return x.units * y.units * (x.units + y.units) / 2
