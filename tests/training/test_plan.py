import dataclasses

import pytest

from convergent_learning.training.plan import checkpoint_steps


def test_checkpoints_are_rounded_steps_with_both_ends():
    assert checkpoint_steps(("1/16", "1", "0.5"), 3, 100) == [0, 6, 50, 100, 300]


@pytest.mark.parametrize("text", ["one", "1/0", "-1", "4"])
def test_bad_checkpoints_are_named(text):
    with pytest.raises(ValueError, match=text):
        checkpoint_steps((text,), 3, 100)


def test_digest_changes_with_anything_that_changes_the_weights(plan):
    for change in ({"seed": 2}, {"learning_rate": 0.2}, {"width": 0.5}, {"epochs": 3}):
        assert dataclasses.replace(plan, **change).digest != plan.digest
    assert dataclasses.replace(plan).digest == plan.digest
