"""Training stopped at any time, by its time limit or by a kill, ends with the same weights."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch

from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.training import loop
from convergent_learning.training.state import TrainingState
from convergent_learning.training.stopping import TimeLimitError, deadline_of

# Trains in a process of its own, saving a state after every step.
PROGRAM = """
import sys
from pathlib import Path
import torch
from convergent_learning.training import loop
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.training.together import train_together

torch.set_num_threads(1)
loop._SECONDS_BETWEEN_STATES = 0
folder = Path(sys.argv[1])
plans = [TrainingPlan.of(fields) for fields in {plans!r}]
train_together(plans, Path(sys.argv[2]),
               [folder / f"vgg11-seed{{plan.seed}}" for plan in plans],
               folder / "state")
"""
WAIT_S = 300


@pytest.fixture(autouse=True)
def one_thread():
    """Weights are equal for equal numbers of threads: here as in the processes that are killed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def name(plan):
    return f"vgg11-seed{plan.seed}"


def start(folder, digits, *plans):
    program = PROGRAM.format(plans=[dataclasses.asdict(plan) for plan in plans])
    command = [sys.executable, "-c", program, str(folder), str(digits)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_state(folder, step):
    """Return once a state at `step` or later is saved."""
    deadline = time.monotonic() + WAIT_S
    while not any(int(path.stem[6:]) >= step for path in folder.rglob("state-*.pt")):
        assert time.monotonic() < deadline, f"no state at step {step}"
        time.sleep(0.002)


def digests(folder, plan):
    return [
        load_checkpoint(folder / f"step{step}.safetensors", torch.device("cpu")).weights_digest
        for step in plan.checkpoint_steps
    ]


def curves(folder):
    """Both curves without the speed, which no two runs share."""
    steps = pd.read_csv(folder / "steps.csv").drop(columns="images_per_s")
    return steps, pd.read_csv(folder / "epochs.csv")


def assert_same(folder, other, plan):
    assert digests(folder, plan) == digests(other, plan)
    for one, two in zip(curves(folder), curves(other), strict=True):
        pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_stopped_by_deadline_and_sigterm_it_goes_on(plan, digits, tmp_path, monkeypatch, optimizer):
    plan = dataclasses.replace(plan, optimizer=optimizer, learning_rate=0.01, label_smoothing=0.1)
    loop.train(plan, digits, tmp_path / "whole", tmp_path / "state")

    def attempt(deadline=None):
        loop.train(plan, digits, tmp_path / name(plan), tmp_path / "state", deadline)

    with pytest.raises(TimeLimitError, match=r"vgg11-seed1 on digits .* step 0 of 10.*time limit"):
        attempt(deadline=time.monotonic())
    optimise = loop.Run._optimise

    def terminated_there(run, step):
        optimise(run, step)
        if step == 4:  # whose evaluation is cut short and made by the next attempt
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop.Run, "_optimise", terminated_there)
    with pytest.raises(TimeLimitError, match="step 5 of 10: SIGTERM"):
        attempt()
    monkeypatch.setattr(loop.Run, "_optimise", optimise)
    attempt()
    assert_same(tmp_path / name(plan), tmp_path / "whole", plan)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_deadline_leaves_time_to_save():
    left = {minutes: deadline_of(minutes) - time.monotonic() for minutes in (1, 720)}
    assert left[1] == pytest.approx(57, abs=1)
    assert left[720] == pytest.approx(720 * 60 - 120, abs=1)


def test_a_state_made_from_other_data_is_not_taken_up(plan, digits, tmp_path, caplog):
    with pytest.raises(TimeLimitError):
        loop.train(plan, digits, tmp_path / "out", tmp_path / "state", time.monotonic())
    [path] = (tmp_path / "state").rglob("state-*.pt")
    state = TrainingState(path.parent)
    saved = state.load(torch.device("cpu"))
    saved["description"]["mean"] = [0.0, 0.0, 0.0]
    state.save(saved["step"], saved)
    loop.train(plan, digits, tmp_path / "out", tmp_path / "state")
    assert "the saved state has another mean: starting anew" in caplog.text
    assert len(digests(tmp_path / "out", plan)) == len(plan.checkpoint_steps)


