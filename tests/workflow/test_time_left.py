"""Progress of a run, fed with what Snakemake says of its jobs, and what is printed of it."""

import io
import logging
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.logging import LogEvent

from convergent_learning.config.costs import Costs
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config
from convergent_learning.words import counted
from convergent_learning.workflow.stage_log import StageLog
from convergent_learning.workflow.time_left import Plan, PlannedJob, Progress, duration
from snakemake_logger_plugin_convergent_learning import LogHandler

TRAININGS = {f"train_{seed}": 1 for seed in range(4)}


def scored(block):
    return frozenset({("block", block)})


PLAN = Plan(
    {
        **{rule: {frozenset(): PlannedJob(100.0)} for rule in TRAININGS},
        "scores": {scored("a"): PlannedJob(10.0), scored("b"): PlannedJob(30.0, threads=2)},
        "fig1": {frozenset(): PlannedJob(5.0)},
    },
    {**dict.fromkeys(TRAININGS, "training"), "scores": "scores", "fig1": "figures"},
)
COUNTS = {**TRAININGS, "scores": 2, "fig1": 1}


def test_a_run_that_has_not_begun_takes_what_the_plan_says():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=2)
    assert progress.left(0.0, "training") == 4 * 100 / 2
    assert progress.left(0.0, "scores") == (10 + 2 * 30) / 2
    assert progress.left(0.0, "figures") == 5  # one job does not use two cores
    assert progress.left(0.0) == 200 + 35 + 5


def test_more_cores_do_not_make_the_longest_job_shorter():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=64)
    assert progress.left(0.0) == 100 + 30 + 5


def test_on_a_cluster_threads_of_a_job_cost_no_other_job():
    assert Progress(PLAN, COUNTS, 0.0, slots=1, cluster=True).left(0.0, "scores") == 40


def test_jobs_that_are_done_say_how_fast_the_machine_is():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=1)
    progress.start(1, "train_0", {}, 1, now=0.0)
    assert progress.left(60.0, "training") == 340
    assert progress.finish(1, now=200.0) == "training"  # planned: 100
    assert progress.left(200.0, "training") == 2 * 300
    # 200 s taken for 100 planned, and 70 planned ahead: (200 + 70) / (100 + 70) of the plan.
    assert progress.left(200.0, "scores") == pytest.approx(70 * 270 / 170)


def test_a_short_job_that_was_late_says_little_of_long_ones():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=1)
    progress.start(1, "fig1", {}, 1, now=0.0)
    progress.finish(1, now=50.0)  # planned: 5
    assert progress.left(50.0, "training") == pytest.approx(400, rel=0.15)


def test_a_running_job_that_is_late_slows_its_stage():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=1)
    progress.start(1, "train_0", {}, 1, now=0.0)
    assert progress.left(300.0, "training") == 3 * 300  # this one is about to end


def test_a_job_that_failed_is_still_to_do():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=1)
    before = progress.left(0.0)
    progress.start(1, "scores", {"block": "b"}, 1, now=0.0)
    progress.fail(1)
    assert progress.left(50.0) == before
    assert progress.jobs("scores") == (0, 2)
    progress.start(1, "scores", {"block": "b"}, 1, now=50.0)
    assert progress.finish(1, now=60.0) == "scores"
    assert progress.jobs("scores") == (1, 2)


def test_fewer_jobs_of_a_rule_than_planned_count_as_their_mean():
    assert Progress(PLAN, {"scores": 1}, 0.0, slots=1).left(0.0) == (10 + 2 * 30) / 2


def test_a_rule_without_a_plan_is_a_stage_of_its_own():
    progress = Progress(PLAN, {"verify": 1}, now=0.0)
    progress.start(7, "verify", {}, 1, now=1.0)
    assert progress.left(5.0) == 0
    assert progress.finish(7, now=9.0) == "verify"
    assert progress.line(9.0, "verify") == "verify: 1 of 1 job in 8 s; all: 1 of 1 job in 9 s"


@given(
    took=st.lists(st.floats(0.1, 1e4), min_size=len(COUNTS) + 1, max_size=len(COUNTS) + 1),
    slots=st.integers(1, 9),
)
def test_time_left_is_never_negative_and_nothing_at_the_end(took, slots):
    progress, now = Progress(PLAN, COUNTS, now=0.0, slots=slots), 0.0
    jobs = [*((rule, {}) for rule in TRAININGS), *(("scores", {"block": b}) for b in "ab")]
    for number, (rule, wildcards) in enumerate([*jobs, ("fig1", {})]):
        progress.start(number, rule, wildcards, 1, now)
        assert progress.left(now) > 0
        now += took[number]
        assert progress.left(now) >= 0
        progress.finish(number, now)
    assert progress.left(now) == 0
    assert progress.elapsed(now + 100) == pytest.approx(sum(took))


