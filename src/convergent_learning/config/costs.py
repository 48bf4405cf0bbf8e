"""What jobs cost: prices of each kind of work, and the memory and time to ask for.

A job takes Σ (amount of work × seconds a unit), and at its peak the megabytes of an empty job of
its kind plus a multiple of its largest arrays. Both were fitted to finished runs
(`workflow.calibrate`).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from convergent_learning.config.design import Design
from convergent_learning.config.jobs import Job
from convergent_learning.config.sizes import Sizes
from convergent_learning.config.work import Work, Workload

COMMITTED = Path(__file__).with_name("unit_costs.json")
ON_GPU = ("training", "moments", "scores")
ASSUMED_TFLOPS = 30.0
# Work of responses and their moments, which one job does with the scores if moments are not kept.
_RESPONSES = ("network", "activations", "moments")
# Operations of scores on a GPU for a cube of units and a fold, both directions: of products and
# Cholesky factors (`alignment.factors`, `alignment.ridge`). Counted, not measured.
_FLOP_OF_CUBE = {"linear": 25.0, "procrustes": 30.0, "context": 150.0, "rotated": 4.0}
# For a square of units: 9 penalties, 2 folds and 256 targets in the choice of λ.
_FLOP_OF_SQUARE = {"linear": 288.0 * 256}
# Units are matched on the processor, beside the GPU: seconds of a core for a cube of units and a
# fold, of SciPy's assignment on noise of 2,048 units, which is slower than on learned correlations
# (measured on an Intel Xeon). Layers of different widths, which soft matching has, cost more.
_ASSIGNED = {"permutation": 0.05, "rotated": 0.05}
_MATCHED = "soft_matching"
# What a job asks for is this much more than what it is expected to take: another machine is slower,
# a library's buffers are larger; a failed job is tried again with more (docs/slurm.md).
_MEMORY_MARGIN, _TIME_MARGIN = 1.5, 4.0
_LEAST_MEGABYTES, _LEAST_MINUTES = 1000, 10
_DOWNLOAD_MINUTES = 720  # of a dataset, or of listing the files of a large one: in no unit cost


@dataclass(frozen=True)
class UnitCosts:
    """`seconds` of one core by kind of work; `megabytes` by stage: an empty job's, a factor.

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

    def core_seconds(self, work: Work) -> float:
        """Seconds of one core that the work takes.

        Raises ValueError for a sort of work of which no run has measured anything.
        """
        return sum(amount * self._of(kind) for kind, amount in work.amounts.items())

    def _of(self, kind: str) -> float:
        """Seconds per unit of a kind of work; if never measured, of the costliest of its sort."""
        if kind in self.seconds:
            return self.seconds[kind]
        sort, colon, _ = kind.partition(":")
        known = [s for other, s in self.seconds.items() if colon and other.startswith(f"{sort}:")]
        if not known:
            raise ValueError(
                f"no unit cost of {kind}: run an experiment that has it, then"
                " `python -m convergent_learning.workflow calibrate <experiment> …`"
            )
        return max(known)

    def guessed(self, work: Work) -> set[str]:
        """Kinds of work whose cost no run has measured, for example ``"best_single"``."""
        return {kind.partition(":")[2] for kind in work.amounts if kind not in self.seconds}

    def peak_megabytes(self, stage: str, work: Work) -> float:
        """Peak memory of a job of `stage`."""
        empty, factor = self.megabytes[stage]
        return empty + factor * work.memory


class Costs:
    """Time, memory and disk of the jobs of `design`.

    Stages of `ON_GPU` run there if the config asks for one, at `gpu_tflops` 10¹² operations a
    second, which is assumed.
    """

    def __init__(
        self,
        design: Design,
        sizes: Sizes | None = None,
        units: UnitCosts | None = None,
        gpu_tflops: float = ASSUMED_TFLOPS,
    ):
        experiment = design.experiment
        self.design = design
        self.sizes = sizes or Sizes(experiment)
        self._workload = Workload(design, self.sizes)
        self.units = units or UnitCosts.read()
        self.gpu_tflops = gpu_tflops if experiment.config.gpu else 0.0

    def work(self, job: Job) -> Work:
        """What the job has to do."""
        return self._workload.of(job)

    def on_gpu(self, job: Job) -> bool:
        return bool(self.gpu_tflops) and job.stage in ON_GPU

    def core_seconds(self, job: Job) -> float:
        """Processor time of the job without a GPU."""
        return self.units.core_seconds(self.work(job))

    def seconds(self, job: Job) -> float:
        """Seconds of the GPU if the job runs there, else of one core."""
        if not self.on_gpu(job):
            return self.core_seconds(job)
        return sum(self.parts(job).values())

    def parts(self, job: Job) -> dict[str, float]:
        """`seconds` by stage: a job that makes moments and scores them works for both."""
        if not self.on_gpu(job):
            return self.without_gpu(job)
        return {
            stage: self._on_gpu(part, job.threads) for stage, part in self._by_stage(job).items()
        }

    def without_gpu(self, job: Job) -> dict[str, float]:
        """Seconds of one core by stage."""
        return {
            stage: self.units.core_seconds(Work(part))
            for stage, part in self._by_stage(job).items()
        }

    def _by_stage(self, job: Job) -> dict[str, dict[str, float]]:
        split: dict[str, dict[str, float]] = {}
        for kind, amount in self.work(job).amounts.items():
            responses = job.stage == "scores" and kind.partition(":")[2] in _RESPONSES
            split.setdefault("moments" if responses else job.stage, {})[kind] = amount
        return split

    def _on_gpu(self, amounts: dict[str, float], threads: int) -> float:
        tflop = amounts.get("tflop:network", 0.0) + amounts.get("gflop:moments", 0.0) / 1e3
        for kind, flop in _FLOP_OF_CUBE.items():
            tflop += flop * amounts.get(f"gcube:{kind}", 0.0) / 1e3
        for kind, flop in _FLOP_OF_SQUARE.items():
            tflop += flop * amounts.get(f"msquare:{kind}", 0.0) / 1e6
        matched = {k: n for k, n in amounts.items() if k.partition(":")[2] == _MATCHED}
        beside = self.units.core_seconds(Work(matched))
        beside += sum(cost * amounts.get(f"gcube:{k}", 0.0) for k, cost in _ASSIGNED.items())
        return tflop / self.gpu_tflops + beside / threads

    def megabytes(self, job: Job) -> float:
        """Memory at the job's peak."""
        return self.units.peak_megabytes(job.stage, self.work(job))

    def memory_to_ask(self, job: Job) -> int:
        """Megabytes that the rule asks for, in hundreds."""
        asked = max(_LEAST_MEGABYTES, _MEMORY_MARGIN * self.megabytes(job))
        return 100 * math.ceil(asked / 100)

    def minutes_to_ask(self, job: Job) -> int:
        """Time that the rule asks for."""
        expected = self.seconds(job) / 60
        if job.stage == "training" and not self.on_gpu(job):
            expected /= job.threads
        least = _DOWNLOAD_MINUTES if job.rule == "dataset" else _LEAST_MINUTES
        return least + math.ceil(_TIME_MARGIN * expected)
