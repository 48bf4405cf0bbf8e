import dataclasses
import shutil
import subprocess
import sys

import h5py
import pandas as pd
import pytest
import torch

from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.training import loop
from convergent_learning.training.plan import refuse_other_plan
from convergent_learning.training.precision import Precision
from convergent_learning.training.state import TrainingState

CPU = torch.device("cpu")


def digests(folder, plan):
    return [
        load_checkpoint(folder / f"step{step}.safetensors", torch.device("cpu")).weights_digest
        for step in plan.checkpoint_steps
    ]


def test_training_learns_and_writes_every_product(plan, digits, tmp_path):
    plan = dataclasses.replace(plan, epochs=4, train_images=1280)
    loop.train(plan, digits, tmp_path / "out", tmp_path / "state")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(plan.products)
    epochs = pd.read_csv(tmp_path / "out/epochs.csv")
    assert list(epochs.step) == [20 * epoch for epoch in range(5)]
    assert epochs.test_accuracy.iloc[-1] > 0.5 > 0.2 > epochs.test_accuracy.iloc[0]
    steps = pd.read_csv(tmp_path / "out/steps.csv")
    assert list(steps.step) == list(range(1, plan.steps + 1))
    checkpoint = load_checkpoint(tmp_path / "out/step80.safetensors", torch.device("cpu"))
    assert (checkpoint.step, checkpoint.seed, checkpoint.dataset) == (80, 1, "digits")


def test_an_interrupted_run_ends_with_the_same_weights(plan, digits, tmp_path, monkeypatch):
    loop.train(plan, digits, tmp_path / "whole", tmp_path / "state")
    optimise = loop.Run._optimise
    for interrupted_at in (3, 7):

        def stop_there(run, step, at=interrupted_at):
            if step == at:
                raise KeyboardInterrupt
            optimise(run, step)

        monkeypatch.setattr(loop.Run, "_optimise", stop_there)
        with pytest.raises(KeyboardInterrupt):
            loop.train(plan, digits, tmp_path / "resumed", tmp_path / "state")
    monkeypatch.setattr(loop.Run, "_optimise", optimise)
    loop.train(plan, digits, tmp_path / "resumed", tmp_path / "state")
    assert digests(tmp_path / "resumed", plan) == digests(tmp_path / "whole", plan)
    columns = ["step", "loss", "accuracy"]
    whole, resumed = (
        pd.read_csv(tmp_path / name / "steps.csv")[columns] for name in ("whole", "resumed")
    )
    pd.testing.assert_frame_equal(whole, resumed)


def test_a_torn_state_falls_back_to_the_one_before(tmp_path):
    state = TrainingState(tmp_path / "state")
    for step in (1, 2, 3):
        state.save(step, {"step": step})
    newest = tmp_path / "state/state-000000003.pt"
    newest.write_bytes(newest.read_bytes()[:40])
    assert state.load(torch.device("cpu")) == {"step": 2}
    assert len(list((tmp_path / "state").glob("*.pt"))) == 2


def test_a_diverged_run_names_step_rate_and_last_good_checkpoint(plan, digits, tmp_path):
    plan = dataclasses.replace(plan, learning_rate=1e30)
    with pytest.raises(loop.DivergedError, match=r"loss is nan at step 1, learning rate .*step 0"):
        loop.train(plan, digits, tmp_path / "out", tmp_path / "state")


@pytest.mark.slow
def test_a_second_process_waits_and_takes_the_finished_products(plan, digits, tmp_path):
    code = (
        "import sys, pathlib, logging; logging.basicConfig(level=20, stream=sys.stdout)\n"
        "from convergent_learning.training import loop, plan\n"
        f"plan = plan.{plan!r}\n"
        f"loop.train(plan, pathlib.Path({str(digits)!r}), pathlib.Path({str(tmp_path / 'out')!r}),"
        f" pathlib.Path({str(tmp_path / 'state')!r}))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    logs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("another process trains this network" in log for log in logs) <= 1
    assert len(digests(tmp_path / "out", plan)) == len(plan.checkpoint_steps)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        MemoryError("Unable to allocate 7 PiB"),
    ],
)
def test_out_of_memory_names_the_keys_to_lower(plan, digits, tmp_path, monkeypatch, error):
    def fail(run, step):
        raise error

    monkeypatch.setattr(loop.Run, "_optimise", fail)
    with pytest.raises(MemoryError, match=r"`training\.batch_size` \(now 64\) .*`width`.*0\.0625"):
        loop.train(plan, digits, tmp_path / "out", tmp_path / "state")


def test_checkpoints_say_how_they_were_made(plan, digits, tmp_path):
    plan = dataclasses.replace(plan, epochs=1)
    loop.train(plan, digits, tmp_path / "out", tmp_path / "state")
    for step in plan.checkpoint_steps:
        refuse_other_plan(tmp_path / f"out/step{step}.safetensors", plan)


def test_a_trained_network_is_kept_unless_something_made_it_otherwise(plan, digits, tmp_path):
    plan = dataclasses.replace(plan, epochs=1, precision="auto")
    float32, bfloat16 = (Precision(name, "of this test") for name in ("float32", "bfloat16"))
    out, states, other = tmp_path / "out", tmp_path / "states", tmp_path / "other.h5"
    shutil.copy(digits, other)
    with h5py.File(other, "r+") as file:
        file.attrs["sha256_train"] = "of other images"
    targets = [out / name for name in plan.products]

    def kept(data, code, precision):
        state = TrainingState(tmp_path / "state")
        run = loop.Run("net", plan, data, state, CPU, lambda: "", code, precision)
        return run.has_made(targets)

    assert not kept(digits, "code", float32)
    loop.train(plan, digits, out, states, None, "code", float32)
    made = [path.stat().st_mtime_ns for path in targets]
    loop.train(plan, digits, out, states, None, "code", float32)
    assert [path.stat().st_mtime_ns for path in targets] == made
    assert [*states.iterdir()] == [states / f"{plan.digest[:16]}.lock"]
    assert kept(digits, "code", float32)
    assert not kept(other, "code", float32)
    assert not kept(digits, "edited", float32)
    assert not kept(digits, "code", bfloat16)
