"""The Slurm profile on a real Slurm: same results, jobs grouped, a cancelled training goes on."""

import json
import os
import re
import subprocess
import time
from contextlib import contextmanager

import pandas as pd
import pytest
import slurm_cluster
import yaml
from checkout import network_folder
from slurm_cluster import running_cluster

from convergent_learning.networks.checkpoints import load_checkpoint

LONG = "workflow/experiments/long.yaml"
KILLED = "resnet18-seed1"
KILLED_WEIGHTS = f"{network_folder(KILLED, epochs=30)}/step300.safetensors"
KILLED_LOG = KILLED_WEIGHTS.replace("networks/", "networks/logs/", 1).rpartition("/")[0] + ".log"
WAIT_S = 240
# The plugin's own first wait is 40 s: meant for a cluster's controller that many people ask.
IMPATIENT = [
    "--seconds-between-status-checks",
    "1",
    "--slurm-init-seconds-before-status-checks",
    "1",
]


@pytest.fixture(scope="module")
def cluster():
    with running_cluster() as cluster:
        yield cluster


@contextmanager
def submitting(cluster, checkout, *targets, **options):
    """Snakemake with the Slurm profile, running; terminated, and its jobs with it, on an error."""
    with (checkout.folder / "snakemake.log").open("w") as log:
        running = subprocess.Popen(
            checkout.command(*targets, "--profile", "profiles/slurm", *IMPATIENT, **options),
            cwd=checkout.folder,
            stdout=log,
            stderr=log,
            env=os.environ | cluster.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


def printed(checkout) -> str:
    return (checkout.folder / "snakemake.log").read_text()


def jobs(cluster) -> pd.DataFrame:
    """Every Slurm job so far; `comment` names its rule or group."""
    rows = cluster.command("squeue", "--states=all", "--noheader", "--format=%i|%T|%l|%k")
    columns = ["id", "state", "time_limit", "comment"]
    return pd.DataFrame([row.split("|") for row in rows.splitlines()], columns=columns)


def jobs_of(cluster, rule: str) -> pd.DataFrame:
    everything = jobs(cluster).sort_values("id", key=lambda ids: ids.astype(int))
    return everything[everything["comment"].str.startswith(f"rule_{rule}")]


def lengthen(checkout) -> None:
    """An overlay of the checkout: the smoke experiment with trainings of 300 steps."""
    config = yaml.safe_load(checkout.overlay.read_text())
    config["experiment"] = "long"
    config["training"]["epochs"] = 30
    (checkout.folder / LONG).write_text(yaml.safe_dump(config))


def cancel_in_training(cluster, checkout, running) -> None:
    """Cancel the Slurm job of a training after its first epoch."""
    log = checkout.folder / KILLED_LOG
    deadline = time.monotonic() + WAIT_S
    while not (log.exists() and "epoch 1:" in log.read_text()):
        assert time.monotonic() < deadline, "the training did not begin"
        assert running.poll() is None, printed(checkout)[-5000:]
        time.sleep(0.1)
    cluster.command("scancel", jobs_of(cluster, f"train_digits_{KILLED}")["id"].iloc[0])


@pytest.fixture(scope="module")
def submitted(cluster, checkouts):
    """A checkout in which the smoke experiment ran on the cluster."""
    checkout = checkouts("slurm")
    with submitting(cluster, checkout) as running:
        running.wait()
    assert running.returncode == 0, printed(checkout)[-5000:]
    return checkout


@pytest.mark.slow
def test_cancelled_training_goes_on_with_more_time(cluster, checkouts):
    there, here = checkouts("cancelled"), checkouts("undisturbed")
    for checkout in (there, here):
        lengthen(checkout)
    with submitting(cluster, there, KILLED_WEIGHTS, configfile=LONG) as running:
        cancel_in_training(cluster, there, running)
        running.wait()
    assert running.returncode == 0, printed(there)[-5000:]
    attempts = jobs_of(cluster, f"train_digits_{KILLED}")
    assert list(attempts["state"]) == ["CANCELLED", "COMPLETED"]
    assert attempts["time_limit"].nunique() == 2
    log = (there.folder / KILLED_LOG).read_text()
    resumed = int(re.search(r"resuming after step (\d+) of 300", log)[1])
    assert 10 <= resumed < 300
    undisturbed = here.snakemake(KILLED_WEIGHTS, configfile=LONG)
    assert undisturbed.returncode == 0, undisturbed.stdout[-5000:]
    digests = {
        load_checkpoint(run.folder / KILLED_WEIGHTS, "cpu").weights_digest for run in (there, here)
    }
    assert len(digests) == 1


@pytest.mark.slow
def test_tables_and_claims_equal_those_of_a_local_run(finished, submitted):
    tables = sorted((finished.folder / "results/smoke/tables").glob("*.csv"))
    assert len(tables) > 10
    for table in tables:
        there = submitted.folder / table.relative_to(finished.folder)
        assert there.read_bytes() == table.read_bytes(), table.name
    there, here = (
        json.loads((run.folder / "results/smoke/claims.json").read_text())
        for run in (submitted, finished)
    )
    assert there == here
    assert (submitted.folder / "results/smoke/report.html").exists()


@pytest.mark.slow
def test_short_jobs_share_slurm_jobs(cluster, submitted):
    assert len(jobs_of(cluster, "drawing")) == 1
    assert len(jobs_of(cluster, "stimuli")) == 1
    # Nothing else was submitted: a rule that the profile does not know would be.
    names = set(jobs(cluster)["comment"].str.split("_").str[1])
    alone = {"dataset", "train", "moments", "scores"}
    assert names == {*alone, "stimuli", "drawing"}


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(slurm_cluster, "program", lambda name: None)
    with pytest.raises(RuntimeError, match="apt-get install munge slurm-wlm"):
        slurm_cluster.require_programs()


@pytest.mark.slow
def test_no_process_is_left():
    with running_cluster() as cluster:
        cluster.command("sbatch", "--output", os.devnull, "--wrap", "sleep 600")
        assert len(cluster.processes()) >= 3
    assert cluster.processes() == []
    assert not cluster.folder.exists()
