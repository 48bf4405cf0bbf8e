"""Optimisers by the name that the config gives them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from convergent_learning.training.plan import TrainingPlan


def optimizer(parameters: Iterable[nn.Parameter], plan: TrainingPlan) -> torch.optim.Optimizer:
    """The optimiser of `plan`; the loop sets its learning rate before each step.

    ``sgd`` is with Nesterov momentum where there is any; ``adamw`` (Loshchilov & Hutter 2019) has
    torch's betas and leaves `plan.momentum` unused. Weight decay acts on all parameters. Raises
    ValueError for another name.
    """
    rate, decay = plan.learning_rate, plan.weight_decay
    if plan.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            rate,
            momentum=plan.momentum,
            nesterov=plan.momentum > 0,
            weight_decay=decay,
            fused=True,
        )
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=decay, fused=True)
    raise ValueError(f"`training.optimizer` is {plan.optimizer!r}: write sgd or adamw")
