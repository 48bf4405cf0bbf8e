"""Naming the class of each image: cross-entropy with the labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from convergent_learning.training.objectives._base import BaseObjective


class Objective(BaseObjective):
    def forward(self, step: int) -> tuple[Tensor, Tensor]:
        images, labels = self.data.training(step)
        with self.autocast():
            logits = self.network(images)
        loss = functional.cross_entropy(
            logits.float(), labels, label_smoothing=self.plan.label_smoothing
        )
        return loss, (logits.argmax(1) == labels).float().mean()
