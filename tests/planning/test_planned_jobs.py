"""The plan against the DAG, against a measured run, and against what a network is known to be."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from convergent_learning.experiment import Experiment, Network
from convergent_learning.planning import __main__ as command
from convergent_learning.planning.costs import UnitCosts, fit, measured
from convergent_learning.planning.job import Job
from convergent_learning.planning.sizes import network_size
from convergent_learning.planning.work import Workload

from convergent_learning.config.overlay import experiment_named
from convergent_learning.networks.layers import select_layers

ROOT = Path(__file__).parents[2]
DRY_RUN = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
# Job seconds by stage of the default experiment on an otherwise idle machine (docs/performance.md).
MEASURED = {
    "dataset": 17,
    "stimuli": 34,
    "training": 990,
    "activations": 364,
    "moments": 139,
    "scores": 452,
    "figures": 39,
}


@pytest.fixture(scope="module")
def default_jobs():
    return list(Workload(experiment_named("cifar10", ROOT)).jobs())


@pytest.fixture(scope="module")
def smoke_jobs():
    return list(Workload(experiment_named("smoke", ROOT)).jobs())


@pytest.mark.parametrize("networks_per_job", [None, 2])
def test_jobs_are_those_of_a_dry_run(networks_per_job, tmp_path):
    for name in ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    config = experiment_named("smoke", ROOT).config
    config["alignment"]["networks_per_job"] = networks_per_job
    (tmp_path / "smoke.yaml").write_text(yaml.safe_dump(config))
    dry_run = subprocess.run(
        [*DRY_RUN, "--configfile", "smoke.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert dry_run.returncode == 0, dry_run.stdout + dry_run.stderr
    _, _, stats = (dry_run.stdout + dry_run.stderr).partition("Job stats:")
    rows = (line.split() for line in stats.partition("\n\n")[0].splitlines()[3:])
    jobs = Workload(Experiment(config)).jobs()
    planned = pd.Series([job.rule for job in jobs]).value_counts().to_dict()
    assert planned == {rule: int(n) for rule, n in rows if rule not in ("total", "all")}


def test_default_experiment_takes_what_is_planned(default_jobs):
    costs = UnitCosts.read()
    for stage, seconds in MEASURED.items():
        planned = sum(costs.core_seconds(job) for job in default_jobs if job.stage == stage)
        assert 1 / 1.5 < planned / seconds < 1.5, (stage, planned)


def test_disk_of_moments(default_jobs):
    sizes = {job.benchmark: job.disk for job in default_jobs if job.rule == "moments"}
    assert sizes["moments/cifar10/colour-bw_step1560"] == pytest.approx(41_039_872, rel=0.05)
    assert sizes["moments/cifar10/id_step1560"] == pytest.approx(218_364_968, rel=0.05)


def test_size_of_a_published_network():
    layers = select_layers("resnet18", "default", 224)
    size = network_size(Network("resnet18", "resnet18", 1, 1.0), layers, 1000, 224, 64)
    assert size.parameters == 11_689_512
    assert size.flop == pytest.approx(2 * 1.814e9, rel=0.01)
    assert [(layer.units, layer.side) for layer in size.layers][-4:-1] == [
        (512, 4),
        (512, 4),
        (512, 1),
    ]


def test_calibration_finds_the_costs_that_made_the_benchmarks(smoke_jobs, tmp_path):
    truth = UnitCosts.read()
    for job in smoke_jobs:
        file = tmp_path / f"benchmarks/{job.benchmark}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        seconds = 10 + truth.core_seconds(job)
        row = {"s": 3 * seconds, "cpu_time": seconds, "max_rss": truth.peak_megabytes(job)}
        pd.DataFrame([row]).to_csv(file, sep="\t", index=False)
    table = measured(smoke_jobs, tmp_path)
    assert len(table) == len(smoke_jobs)
    fitted = fit(table, "here", ["smoke"], {"tflop:network": truth.seconds["tflop:network"]})
    for job in smoke_jobs:
        assert fitted.core_seconds(job) == pytest.approx(10 + truth.core_seconds(job), rel=0.05)
        assert fitted.peak_megabytes(job) == pytest.approx(truth.peak_megabytes(job), rel=0.05)


def test_work_that_no_run_has_measured_is_named():
    with pytest.raises(ValueError, match="no unit cost of kcomparison:new"):
        UnitCosts.read().core_seconds(Job("scores", "scores", "x", {"kcomparison:new": 1}))


def test_gpu_time_is_called_an_assumption(default_jobs):
    text = command.plan(default_jobs, UnitCosts.read(), gpu_tflops=30.0)
    assert "GPU time: not measured" in text
    assert "GPU time: not" not in command.plan(default_jobs, UnitCosts.read())


def test_rules_and_their_jobs(default_jobs):
    text = command.plan(default_jobs, UnitCosts.read(), rules=True)
    assert "| activations | 30 |" in text
    assert f"| all | {len(default_jobs)} |" in text


def test_unknown_experiment_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no experiment 'nothing'; there are cifar10, .*smoke"):
        experiment_named("nothing", ROOT)
