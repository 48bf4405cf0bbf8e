"""Prints what an experiment will cost: `make plan EXPERIMENT=<name>`.

Core time comes from unit costs measured on the machine named below the table, GPU time from an
assumed speed, which `--gpu-tflops` replaces.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from convergent_learning.config.overlay import experiment_named
from convergent_learning.planning.costs import COMMITTED, UnitCosts
from convergent_learning.planning.job import STAGES, Job
from convergent_learning.planning.work import Workload

ON_GPU = ("training", "activations", "moments")
_ASSUMED_TFLOPS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="its name: that of config.yaml or of an overlay")
    parser.add_argument("--rules", action="store_true", help="also the jobs of each rule")
    parser.add_argument(
        "--gpu-tflops",
        type=float,
        default=_ASSUMED_TFLOPS,
        help="10¹² operations a second that your GPU sustains; default %(default)s, assumed",
    )
    parser.add_argument(
        "--unit-costs", type=Path, default=COMMITTED, help="file made by planning.calibrate"
    )
    options = parser.parse_args()
    try:
        experiment = experiment_named(options.experiment)
        jobs = list(Workload(experiment).jobs())
        costs = UnitCosts.read(options.unit_costs)
        gpu_tflops = options.gpu_tflops if experiment.config["gpu"] else 0.0
        print(plan(jobs, costs, gpu_tflops, options.rules))
    except ValueError as error:
        sys.exit(f"plan: {error}")


def plan(
    jobs: Sequence[Job], costs: UnitCosts, gpu_tflops: float = 0.0, rules: bool = False
) -> str:
    """The plan as Markdown: a row a stage and one for all, then what the numbers rest on.

    `gpu_tflops` is 0 where all runs on processors.
    """
    stages = [stage for stage in STAGES if any(job.stage == stage for job in jobs)]
    rows = [
        _row(stage, [j for j in jobs if j.stage == stage], costs, gpu_tflops) for stage in stages
    ]
    total = ["all", *(sum(row[i] for row in rows) for i in (1, 2, 3))]
    total += [*(max(row[i] for row in rows) for i in (4, 5)), sum(row[6] for row in rows)]
    lines = [
        "| stage | jobs | core time | GPU time | longest job | largest job, GB | disk, GB |",
        "|---|---|---|---|---|---|---|",
        *map(_shown, [*rows, total]),
        "",
        *_notes(jobs, costs, gpu_tflops),
    ]
    if rules:
        lines += ["", "| rule | jobs |", "|---|---|"]
        lines += [f"| {rule} | {n} |" for rule, n in Counter(job.rule for job in jobs).items()]
    return "\n".join(lines)


def _row(stage: str, jobs: list[Job], costs: UnitCosts, gpu_tflops: float) -> list:
    """Stage, jobs, hours of cores, of GPUs and of the longest job; gigabytes at peak and left."""
    on_gpu = gpu_tflops and stage in ON_GPU
    if on_gpu:
        hours = [_tflop(job) / gpu_tflops / 3600 for job in jobs]
    else:
        hours = [costs.core_seconds(job) / 3600 for job in jobs]
    return [
        stage,
        len(jobs),
        0.0 if on_gpu else sum(hours),
        sum(hours) if on_gpu else 0.0,
        max(hours),
        max(costs.peak_megabytes(job) for job in jobs) / 1e3,
        sum(job.disk for job in jobs if not job.transient) / 1e9,
    ]


def _tflop(job: Job) -> float:
    return job.work.get("tflop:network", 0.0) + job.work.get("gflop:moments", 0.0) / 1e3


def _shown(row: list) -> str:
    stage, jobs, *hours, memory, disk = row
    cells = [stage, f"{jobs:,}", *map(_duration, hours), _number(memory), _number(disk)]
    return "| " + " | ".join(cells) + " |"


def _duration(hours: float) -> str:
    if hours == 0:
        return "–"
    if hours < 0.1:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 10 else f"{hours:,.0f} h"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _notes(jobs: Sequence[Job], costs: UnitCosts, gpu_tflops: float) -> list[str]:
    notes = [
        f"Core time: unit costs measured on one core ({costs.machine}; experiments"
        f" {' and '.join(costs.runs)}), scaled by the config. Divide by the cores you have."
    ]
    if gpu_tflops:
        on_cpu = sum(costs.core_seconds(job) for job in jobs if job.stage in ON_GPU) / 3600
        notes.append(
            f"GPU time: not measured. It assumes {gpu_tflops:g} TFLOP/s sustained (`--gpu-tflops`)"
            f" and images that arrive in time. Without a GPU: {_duration(on_cpu)} of core time."
        )
    waiting = [job.disk for job in jobs if job.transient]
    if waiting:
        notes.append(
            f"Activations are deleted once their moments are made: besides the above,"
            f" {_number(max(waiting) / 1e9)} GB for each extraction that runs or waits."
        )
    return notes


if __name__ == "__main__":
    main()
