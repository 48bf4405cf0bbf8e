"""Learning rates as pure functions of the step, so that a resumed run needs no schedule state.

Every schedule warms up linearly over the first `warmup` of the steps and then follows its shape;
``one_cycle`` rises along a cosine instead. Imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from convergent_learning.training.plan import TrainingPlan

_ONE_CYCLE_START = 1 / 25  # of the peak; both are the defaults of torch's OneCycleLR
_ONE_CYCLE_END = 1 / 25e4


def learning_rate(step: int, plan: TrainingPlan) -> float:
    """Learning rate of optimiser step `step` (0 … plan.steps - 1).

    Raises ValueError for a schedule that is not one of `SCHEDULES`.
    """
    if plan.schedule not in SCHEDULES:
        raise ValueError(
            f"`training.schedule` is {plan.schedule!r}: choose from {', '.join(SCHEDULES)}"
        )
    progress = (step + 1) / plan.steps
    if progress < plan.warmup and plan.schedule != "one_cycle":
        return plan.learning_rate * progress / plan.warmup
    return SCHEDULES[plan.schedule](step, plan)


def _linear(step: int, plan: TrainingPlan) -> float:
    """Linear decay to zero."""
    return plan.learning_rate * (1 - (step + 1) / plan.steps) / (1 - plan.warmup) + 1e-12


def _cosine(step: int, plan: TrainingPlan) -> float:
    """Half a cosine down to zero (Loshchilov & Hutter 2017, SGDR)."""
    decayed = ((step + 1) / plan.steps - plan.warmup) / (1 - plan.warmup)
    return plan.learning_rate * _half_cosine(1, 0, decayed)


def _step(step: int, plan: TrainingPlan) -> float:
    """Times `plan.decay` from each of `plan.milestones` on, which are shares of the steps."""
    passed = sum(step >= milestone * plan.steps for milestone in plan.milestones)
    return plan.learning_rate * plan.decay**passed


def _one_cycle(step: int, plan: TrainingPlan) -> float:
    """Up along a cosine for `plan.warmup` of the steps, then down along one (Smith 2018)."""
    peak, last = plan.warmup * plan.steps - 1, plan.steps - 1
    if step < peak:
        return plan.learning_rate * _half_cosine(_ONE_CYCLE_START, 1, step / peak)
    peak = max(peak, 0)
    return plan.learning_rate * _half_cosine(1, _ONE_CYCLE_END, (step - peak) / max(last - peak, 1))


def _constant(step: int, plan: TrainingPlan) -> float:
    return plan.learning_rate


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


SCHEDULES: dict[str, Callable[[int, TrainingPlan], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "step": _step,
    "one_cycle": _one_cycle,
    "constant": _constant,
}
