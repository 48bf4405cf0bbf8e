"""MoCo: each view finds the other view of its image in a queue of keys.

He, Fan, Wu, Xie, Girshick (2020), *Momentum contrast for unsupervised visual representation
learning*, with head, views and temperature of its second version (Chen et al. 2020): keys come from
a moving average of the network.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from convergent_learning.randomness import derived_seed
from convergent_learning.training.batches import TrainingData
from convergent_learning.training.objectives._base import Autocast
from convergent_learning.training.objectives._contrast import WIDTH, Contrastive
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.training.probe import features

_TEMPERATURE = 0.2
_MOMENTUM = 0.99  # .999 in the papers, for a hundred times as many steps


class Objective(Contrastive):
    queue: Tensor
    oldest: Tensor

    def __init__(
        self, network: nn.Module, data: TrainingData, plan: TrainingPlan, autocast: Autocast
    ):
        super().__init__(network, data, plan, autocast)
        self.key_network = copy.deepcopy(network).requires_grad_(False)
        self.key_head = copy.deepcopy(self.head).requires_grad_(False)
        draw = torch.Generator().manual_seed(derived_seed("queue", plan.experiment_seed, plan.seed))
        keys = functional.normalize(torch.randn(plan.queue, WIDTH, generator=draw))
        device = next(network.parameters()).device
        self.register_buffer("queue", keys.to(device))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64, device=device))

    def forward(self, step: int) -> tuple[Tensor, Tensor]:
        one, other = self.views(step)
        queries = self.projected(one)
        keys = self._keys(other)
        others = self.queue.clone()  # changed below, before the gradient is taken
        similar = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ others.T], dim=1)
        first = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
        loss = functional.cross_entropy(similar / _TEMPERATURE, first)
        self._remember(keys)
        return loss, (similar.argmax(1) == first).float().mean()

    @torch.no_grad()
    def _keys(self, images: Tensor) -> Tensor:
        """Where the averaged network puts images, after a step of the average."""
        averaged = [*self.key_network.parameters(), *self.key_head.parameters()]
        trained = [*self.network.parameters(), *self.head.parameters()]
        for mean, value in zip(averaged, trained, strict=True):
            mean.lerp_(value, 1 - _MOMENTUM)
        self.key_network.train()
        with self.autocast():
            found = self.key_head(features(self.key_network, images))
        return functional.normalize(found.float())

    @torch.no_grad()
    def _remember(self, keys: Tensor) -> None:
        """Put keys in the place of the oldest ones."""
        places = (self.oldest + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[places] = keys
        self.oldest.copy_((self.oldest + len(keys)) % len(self.queue))
