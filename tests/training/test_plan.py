import dataclasses
import json

import pytest
import torch

from convergent_learning.files import DamagedFileError
from convergent_learning.networks.checkpoints import save_checkpoint
from convergent_learning.training.plan import TrainingPlan, checkpoint_steps, refuse_other_plan


def test_checkpoints_are_rounded_steps_with_both_ends():
    assert checkpoint_steps(("1/16", "1", "0.5"), 3, 100) == [0, 6, 50, 100, 300]


def test_checkpoints_may_be_steps():
    assert checkpoint_steps(("100 steps", "1 step", "250 steps", "1/2"), 3, 100) == [
        *(0, 1, 50, 100, 250, 300)
    ]


@pytest.mark.parametrize(
    "text", ["one", "1/0", "-1", "4", "301 steps", "-5 steps", "1.5 steps", "step 5"]
)
def test_bad_checkpoints_are_named(text):
    with pytest.raises(ValueError, match=text):
        checkpoint_steps((text,), 3, 100)


def test_digest_changes_with_anything_that_changes_the_weights(plan):
    for change in ({"seed": 2}, {"learning_rate": 0.2}, {"width": 0.5}, {"epochs": 3}):
        assert dataclasses.replace(plan, **change).digest != plan.digest
    assert dataclasses.replace(plan).digest == plan.digest


def test_a_plan_survives_json(plan):
    again = TrainingPlan.of(json.loads(json.dumps(dataclasses.asdict(plan))))
    assert again == plan
    assert again.digest == plan.digest


def test_a_checkpoint_of_another_plan_is_refused_by_its_keys(plan, tmp_path):
    path = tmp_path / "step0.safetensors"
    save_checkpoint(path, torch.nn.Linear(1, 1), {"plan": dataclasses.asdict(plan)})
    refuse_other_plan(path, plan)
    other = dataclasses.replace(plan, architecture="resnet18", learning_rate=0.2)
    with pytest.raises(ValueError, match=r"step0\.safetensors") as refusal:
        refuse_other_plan(path, other)
    assert "`architecture` is 'vgg11' in the checkpoint and 'resnet18' in" in str(refusal.value)
    assert "`learning_rate` is 0.1 in the checkpoint and 0.2 in" in str(refusal.value)
    assert "width" not in str(refusal.value)


def test_a_checkpoint_without_a_plan_or_torn_is_refused(plan, tmp_path):
    path = tmp_path / "step0.safetensors"
    save_checkpoint(path, torch.nn.Linear(1, 1), {})
    with pytest.raises(ValueError, match="does not say how it was trained"):
        refuse_other_plan(path, plan)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DamagedFileError, match=r"step0\.safetensors"):
        refuse_other_plan(path, plan)
