"""SimCLR: each view finds the other view of its image among those of the batch.

Chen, Kornblith, Norouzi, Hinton (2020), *A simple framework for contrastive learning of visual
representations*: NT-Xent with temperature .5.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from convergent_learning.training.objectives._contrast import Contrastive

_TEMPERATURE = 0.5


class Objective(Contrastive):
    def forward(self, step: int) -> tuple[Tensor, Tensor]:
        one, other = self.views(step)
        # In one pass: batch norm sees all views, as in the paper.
        places = self.projected(torch.cat([one, other]))
        similar = places @ places.T / _TEMPERATURE
        similar.fill_diagonal_(-torch.inf)
        partner = torch.arange(len(places), device=places.device).roll(len(one))
        loss = functional.cross_entropy(similar, partner)
        return loss, (similar.argmax(1) == partner).float().mean()
