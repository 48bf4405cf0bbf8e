"""Jobs that score fold moments, and those that draw what they found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from convergent_learning.experiment import CONTEXT_METRIC, Sample
from convergent_learning.planning.job import (
    GIGA,
    MEGA,
    Job,
    layer_pairs,
    pairs_by_architecture,
    unmapped_pairs,
    values,
)
from convergent_learning.planning.sizes import LayerSize
from convergent_learning.statistics.columns import COLUMNS

if TYPE_CHECKING:
    from convergent_learning.planning.work import Workload

_CONTEXT_METRICS = 4
_BYTES_A_ROW = 10.5  # of compressed scores
_WHOLE = ("final", "untrained")  # blocks that hold every layer pair of every network pair


def score_jobs(workload: Workload, dataset: str) -> Iterator[Job]:
    experiment = workload.experiment
    for block, samples in experiment.blocks(dataset).items():
        metrics = [*experiment.metrics, *([CONTEXT_METRIC] if block in _WHOLE else [])]
        for metric in metrics:
            yield _score_job(workload, dataset, block, metric, samples)
        if block in _WHOLE and "permutation" in experiment.metrics:
            yield _rotated_job(workload, dataset, block, samples[0])


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
    workload: Workload, dataset: str, block: str, metric: str, samples: list[Sample]
) -> Job:
    comparisons = cubes = 0.0
    for sample in samples:
        for a, b, repeats in _compared(workload, dataset, sample, metric, block):
            comparisons += repeats
            cubes += repeats * _cube(a, b)
    # A file is read at a time, with the ID moments beside it where maps are transferred.
    files = 2 if block in workload.experiment.paired() else 1
    return Job(
        "scores",
        "scores",
        f"scores/{dataset}_{block}_{metric}",
        {
            "start:scores": 1,
            f"kcomparison:{metric}": comparisons / 1e3,
            f"gcube:{metric}": workload.folds * cubes / GIGA,
        },
        files * _kept_moments(workload, dataset, samples[0]) / MEGA,
        _BYTES_A_ROW * 2 * workload.folds * comparisons,
        metric=metric,
    )


def _compared(
    workload: Workload, dataset: str, sample: Sample, metric: str, block: str
) -> Iterator[tuple[LayerSize, LayerSize, int]]:
    """Pairs of layers and how often each is compared in a job."""
    if metric == CONTEXT_METRIC:
        own_repeats = _CONTEXT_METRICS
    elif block in _WHOLE:
        own_repeats = 2  # centred by unit, and shuffled; learned ones come with all layer pairs
    else:
        own_repeats = 3 if block in workload.experiment.paired() else 2  # learned, shuffled, moved
    networks = workload.experiment.at(dataset, sample.step)
    compared = [(pair, count * own_repeats, True) for pair, count in unmapped_pairs(networks, [])]
    if block in _WHOLE and metric != CONTEXT_METRIC:
        mapped = workload.experiment.mapped(dataset, sample.condition.slug, sample.step)
        compared += [(pair, count, False) for pair, count in pairs_by_architecture(mapped)]
        compared += [(pair, count, True) for pair, count in unmapped_pairs(networks, mapped)]
    for (x, y), count, own in compared:
        for i, j in layer_pairs(workload.size(dataset, x), workload.size(dataset, y), own=own):
            if metric != "permutation" or i.units == j.units:
                yield i, j, count


def _rotated_job(workload: Workload, dataset: str, block: str, sample: Sample) -> Job:
    draws = workload.experiment.config["alignment"]["rotations"]
    comparisons = cubes = 0.0
    for (x, y), count in pairs_by_architecture(workload.experiment.at(dataset, sample.step)):
        if x.architecture == y.architecture:
            for layer in workload.size(dataset, x).layers:
                comparisons += count * draws
                cubes += count * draws * _cube(layer, layer)
    return Job(
        "scores",
        "rotated_scores",
        f"scores/{dataset}_{block}_permutation_rotated",
        {
            "start:scores": 1,
            "kcomparison:rotated": comparisons / 1e3,
            "gcube:rotated": workload.folds * cubes / GIGA,
        },
        _kept_moments(workload, dataset, sample) / MEGA,
        _BYTES_A_ROW * 2 * workload.folds * comparisons,
        metric="rotated",
    )


def _kept_moments(workload: Workload, dataset: str, sample: Sample) -> float:
    """Bytes of all networks' own moments, which a scoring job keeps once read."""
    return sum(
        8 * workload.folds * (layer.units**2 + values(layer))
        for network in workload.experiment.at(dataset, sample.step)
        for layer in workload.size(dataset, network).layers
    )


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