@pytest.mark.parametrize("damaged", ["state-*.pt", "products/step0.safetensors"])
def test_a_damaged_state_or_checkpoint_before_it_is_not_taken_up(
    plan, digits, tmp_path, caplog, damaged
):
    with pytest.raises(TimeLimitError):
        loop.train(plan, digits, tmp_path / "out", tmp_path / "state", time.monotonic())
    [path] = (tmp_path / "state").rglob(damaged)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    loop.train(plan, digits, tmp_path / "out", tmp_path / "state")
    assert "is damaged" in caplog.text
    loop.train(plan, digits, tmp_path / "whole", tmp_path / "state")
    assert digests(tmp_path / "out", plan) == digests(tmp_path / "whole", plan)


def test_a_state_that_other_code_saved_is_not_taken_up(plan, digits, tmp_path, caplog):
    with pytest.raises(TimeLimitError):
        loop.train(plan, digits, tmp_path / "out", tmp_path / "state", time.monotonic(), "one")
    [path] = (tmp_path / "state").rglob("state-*.pt")
    loop.train(plan, digits, tmp_path / "out", tmp_path / "state", code="other")
    assert f"{path} was saved by other code: starting anew" in caplog.text


@pytest.mark.slow
def test_killed_at_five_random_times(plan, digits, tmp_path):
    plan = dataclasses.replace(plan, epochs=8, checkpoints=("1/5", "12 steps", "1", "4"))
    loop.train(plan, digits, tmp_path / "whole", tmp_path / "state")
    draw = random.Random(0)
    for step in sorted(draw.sample(range(plan.steps - 10), 5)):
        running = start(tmp_path, digits, plan)
        wait_for_state(tmp_path / "state", step)
        time.sleep(draw.uniform(0, 0.03))
        running.kill()
        running.communicate()
        assert running.returncode == -signal.SIGKILL, "it ended before it was killed"
    last = start(tmp_path, digits, plan)
    _, errors = last.communicate(timeout=WAIT_S)
    assert last.returncode == 0, errors
    assert_same(tmp_path / name(plan), tmp_path / "whole", plan)
    assert not list((tmp_path / "state").glob("*/"))


@pytest.mark.slow
def test_sigterm_reaches_every_training_of_a_job(plan, digits, tmp_path):
    plans = [dataclasses.replace(plan, seed=seed, epochs=8) for seed in (1, 2)]
    running = start(tmp_path, digits, *plans)
    for one in plans:
        wait_for_state(tmp_path / "state" / one.digest[:16], 3)
    running.terminate()
    _, errors = running.communicate(timeout=WAIT_S)
    assert running.returncode == 1
    assert "TimeLimitError: vgg11-seed1: training vgg11-seed1 on digits stopped after" in errors
    again = start(tmp_path, digits, *plans)
    _, errors = again.communicate(timeout=WAIT_S)
    assert again.returncode == 0, errors
    for one in plans:
        loop.train(one, digits, tmp_path / "alone" / name(one), tmp_path / "other state")
        assert_same(tmp_path / name(one), tmp_path / "alone" / name(one), one)


@pytest.mark.slow
def test_one_failed_training_lets_the_others_finish(plan, digits, tmp_path):
    diverging = dataclasses.replace(plan, seed=2, learning_rate=1e30)
    running = start(tmp_path, digits, diverging, plan)
    _, errors = running.communicate(timeout=WAIT_S)
    assert running.returncode == 1
    assert "1 of 2 trainings failed. vgg11-seed2: " in errors
    assert "loss is nan at step 1" in errors
    assert len(digests(tmp_path / name(plan), plan)) == len(plan.checkpoint_steps)


@pytest.mark.slow
def test_weights_do_not_depend_on_order_process_or_company(plan, digits, tmp_path):
    plans = [dataclasses.replace(plan, seed=seed) for seed in (1, 2)]
    for one in plans:
        alone = start(tmp_path / "alone", digits, one)
        assert alone.wait(timeout=WAIT_S) == 0
    busy = "import torch\nx = torch.rand(500, 500)\nwhile True: x @ x"
    with subprocess.Popen([sys.executable, "-c", busy]) as company:
        try:
            for one in reversed(plans):
                beside = start(tmp_path / "beside", digits, one)
                assert beside.wait(timeout=WAIT_S) == 0
        finally:
            company.kill()
    for one in plans:
        assert_same(tmp_path / "alone" / name(one), tmp_path / "beside" / name(one), one)
    first, second = (digests(tmp_path / "alone" / name(one), one) for one in plans)
    assert not set(first) & set(second)
