"""Unit costs: what a unit of each kind of work takes, fitted to the benchmark files of runs.

A job takes Σ (amount of work × seconds a unit), and at its peak the megabytes of an empty job of
its kind plus a multiple of its largest arrays. Both are linear, so both are fitted by least
squares with coefficients that are not negative, each job weighted so that relative errors count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from convergent_learning.planning.job import Job
from convergent_learning.workflow.job_times import job_time

COMMITTED = Path(__file__).with_name("unit_costs.json")
_IMPORTED = 50.0  # megabytes below which Snakemake sampled a job before it had begun
_SHORT = 5.0  # seconds under which Snakemake has not sampled a job's processor time well


@dataclass(frozen=True)
class UnitCosts:
    """`seconds` of one core by kind of work; `megabytes` by kind of job: of
    an empty one, and a factor.

    `machine` and `runs` say where they were measured.
    """

    seconds: dict[str, float]
    megabytes: dict[str, tuple[float, float]]
    machine: str
    runs: list[str]

    @classmethod
    def read(cls, path: Path = COMMITTED) -> UnitCosts:
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def core_seconds(self, job: Job) -> float:
        """Raises ValueError for a kind of work that no run has measured."""
        unknown = sorted(set(job.work) - set(self.seconds))
        if unknown:
            raise ValueError(
                f"no unit cost of {', '.join(unknown)}: run an experiment that has it, then"
                " `python -m convergent_learning.planning.calibrate results/<experiment> …`"
            )
        return sum(amount * self.seconds[kind] for kind, amount in job.work.items())

    def peak_megabytes(self, job: Job) -> float:
        empty, factor = self.megabytes[job.kind]
        return empty + factor * job.memory


def measured(jobs: Iterable[Job], results: Path) -> pd.DataFrame:
    """What the jobs of a finished run took, a row a benchmark file: job, seconds, megabytes.

    Seconds are those of the processor, which other programs on the machine hardly change; the wall
    time of jobs too short for Snakemake to sample.
    """
    rows = []
    for job in jobs:
        file = results / f"benchmarks/{job.benchmark}.tsv"
        if not file.exists():
            continue
        time = job_time(file)
        seconds = time["s"] if time["s"] < _SHORT else time["cpu_time"]
        rows.append({"job": job, "seconds": seconds, "megabytes": time["max_rss"]})
    return pd.DataFrame(rows, columns=["job", "seconds", "megabytes"])


def fit(
    table: pd.DataFrame, machine: str, runs: list[str], known: dict[str, float] | None = None
) -> UnitCosts:
    """Unit costs from rows of `measured`; `known` ones are taken as they are, by kind of work."""
    known = known or {}
    kinds = sorted({kind for job in table["job"] for kind in job.work})
    amounts = np.array([[job.work.get(kind, 0.0) for kind in kinds] for job in table["job"]])
    free = [kind not in known for kind in kinds]
    taken = amounts @ [known.get(kind, 0.0) for kind in kinds]
    seconds = np.array([known.get(kind, 0.0) for kind in kinds])
    seconds[free] = _relative_nnls(amounts[:, free], table["seconds"].to_numpy(), taken)
    megabytes = {}
    for kind, rows in table.groupby(table["job"].map(lambda job: job.kind)):
        begun = rows["megabytes"] > _IMPORTED
        sampled = rows[begun if begun.any() else rows["megabytes"] > 0]
        sizes = np.array([[1.0, job.memory] for job in sampled["job"]])
        empty, factor = _relative_nnls(sizes, sampled["megabytes"].to_numpy())
        megabytes[kind] = (round(empty, 1), round(factor, 3))
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
