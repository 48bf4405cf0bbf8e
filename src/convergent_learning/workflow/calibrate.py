"""Measures unit costs on this machine: from the benchmark files of finished runs.

Two runs of different size tell the start of a job from its work; jobs that had the machine to
themselves give the best numbers. What arithmetic costs is measured by a convolution: narrow
networks alone would not tell it from the cost of moving maps. Costs are fitted by least squares
with coefficients that are not negative, each job weighted so that relative errors count.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.optimize import nnls

from convergent_learning.config.costs import Costs, UnitCosts
from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named
from convergent_learning.config.work import Work
from convergent_learning.machine import processor
from convergent_learning.workflow.job_times import job_time
from convergent_learning.workflow.record import record_path

_IMPORTED = 50.0  # megabytes below which Snakemake sampled a job before it had begun
_SCORED = re.compile(r"scored (\w+) in ([\d.]+) s of processor time")
_LEAST = 0.01  # seconds
_SHORT = 5.0  # seconds under which Snakemake has not sampled a job's processor time well


def calibrate(experiments: Sequence[str], out: Path) -> int:
    """Write the unit costs of finished `experiments`; return how many jobs they rest on."""
    tables = []
    for name in experiments:
        costs = Costs(Design(experiment_named(name)))
        tables.append(measured(costs, Path()))
    arithmetic = {"tflop:network": convolution_seconds()}
    table = pd.concat(tables, ignore_index=True)
    fit(table, processor(), list(experiments), arithmetic).write(out)
    return len(table)


def measured(costs: Costs, checkout: Path) -> pd.DataFrame:
    """What the jobs of a finished run took, one row for each: stage, work, seconds, megabytes.

    `checkout` is the folder that holds its `results`. Seconds are those of the processor, which
    other programs on the machine hardly change; the wall time of jobs too short for Snakemake to
    sample.
    """
    rows = []
    for job in costs.design.jobs:
        file = checkout / costs.design.benchmark(job)
        if not file.exists() or _took_over(checkout / record_path(costs.design.log(job))):
            continue
        time = job_time(file)
        seconds, work = time["s"] if time["s"] < _SHORT else time["cpu_time"], costs.work(job)
        if job.stage == "scores":
            rest = dict(work.amounts)
            for kind, taken in _scored(checkout / costs.design.log(job)).items():
                part = {k: rest.pop(k) for k in work.amounts if k.endswith(f":{kind}")}
                rows.append((job.stage, Work(part), taken, np.nan))
                seconds -= taken
            work = replace(work, amounts=rest)
            seconds = max(seconds, _LEAST)
        rows.append((job.stage, work, seconds, time["max_rss"]))
    return pd.DataFrame(rows, columns=["stage", "work", "seconds", "megabytes"])


def _took_over(record: Path) -> bool:
    """Whether a job has done a part of its work only."""
    return record.exists() and bool(json.loads(record.read_text()).get("taken_over"))


def _scored(log: Path) -> dict[str, float]:
    """Processor seconds that a scoring job spent on each metric, as it logged them."""
    total: defaultdict[str, float] = defaultdict(float)
    for kind, taken in _SCORED.findall(log.read_text(encoding="utf-8")):
        total[kind] += float(taken)
    return dict(total)


def fit(
    measured: pd.DataFrame, machine: str, runs: list[str], known: dict[str, float] | None = None
) -> UnitCosts:
    """Unit costs from finished jobs; `known` ones are taken as they are, by kind of work.

    measured : one row for each job: `stage`, `work`, `seconds` and `megabytes`
    """
    known = known or {}
    kinds = sorted({kind for work in measured.work for kind in work.amounts})
    amounts = np.array([[work.amounts.get(kind, 0.0) for kind in kinds] for work in measured.work])
    free = [kind not in known for kind in kinds]
    taken = amounts @ [known.get(kind, 0.0) for kind in kinds]
    seconds = np.array([known.get(kind, 0.0) for kind in kinds])
    seconds[free] = _relative_nnls(amounts[:, free], measured.seconds.to_numpy(), taken)
    megabytes = {}
    for stage, rows in measured.groupby("stage"):
        begun = rows.megabytes > _IMPORTED
        sampled = rows[begun if begun.any() else rows.megabytes > 0]
        sizes = np.array([[1.0, work.memory] for work in sampled.work])
        # What a job holds at once it holds at least once, which small jobs do not tell.
        empty, more = _relative_nnls(sizes, sampled.megabytes.to_numpy(), sizes[:, 1])
        megabytes[stage] = (round(empty, 1), round(1 + more, 3))
    rounded = {kind: float(f"{value:.3g}") for kind, value in zip(kinds, seconds, strict=True)}
    return UnitCosts(rounded, megabytes, machine, runs)


def _relative_nnls(amounts: np.ndarray, measured: np.ndarray, taken=0.0) -> np.ndarray:
    """Coefficients ≥ 0 with amounts @ coefficients + taken near `measured`."""
    scale = 1 / measured
    # Columns differ by orders of magnitude: brought to one size for the solver.
    sizes = np.linalg.norm(amounts * scale[:, None], axis=0)
    sizes[sizes == 0] = 1
    solution, _ = nnls(amounts * scale[:, None] / sizes, (measured - taken) * scale)
    return solution / sizes


def convolution_seconds() -> float:
    """Seconds that one core needs for 10¹² operations of a wide 3 × 3 convolution in float32."""
    torch.set_num_threads(1)
    convolution = torch.nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    images = torch.randn(16, 256, 16, 16).to(memory_format=torch.channels_last)
    flop = 2 * images.numel() * 256 * 9
    seconds = []
    with torch.inference_mode():
        for _ in range(20):
            start = time.process_time()
            convolution(images)
            seconds.append(time.process_time() - start)
    return min(seconds) * 1e12 / flop