def test_the_table_has_a_line_for_each_stage():
    progress = Progress(PLAN, COUNTS, now=0.0, slots=1)
    progress.start(1, "train_0", {}, 1, now=10.0)
    progress.finish(1, now=110.0)
    progress.start(2, "train_1", {}, 1, now=110.0)
    assert progress.table(now=130.0) == [
        "stage           jobs    elapsed       left",
        "training         1/4      2 min    ~ 5 min",
        "scores           0/2               ~ 1 min",
        "figures          0/1                 ~ 5 s",
        "all              1/7      2 min    ~ 6 min",
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3580, "1 h 0 min"), (9000, "2 h 30 min")],
)
def test_durations_are_given_in_two_units_at_most(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.slow
def test_the_plan_of_an_experiment_has_the_jobs_and_stages_of_its_design():
    costs = Costs(Design(Experiment.of(resolved_config("smoke"))))
    plan = Plan.of(costs)
    assert sum(map(len, plan.jobs.values())) == len([*costs.design.jobs, *costs.design.anchors])
    counts = {rule: len(jobs) for rule, jobs in plan.jobs.items() if rule != "anchors"}
    planned = sum(map(costs.seconds, costs.design.jobs))
    assert Progress(plan, counts, 0.0, slots=1).left(0.0) == pytest.approx(planned)


@pytest.fixture
def log(monkeypatch):
    """A handler that is not on a terminal, and a function that gives it records."""

    def made(**settings):
        stderr = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stderr)
        asked = dict.fromkeys(("dryrun", "verbose", "debug_dag", "quiet", "stdout"))
        asked |= {"nocolor": True, "show_failed_logs": False}
        handler = LogHandler(SimpleNamespace(**asked | settings), None)

        def tell(message=None, event=None, level=logging.INFO, created=0.0, **more):
            record = logging.LogRecord("snakemake", level, "", 0, str(message), (), None)
            vars(record).update(more, event=event, created=created)
            handler.emit(record)
            return stderr.getvalue()

        return tell

    return made


def info(number, rule, **more):
    about = {"jobid": number, "rule_name": rule, "rule_msg": None, "wildcards": {}, "threads": 1}
    about |= {"input": ["in"], "output": ["out"], "log": ["log.txt"], "resources": {}}
    about |= {"local": True, "is_checkpoint": False, "benchmark": None, "reason": "", "priority": 0}
    return {"event": LogEvent.JOB_INFO, **about, **more}


def run_of(tell, jobs):
    """Tell of a run of jobs of one rule, of 10 s each."""
    tell("Provided cores: 2", LogEvent.RESOURCES_INFO, cores=2)
    tell("Job stats", LogEvent.RUN_INFO, stats={"scores": jobs, "all": 1, "total": jobs + 1})
    for number in range(jobs):
        tell("Select jobs to execute...")
        tell("Execute 1 jobs...", LogEvent.JOB_STARTED, jobs=[number])
        tell(" Rule: scores", created=10.0 * number, **info(number, "scores"))
        tell("Finished", LogEvent.JOB_FINISHED, job_id=number, created=10.0 * (number + 1))
        said = tell(None, LogEvent.PROGRESS, done=number + 1, total=jobs + 1)
    return said


@pytest.mark.parametrize("jobs", [1, 2, 1000])
def test_a_log_has_a_few_lines_for_a_stage_of_any_size(log, jobs):
    lines = run_of(log(), jobs).splitlines()
    assert len(lines) == 1 + min(jobs, 5)
    assert f"all: {counted(jobs, 'job')} (scores {jobs:,}) on 2 cores" in lines[0]
    assert f"scores: {jobs:,} of {counted(jobs, 'job')} in {duration(10 * jobs)};" in lines[-1]


def test_what_belongs_to_no_job_is_printed(log):
    assert log()("Nothing to be done (all requested files are present).").startswith("Nothing")
    assert log()("Complete log(s): .snakemake/log/x", level=logging.INFO)
    assert log()("Trying to restart job 3.")


def test_errors_are_printed_whole(log):
    tell = log()
    run_of(tell, 2)
    failed = info(5, "scores", event=LogEvent.JOB_ERROR, conda_env=None, shellcmd=None, aux={})
    said = tell("Error in rule scores, jobid: 5", level=logging.ERROR, **failed)
    assert "Error in rule scores:" in said
    assert "log: log.txt (check log file(s) for error details)" in said
    assert tell("Job rate limit reached", level=logging.WARNING).count("rate limit") == 1


@pytest.mark.parametrize("asked", ["dryrun", "verbose", "debug_dag"])
def test_who_asks_for_more_gets_what_snakemake_prints(log, asked):
    said = run_of(log(**{asked: True}), 2)
    assert said.count("localrule scores:") == 2
    assert "3 steps" in said
    assert "by the plan" not in said


def test_the_costs_of_the_design_are_the_plan(log, monkeypatch):
    costs = Costs(Design(Experiment.of(resolved_config("smoke"))))
    monkeypatch.setattr(StageLog, "costs", costs)
    jobs = len(Plan.of(costs).jobs["scores"])
    said = run_of(log(), jobs).splitlines()[0]
    assert "about 0 s" not in said
