"""How far a run of the workflow is, and how much time is left.

The plan says what each job takes (`config.costs`); jobs that have finished say how fast the machine
is compared with it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from convergent_learning.config.costs import Costs
from convergent_learning.config.jobs import STAGES
from convergent_learning.words import counted

Wildcards = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class PlannedJob:
    """`seconds` that the plan gives a job on its `threads`."""

    seconds: float
    threads: int = 1


@dataclass(frozen=True)
class Plan:
    """Jobs by rule and wildcards, and the stage of each rule."""

    jobs: Mapping[str, Mapping[Wildcards, PlannedJob]]
    stages: Mapping[str, str]

    @classmethod
    def of(cls, costs: Costs) -> Plan:
        """The plan of all jobs of a design, and of those that only `verify` asks for."""
        jobs: dict[str, dict[Wildcards, PlannedJob]] = {}
        stages = {}
        for job in (*costs.design.jobs, *costs.design.anchors):
            seconds = costs.seconds(job) / (1 if costs.on_gpu(job) else job.threads)
            planned = PlannedJob(seconds, job.threads)
            jobs.setdefault(job.rule, {})[frozenset(job.wildcards.items())] = planned
            stages[job.rule] = job.stage
        return cls(jobs, stages)


@dataclass
class _Running:
    """A job that runs since a time; `planned` for the threads that it has."""

    rule: str
    wildcards: Wildcards
    stage: str
    planned: PlannedJob
    since: float


@dataclass
class _Stage:
    """Jobs of a stage. `took` and `planned` are slot seconds of those that are done."""

    jobs: int = 0
    done: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    began: float | None = None
    ended: float = 0.0
    took: float = 0.0
    planned: float = 0.0


class Progress:
    """Progress of a run that began at `now`, in seconds of any clock.

    counts : number of jobs to run by rule
    slots : how many cores there are, or with `cluster` how many jobs run at once
    """

    def __init__(
        self,
        plan: Plan,
        counts: Mapping[str, int],
        now: float,
        slots: int = 1,
        cluster: bool = False,
    ):
        self._plan, self._began = plan, now
        self._slots, self._cluster = slots, cluster
        self._running: dict[int, _Running] = {}
        self._not_started = {rule: dict(jobs) for rule, jobs in plan.jobs.items()}
        found: dict[str, _Stage] = {}
        for rule, count in counts.items():
            stage = found.setdefault(plan.stages.get(rule, rule), _Stage())
            stage.jobs += count
            stage.waiting[rule] += count
        planned = [stage for stage in STAGES if stage in found]
        others = [stage for stage in found if stage not in STAGES]
        self._stages = {stage: found[stage] for stage in (*planned, *others)}

    def start(
        self, number: int, rule: str, wildcards: Mapping[str, str], threads: int, now: float
    ) -> None:
        """Job `number` of Snakemake starts, perhaps once more."""
        name = self._plan.stages.get(rule, rule)
        if name not in self._stages:
            return
        stage = self._stages[name]
        which = frozenset(wildcards.items())
        planned = self._not_started.get(rule, {}).pop(which, PlannedJob(0.0, threads))
        seconds = planned.seconds * planned.threads / threads
        stage.waiting[rule] -= 1
        stage.began = now if stage.began is None else stage.began
        self._running[number] = _Running(rule, which, name, PlannedJob(seconds, threads), now)

    def finish(self, number: int, now: float) -> str | None:
        """A job is done; returns its stage, or None if the job is not one of the run."""
        job = self._running.pop(number, None)
        if job is None:
            return None
        stage = self._stages[job.stage]
        stage.done += 1
        stage.ended = now
        if job.planned.seconds:
            stage.took += (now - job.since) * self._slots_of(job.planned)
            stage.planned += job.planned.seconds * self._slots_of(job.planned)
        return job.stage

    def fail(self, number: int) -> None:
        """A job has failed: it waits for another attempt, if there is one."""
        job = self._running.pop(number, None)
        if job is not None:
            self._stages[job.stage].waiting[job.rule] += 1
            self._not_started.setdefault(job.rule, {})[job.wildcards] = job.planned

    def jobs(self, stage: str | None = None) -> tuple[int, int]:
        """Jobs that are done, and all jobs, of a stage or of the run."""
        stages = self._stages.values() if stage is None else [self._stages[stage]]
        return sum(each.done for each in stages), sum(each.jobs for each in stages)

    def elapsed(self, now: float, stage: str | None = None) -> float:
        """Seconds since a stage or the run began, until it ended; 0 before."""
        if stage is None:
            ended = max((each.ended for each in self._stages.values()), default=now)
            return (ended if self._is_done(None) else now) - self._began
        found = self._stages[stage]
        if found.began is None:
            return 0.0
        return (found.ended if self._is_done(stage) else now) - found.began

    def left(self, now: float, stage: str | None = None) -> float:
        """Seconds that a stage or the run still takes, as far as one can tell.

        A stage takes its work divided by the slots, or its longest job if that is more; the stages
        of a run take turns.
        """
        if stage is None:
            return sum(self.left(now, each) for each in self._stages)
        pace, work, longest = self._pace(now, stage), 0.0, 0.0
        for job in self._running_of(stage):
            seconds = max(pace * job.planned.seconds - (now - job.since), 0.0)
            work += seconds * self._slots_of(job.planned)
            longest = max(longest, seconds)
        for planned, count in self._waiting(stage):
            work += pace * count * planned.seconds * self._slots_of(planned)
            longest = max(longest, pace * planned.seconds)
        return max(work / self._slots, longest)

    def table(self, now: float) -> list[str]:
        """Stages below each other, with jobs, the time since each began and the time left."""
        width = max(len(name) for name in ("stage", *self._stages))
        lines = [f"{'stage':<{width}} {'jobs':>11} {'elapsed':>10} {'left':>10}"]
        for stage in (*self._stages, None):
            done, jobs = self.jobs(stage)
            elapsed, left = self.elapsed(now, stage), self.left(now, stage)
            began = stage is None or self._stages[stage].began is not None
            counted = f"{done:,}/{jobs:,}"
            shown = duration(elapsed) if began else ""
            ahead = "" if self._is_done(stage) else f"~ {duration(left)}"
            lines.append(f"{stage or 'all':<{width}} {counted:>11} {shown:>10} {ahead:>10}")
        return lines

    def line(self, now: float, stage: str) -> str:
        """A stage, and the whole run, in a line."""
        return f"{self._said(now, stage)}; {self._said(now, None)}"

    def _said(self, now: float, stage: str | None) -> str:
        done, jobs = self.jobs(stage)
        taken = duration(self.elapsed(now, stage))
        said = f"{stage or 'all'}: {done:,} of {counted(jobs, 'job')} in {taken}"
        if self._is_done(stage):
            return said
        return f"{said}, about {duration(self.left(now, stage))} left"

    def first_line(self, now: float) -> str:
        """What there is to do, before anything is done."""
        stages = ", ".join(f"{name} {stage.jobs:,}" for name, stage in self._stages.items())
        if self._cluster:
            where = "" if self._slots == sys.maxsize else f", at most {self._slots:,} at once"
        else:
            where = f" on {counted(self._slots, 'core')}"
        return (
            f"all: {counted(self.jobs()[1], 'job')} ({stages}){where},"
            f" about {duration(self.left(now))} by the plan"
        )

    def is_news(self, stage: str) -> bool:
        """Whether the job of a stage that finished last is its first, or completes a quarter."""
        done, jobs = self.jobs(stage)
        return done == 1 or 4 * done // jobs > 4 * (done - 1) // jobs

    def _is_done(self, stage: str | None) -> bool:
        done, jobs = self.jobs(stage)
        return done == jobs

    def _slots_of(self, planned: PlannedJob) -> int:
        return 1 if self._cluster else planned.threads

    def _running_of(self, stage: str) -> Iterator[_Running]:
        return (job for job in self._running.values() if job.stage == stage)

    def _waiting(self, stage: str) -> Iterator[tuple[PlannedJob, float]]:
        """Planned jobs of a stage that have not started, and how many of each there are.

        Where fewer jobs of a rule are to run than were planned, each stands for a part of one.
        """
        for rule, count in self._stages[stage].waiting.items():
            jobs = self._not_started.get(rule, {})
            for planned in jobs.values():
                yield planned, max(count, 0) / len(jobs)

    def _pace(self, now: float, stage: str) -> float:
        """What jobs of a stage take, relative to the plan.

        Once one is done, that is what such jobs took. Before, it is what jobs of all stages took,
        which counts for more if there is less ahead in this stage. Running jobs that are late show
        that their stage is slower, but on a cluster, where they may be waiting for a node.
        """
        found = self._stages[stage]
        if found.planned:
            pace = found.took / found.planned
        else:
            every = self._stages.values()
            ahead = sum(count * self._slots_of(p) * p.seconds for p, count in self._waiting(stage))
            ahead += sum(
                j.planned.seconds * self._slots_of(j.planned) for j in self._running_of(stage)
            )
            took, planned = sum(each.took for each in every), sum(each.planned for each in every)
            pace = (took + ahead) / (planned + ahead) if ahead else 1.0
        running = [job for job in self._running_of(stage) if job.planned.seconds]
        if self._cluster or not running:
            return pace
        so_far = sum(now - job.since for job in running)
        return max(pace, so_far / sum(job.planned.seconds for job in running))


def duration(seconds: float) -> str:
    """Seconds, minutes, or hours and minutes."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"
