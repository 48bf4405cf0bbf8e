"""A killed run, started again with the same command, ends with the same weights."""

import os
import signal
import subprocess
import time

import pytest
from checkout import network_folder

from convergent_learning.networks.checkpoints import load_checkpoint

CHECKPOINT = f"{network_folder('resnet18-seed1')}/step20.safetensors"
WAIT_S = 120


def weights(checkout):
    return load_checkpoint(checkout.folder / CHECKPOINT, "cpu").weights_digest


@pytest.mark.slow
@pytest.mark.parametrize("also_the_job", [True, False], ids=["with its job", "alone"])
def test_snakemake_killed_during_training(finished, checkout, also_the_job):
    with subprocess.Popen(
        checkout.command(CHECKPOINT),
        cwd=checkout.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        states = checkout.folder / "results/networks/training_state"
        deadline = time.monotonic() + WAIT_S
        while not list(states.rglob("state-*.pt")):
            assert time.monotonic() < deadline, "training saved no state"
            time.sleep(0.05)
        if also_the_job:
            os.killpg(running.pid, signal.SIGKILL)
        else:
            running.kill()
    assert not (checkout.folder / CHECKPOINT).exists()
    again = checkout.snakemake(CHECKPOINT)
    assert again.returncode == 0, again.stdout[-3000:]
    assert weights(checkout) == weights(finished)
    assert not list((checkout.folder / "results").rglob("*.partial"))
