"""Prints what an experiment will cost: `make plan EXPERIMENT=<name>`.

Core time comes from unit costs measured on the machine named below the table, GPU time from an
assumed speed, which `--gpu-tflops` replaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from convergent_learning.config.costs import ON_GPU, Costs
from convergent_learning.config.jobs import STAGES, Job


def plan(jobs: Sequence[Job], costs: Costs, rules: bool = False) -> str:
    """The plan as Markdown: one row for each stage and one for all, then what it rests on."""
    rows = [row for stage in STAGES if (row := _row(stage, jobs, costs))]
    total = _Row(
        "all",
        sum(row.jobs for row in rows),
        sum(row.core_hours for row in rows),
        sum(row.gpu_hours for row in rows),
        max(row.longest for row in rows),
        max(row.memory for row in rows),
        sum(row.disk for row in rows),
    )
    lines = [
        "| stage | jobs | core time, measured | GPU time, assumed | longest job | largest job, GB"
        " | disk, GB |",
        "|---|---|---|---|---|---|---|",
        *map(_shown, [*rows, total]),
        "",
        *_notes(jobs, costs),
    ]
    if rules:
        lines += ["", "| rule | jobs |", "|---|---|"]
        lines += [f"| {rule} | {n} |" for rule, n in Counter(job.rule for job in jobs).items()]
    return "\n".join(lines)


class _Row(NamedTuple):
    """What a stage will cost: hours, of the longest job too, and gigabytes at peak and left."""

    stage: str
    jobs: int
    core_hours: float
    gpu_hours: float
    longest: float
    memory: float
    disk: float


def _row(stage: str, jobs: Sequence[Job], costs: Costs) -> _Row | None:
    """The costs of a stage, with the work that jobs of another stage do for this one."""
    parts = [(job, seconds / 3600) for job in jobs if (seconds := costs.parts(job).get(stage))]
    own = [job for job in jobs if job.stage == stage]
    if not parts:
        return None
    return _Row(
        stage,
        len(own),
        sum(hours for job, hours in parts if not costs.on_gpu(job)),
        sum(hours for job, hours in parts if costs.on_gpu(job)),
        max((costs.seconds(job) / 3600 for job in own), default=0.0),
        max((costs.megabytes(job) / 1e3 for job in own), default=0.0),
        sum(costs.work(job).disk for job in own) / 1e9,
    )


def _shown(row: _Row) -> str:
    cells = [row.stage, f"{row.jobs:,}" if row.jobs else "with scores"]
    cells += [_duration(hours) for hours in (row.core_hours, row.gpu_hours, row.longest)]
    cells += [_number(row.memory), _number(row.disk)]
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
        f" {', '.join(units.runs)}), scaled by the config. Divide by the cores you have."
    ]
    if guessed := set().union(*(units.guessed(costs.work(job)) for job in jobs)):
        notes.append(
            f"No run has measured what {', '.join(sorted(guessed))} costs: it counts as the"
            f" costliest of its sort{', on a GPU as nothing' * bool(costs.gpu_tflops)}."
        )
    if costs.gpu_tflops:
        without = {
            stage: sum(costs.without_gpu(job).get(stage, 0.0) for job in jobs) / 3600
            for stage in ON_GPU
        }
        notes.append(
            f"GPU time: not measured. It assumes {costs.gpu_tflops:g} TFLOP/s sustained"
            " (`--gpu-tflops`) and images that arrive in time; units are matched beside it by the"
            " threads of a job, at measured costs. On processors alone, by measured"
            " unit costs: "
            + ", ".join(f"{stage} {_duration(hours)}" for stage, hours in without.items())
            + " of core time."
        )
    disk = sum(costs.work(job).disk for job in jobs) / 1e9
    kept = any(job.rule == "moments" for job in jobs)
    notes.append(
        f"Disk: {_number(disk)} GB at most, at the end."
        + (
            " Moments are the most of it; `keep_moments: false` keeps them in memory."
            if kept
            else " Moments are made, scored and dropped in the memory of a job: a job that runs"
            " takes none besides."
        )
    )
    return notes
