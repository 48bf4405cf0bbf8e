"""`precision: portable`, as far as one machine can tell."""

import dataclasses
from pathlib import Path

import pytest
import torch

from convergent_learning.config.checks import checked
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.overlay import resolved_config
from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.training import loop
from convergent_learning.training.together import train_together


@pytest.fixture
def portable(plan):
    return dataclasses.replace(plan, precision="portable", architecture="resnet18")


def trained(plan, digits, folder):
    train_together([plan], digits, [folder / "out"], folder / "state")
    return load_checkpoint(folder / f"out/step{plan.steps}.safetensors", torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.cpu.get_capabilities().get("avx2"), reason="only x86-64 processors have AVX2"
)
def test_portable_weights_do_not_depend_on_the_instruction_set(
    portable, digits, tmp_path, monkeypatch
):
    """What the user sets for other instruction sets or threads changes nothing."""
    first = trained(portable, digits, tmp_path / "first")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    second = trained(portable, digits, tmp_path / "second")
    assert first.weights_digest == second.weights_digest
    epochs = [(tmp_path / name / "out/epochs.csv").read_bytes() for name in ("first", "second")]
    assert epochs[0] == epochs[1]


def test_a_process_that_is_not_portable_is_refused(portable, digits, tmp_path, monkeypatch):
    monkeypatch.delenv("MKL_CBWR", raising=False)
    with pytest.raises(RuntimeError, match=r"MKL_CBWR.* in the environment"):
        loop.train(portable, digits, tmp_path / "out", tmp_path / "state")


def test_portable_with_several_threads_is_refused():
    config = resolved_config("smoke", Path(__file__).parents[2])
    config["training"] |= {"precision": "portable", "threads": 2}
    with pytest.raises(ConfigError, match=r"training\.threads: 2 threads sum in another order"):
        checked(config)
