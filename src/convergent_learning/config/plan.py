"""Prints what an experiment will cost: `make plan EXPERIMENT=<name>`.

Core time comes from unit costs measured on the machine named below the table, GPU time from an
assumed speed, which `--gpu-tflops` replaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from convergent_learning.config.costs import ON_GPU, Costs
from convergent_learning.config.jobs import STAGES, Job


def plan(jobs: Sequence[Job], costs: Costs, rules: bool = False) -> str:
    """The plan as Markdown: one row for each stage and one for all, then what it rests on."""
    stages = [stage for stage in STAGES if any(job.stage == stage for job in jobs)]
    rows = [_row(stage, [job for job in jobs if job.stage == stage], costs) for stage in stages]
    total = ["all", *(sum(row[i] for row in rows) for i in (1, 2, 3))]
    total += [*(max(row[i] for row in rows) for i in (4, 5)), sum(row[6] for row in rows)]
    lines = [
        "| stage | jobs | core time | GPU time | longest job | largest job, GB | disk, GB |",
        "|---|---|---|---|---|---|---|",
        *map(_shown, [*rows, total]),
        "",
        *_notes(jobs, costs),
    ]
    if rules:
        lines += ["", "| rule | jobs |", "|---|---|"]
        lines += [f"| {rule} | {n} |" for rule, n in Counter(job.rule for job in jobs).items()]
    return "\n".join(lines)


def _row(stage: str, jobs: list[Job], costs: Costs) -> list:
    """Stage, jobs, hours of cores, of GPUs and of the longest job; gigabytes at peak and left."""
    hours = [costs.seconds(job) / 3600 for job in jobs]
    on_gpu = costs.on_gpu(jobs[0])
    return [
        stage,
        len(jobs),
        0.0 if on_gpu else sum(hours),
        sum(hours) if on_gpu else 0.0,
        max(hours),
        max(costs.megabytes(job) for job in jobs) / 1e3,
        sum(costs.work(job).disk for job in jobs) / 1e9,
    ]


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


def _notes(jobs: Sequence[Job], costs: Costs) -> list[str]:
    units = costs.units
    notes = [
        f"Core time: unit costs measured on one core ({units.machine}; experiments"
        f" {' and '.join(units.runs)}), scaled by the config. Divide by the cores you have."
    ]
    if costs.gpu_tflops:
        on_cpu = sum(costs.core_seconds(job) for job in jobs if job.stage in ON_GPU) / 3600
        notes.append(
            f"GPU time: not measured. It assumes {costs.gpu_tflops:g} TFLOP/s sustained"
            " (`--gpu-tflops`) and images that arrive in time. Without a GPU:"
            f" {_duration(on_cpu)} of core time."
        )
    return notes
