"""The plan against the DAG, against a measured run, and against what a network is known to be."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from convergent_learning.alignment import save_activations
from convergent_learning.config.costs import Costs, UnitCosts
from convergent_learning.config.design import Design
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.experiment import Experiment, Network
from convergent_learning.config.overlay import experiment_named, resolved_config
from convergent_learning.config.plan import plan
from convergent_learning.config.sizes import Measured, Sizes, measure
from convergent_learning.config.work import Work
from convergent_learning.networks.listed import select_layers
from convergent_learning.workflow.calibrate import fit, measured

ROOT = Path(__file__).parents[2]
DRY_RUN = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
# Job seconds by stage of the default experiment: of an AMD EPYC that did nothing else
# (docs/performance.md), but scores and portable trainings, which are processor seconds of an Intel
# Xeon.
MEASURED = {
    "dataset": 15,
    "stimuli": 34,
    "training": 1896,
    "moments": 341,
    "scores": 505,
    "figures": 43,
}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory):
    return tmp_path_factory.mktemp("sizes") / "network_sizes.json"


@pytest.fixture(scope="module")
def default(sizes):
    """Costs of the default experiment."""
    experiment = experiment_named("cifar10", ROOT)
    return Costs(Design(experiment), Sizes(experiment, sizes))


@pytest.fixture(scope="module")
def smoke(sizes):
    experiment = experiment_named("smoke", ROOT)
    return Costs(Design(experiment), Sizes(experiment, sizes))


@pytest.mark.slow
@pytest.mark.parametrize(("networks_per_job", "shuffles"), [(None, 1), (2, 19)])
def test_jobs_are_those_of_a_dry_run(networks_per_job, shuffles, tmp_path):
    for name in ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    config = resolved_config("smoke", ROOT)
    config["alignment"] |= {"networks_per_job": networks_per_job, "shuffles": shuffles}
    (tmp_path / "smoke.yaml").write_text(yaml.safe_dump(config))
    dry_run = subprocess.run(
        [*DRY_RUN, "--configfile", "smoke.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert dry_run.returncode == 0, dry_run.stdout + dry_run.stderr
    _, _, stats = (dry_run.stdout + dry_run.stderr).partition("Job stats:")
    rows = (line.split() for line in stats.partition("\n\n")[0].splitlines()[3:])
    jobs = Design(Experiment.of(config)).jobs
    planned = pd.Series([job.rule for job in jobs]).value_counts().to_dict()
    assert planned == {rule: int(n) for rule, n in rows if rule not in ("total", "all")}


@pytest.mark.slow
def test_the_default_experiment_takes_what_is_planned(default):
    for stage, seconds in MEASURED.items():
        jobs = [job for job in default.design.jobs if job.stage == stage]
        planned = sum(map(default.core_seconds, jobs))
        assert 1 / 1.5 < planned / seconds < 1.5, (stage, planned)


def test_disk_of_moments(default):
    disk = {j.name: default.work(j).disk for j in default.design.jobs if j.rule == "moments"}
    assert disk["moments/cifar10/geometry"] == pytest.approx(8 * 41_039_872, rel=0.05)
    assert disk["moments/cifar10/final"] == pytest.approx(218_364_968, rel=0.05)


def test_size_of_a_published_network():
    layers = select_layers("resnet18", image_size=224)
    network = Network("resnet18", "resnet18", 1, 1.0)
    size = measure(Measured(network, layers, 1000, 224, 64))
    assert size.parameters == 11_689_512
    assert size.flop == pytest.approx(2 * 1.814e9, rel=0.01)
    # In the first block: the image, the layer before, the block's input, and a convolution's input
    # and output with a copy of each.
    assert size.alive == 4 * (3 * 224**2 + 64 * 112**2 + 5 * 64 * 56**2)
    assert [(layer.units, layer.positions) for layer in size.layers][-4:-1] == [
        (512, 16),
        (512, 16),
        (512, 1),
    ]


@pytest.mark.slow
def test_permutations_of_the_stimuli_are_paid_for(smoke):
    def planned(shuffles):
        config = resolved_config("smoke", ROOT)
        config["alignment"]["shuffles"] = shuffles
        design = Design(Experiment.of(config))
        costs = Costs(design, smoke.sizes)
        jobs = [job for job in design.jobs if job.rule == "shuffled_scores"]
        return costs, jobs

    assert planned(1)[1] == []
    (few, [job]), (many, [more]) = planned(19), planned(190)
    assert many.work(more).rows == 10 * few.work(job).rows
    start = few.units.seconds["start:scores"]
    times = (many.core_seconds(more) - start) / (few.core_seconds(job) - start)
    assert 9 < times <= 10
    assert many.megabytes(more) == few.megabytes(job)
    # Of three pairs in two groups, both directions, five folds: own layers by four metrics, and
    # other layers by Procrustes.
    rows = 19 * 2 * 3 * 2 * 5 * (4 * 5 + 5 * 4)
    assert few.work(job).rows == pytest.approx(rows, rel=0.15)


@pytest.mark.slow
def test_sizes_are_measured_once(smoke, sizes):
    experiment = smoke.design.experiment
    network = experiment.networks[0]
    found = smoke.sizes.of("digits", network).parameters
    stored = sizes.read_text()
    sizes.write_text(stored.replace('"parameters": ', '"parameters": 1'))
    assert Sizes(experiment, sizes).of("digits", network).parameters == int(f"1{found}")
    sizes.write_text(stored)


@pytest.mark.slow
def test_sizes_may_be_asked_for_by_two_threads_at_once(smoke, tmp_path):
    sizes = Sizes(smoke.design.experiment, tmp_path / "sizes.json")
    networks = smoke.design.experiment.networks
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda network: sizes.of("digits", network), networks))
    assert [size.parameters > 0 for size in found] == [True] * len(networks)


@pytest.mark.slow
def test_sizes_are_those_of_files_as_they_are_now(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"architecture": "mine", "activations": "{seed}.h5", "seeds": [1], "layers": "default"}
    config = resolved_config("smoke", ROOT) | {"networks": [entry]}
    found = []
    for side in (7, 2):
        save_activations("1.h5", {"maps": np.zeros((4, 2, side, side), np.float32)})
        experiment = Experiment.of(config)
        found.append(
            Sizes(experiment, tmp_path / "sizes.json").of("digits", experiment.networks[0])
        )
    assert [size.layers[0].grid for size in found] == [(4, 4), (2, 2)]


def test_calibration_finds_the_costs_that_made_the_benchmarks(smoke, tmp_path):
    truth = smoke.units
    for job in smoke.design.jobs:
        benchmark, log = (tmp_path / of(job) for of in (smoke.design.benchmark, smoke.design.log))
        for file in (benchmark, log):
            file.parent.mkdir(parents=True, exist_ok=True)
        seconds = 10 + smoke.core_seconds(job)
        wall = seconds if job.stage == "scores" else 3 * seconds
        row = {"s": wall, "cpu_time": seconds, "max_rss": smoke.megabytes(job)}
        pd.DataFrame([row]).to_csv(benchmark, sep="\t", index=False)
        if job.stage == "scores":
            amounts = smoke.work(job).amounts
            kinds = {kind.partition(":")[2] for kind in amounts if not kind.startswith("start")}
            parts = {k: {a: n for a, n in amounts.items() if a.endswith(f":{k}")} for k in kinds}
            log.write_text(
                "\n".join(
                    f"scored {kind} in {truth.core_seconds(Work(part)):.9f} s of processor time"
                    for kind, part in parts.items()
                )
            )
    table = measured(smoke, tmp_path)
    fitted = fit(table, "here", ["smoke"], {"tflop:network": truth.seconds["tflop:network"]})
    for row in table.itertuples():
        assert fitted.core_seconds(row.work) == pytest.approx(row.seconds, rel=0.05)
    for job in smoke.design.jobs:
        assert fitted.peak_megabytes(job.stage, smoke.work(job)) == pytest.approx(
            smoke.megabytes(job), rel=0.05
        )


def test_work_that_no_run_has_measured_is_named():
    with pytest.raises(ValueError, match="no unit cost of kinvention:new"):
        UnitCosts.read().core_seconds(Work({"kinvention:new": 1}))


def test_a_new_metric_counts_as_the_costliest():
    units = UnitCosts.read()
    assert units.core_seconds(Work({"msquare:new": 3})) == 3 * max(
        cost for kind, cost in units.seconds.items() if kind.startswith("msquare:")
    )


def test_guessed_costs_are_named(default):
    assert "No run has measured" not in plan(default.design.jobs, default)
    known = default.units
    seconds = {kind: cost for kind, cost in known.seconds.items() if "soft_matching" not in kind}
    costs = Costs(default.design, default.sizes, replace(known, seconds=seconds))
    assert "No run has measured what soft_matching costs" in plan(default.design.jobs, costs)


def test_gpu_time_is_called_an_assumption(default):
    jobs = default.design.jobs
    assert "GPU time: not" not in plan(jobs, default)
    config = resolved_config("cifar10", ROOT) | {"gpu": 1}
    costs = Costs(Design(Experiment.of(config)), default.sizes)
    assert "GPU time: not measured" in plan(costs.design.jobs, costs)


def test_rules_and_their_jobs(default):
    jobs = default.design.jobs
    text = plan(jobs, default, rules=True)
    assert "| moments | 6 |" in text
    assert f"| all | {len(jobs)} |" in text


def test_jobs_ask_for_more_than_they_are_planned_to_take(default):
    for job in default.design.jobs:
        assert default.memory_to_ask(job) >= 1.5 * default.megabytes(job)
        assert 60 * default.minutes_to_ask(job) >= 600 + 4 * default.seconds(job) / job.threads


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "drivers", "evidence", "smoke"])
def test_anchors_have_costs(name, tmp_path, monkeypatch):
    """The groups of `drivers` end at different steps, and its anchors are of some groups alone."""
    monkeypatch.chdir(ROOT)
    design = Design(experiment_named(name))
    costs = Costs(design, Sizes(design.experiment, tmp_path / "sizes.json"))
    assert len(design.anchors) >= 3
    assert all(costs.seconds(job) > 1 and costs.megabytes(job) > 100 for job in design.anchors)


@pytest.mark.parametrize("name", ["cifar10", "paper-cifar", "paper-imagenet"])
def test_every_input_is_given_or_made_by_one_job(name):
    jobs = Design(experiment_named(name, ROOT)).jobs
    made = [output for job in jobs for output in job.outputs]
    assert len(made) == len(set(made))
    assert {path for job in jobs for paths in job.inputs.values() for path in paths} <= set(made)


def test_an_experiment_is_called_like_its_file(tmp_path):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    overlay = tmp_path / "workflow/experiments/mine.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text("experiment: yours\n")
    with pytest.raises(ConfigError, match="write `experiment: mine` in it, or rename it"):
        experiment_named("mine", tmp_path)


def test_unknown_experiment_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no experiment 'nothing'; there are cifar10, .*smoke"):
        experiment_named("nothing", ROOT)
