"""What every objective is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn

from convergent_learning.training.batches import TrainingData
from convergent_learning.training.plan import TrainingPlan


class Autocast(Protocol):
    """Gives the context in which a forward pass has the training's precision."""

    def __call__(self) -> AbstractContextManager: ...


class BaseObjective(nn.Module):
    """A loss to be minimised, with what it trains or carries along beside the network.

    Modules and buffers of an objective are saved with the state of a training and restored.
    `decides` says whether the network learns to name classes; one that does not gets a linear
    probe, see `probe`.
    """

    decides = True

    def __init__(
        self, network: nn.Module, data: TrainingData, plan: TrainingPlan, autocast: Autocast
    ):
        super().__init__()
        # In a tuple: the network is saved as such, not as a part of this.
        self._network = (network,)
        self.data, self.plan, self.autocast = data, plan, autocast

    @property
    def network(self) -> nn.Module:
        return self._network[0]

    def forward(self, step: int) -> tuple[Tensor, Tensor]:
        """Loss of the batch of `step`, and the share of it that is decided rightly."""
        raise NotImplementedError
