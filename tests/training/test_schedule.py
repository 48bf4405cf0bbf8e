import dataclasses

import pytest
import torch
from torch.optim import lr_scheduler

from convergent_learning.training.optimizer import optimizer
from convergent_learning.training.schedule import SCHEDULES, learning_rate


@pytest.fixture
def long_plan(plan):
    return dataclasses.replace(plan, train_images=640, epochs=4, milestones=(0.5, 0.75), decay=0.2)


def rates(plan, **changes):
    changed = dataclasses.replace(plan, **changes)
    return [learning_rate(step, changed) for step in range(changed.steps)]


def torchs(plan, make):
    """What a scheduler of torch gives at each step, and after the last."""
    weights = torch.zeros(1, requires_grad=True)
    sgd = torch.optim.SGD([weights], lr=plan.learning_rate)
    scheduler, seen = make(sgd), []
    for _ in range(plan.steps):
        seen.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if len(seen) < plan.steps:
            scheduler.step()
    return seen


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_rates_rise_to_the_peak_then_never_rise(long_plan, schedule, warmup):
    found = rates(long_plan, schedule=schedule, warmup=warmup)
    peak = max(range(len(found)), key=found.__getitem__)
    assert found[peak] == pytest.approx(long_plan.learning_rate, rel=0.04)
    assert abs(peak + 1 - warmup * len(found)) <= 1
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert min(found) >= 0


def test_the_default_schedule_is_what_it_was(long_plan):
    def before(step, plan):
        progress = (step + 1) / plan.steps
        if progress < plan.warmup:
            return plan.learning_rate * progress / plan.warmup
        return plan.learning_rate * (1 - progress) / (1 - plan.warmup) + 1e-12

    assert rates(long_plan) == [before(step, long_plan) for step in range(long_plan.steps)]


def test_cosine_is_torchs(long_plan):
    expected = torchs(long_plan, lambda o: lr_scheduler.CosineAnnealingLR(o, long_plan.steps))
    # Ours ends at zero in the last step, torch's one step later.
    assert rates(long_plan, schedule="cosine", warmup=0.0)[:-1] == pytest.approx(expected[1:])


def test_step_is_torchs(long_plan):
    expected = torchs(long_plan, lambda o: lr_scheduler.MultiStepLR(o, [20, 30], gamma=0.2))
    assert rates(long_plan, schedule="step", warmup=0.0) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0.25, 0.5])
def test_one_cycle_is_torchs(long_plan, warmup):
    expected = torchs(
        long_plan,
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, long_plan.steps, pct_start=warmup),
    )
    assert rates(long_plan, schedule="one_cycle", warmup=warmup) == pytest.approx(expected)


def test_unknown_names_are_refused_with_the_known_ones(plan):
    with pytest.raises(ValueError, match=r"training\.schedule.*'cubic'.*cosine"):
        learning_rate(0, dataclasses.replace(plan, schedule="cubic"))
    with pytest.raises(ValueError, match=r"training\.optimizer.*'adam'.*adamw"):
        optimizer([torch.zeros(1)], dataclasses.replace(plan, optimizer="adam"))
