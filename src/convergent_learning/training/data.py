"""Training batches from images that stay in memory: one gather selects, crops and flips.

The flip and the padded crop are those of He et al. (2016) for CIFAR, with offsets drawn per image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from convergent_learning.datasets.canonical import Split
from convergent_learning.randomness import derived_seed
from convergent_learning.training.plan import TrainingPlan


class Batches:
    """Batches of one split on one device.

    `images` are kept as uint8 (n, h + 2·padding, w + 2·padding, 3), so that a gathered batch is
    already in channels-last order. Normalised with the training set's mean and std.
    """

    def __init__(self, split: Split, plan: TrainingPlan, device: torch.device):
        pad = plan.crop_padding
        images = torch.from_numpy(split.images)
        padded = torch.nn.functional.pad(images, (0, 0, pad, pad, pad, pad))
        self._images = padded.to(device)
        self._labels = torch.from_numpy(split.labels).to(device)
        self._mean = torch.tensor(split.mean * 255, dtype=torch.float32, device=device)
        self._scale = 1 / torch.tensor(split.std * 255, dtype=torch.float32, device=device)
        self._plan = plan
        self._size = split.images.shape[1:3]

    def __len__(self) -> int:
        return len(self._labels)

    def training(self, step: int) -> tuple[Tensor, Tensor]:
        """The augmented batch of step `step`: images (b, 3, h, w) float32, labels (b,)."""
        plan = self._plan
        epoch, batch = divmod(step, plan.steps_per_epoch)
        order = torch.randperm(len(self), generator=self._generator("order", epoch))
        chosen = order[batch * plan.batch_size : (batch + 1) * plan.batch_size]
        draw = self._generator("augmentation", step)
        offsets = torch.randint(2 * plan.crop_padding + 1, (2, len(chosen)), generator=draw)
        flips = torch.rand(len(chosen), generator=draw) < (0.5 if plan.flip else 0.0)
        return self._gather(chosen, offsets[0], offsets[1], flips)

    def evaluation(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Images start…stop as they are, (b, 3, h, w) float32, and their labels (b,)."""
        chosen = torch.arange(start, min(stop, len(self)))
        centre = torch.full_like(chosen, self._plan.crop_padding)
        return self._gather(chosen, centre, centre, torch.zeros(len(chosen), dtype=torch.bool))

    def _generator(self, purpose: str, key: int) -> torch.Generator:
        seed = derived_seed(purpose, self._plan.experiment_seed, self._plan.seed, key)
        return torch.Generator().manual_seed(seed)

    def _gather(
        self, chosen: Tensor, top: Tensor, left: Tensor, flips: Tensor
    ) -> tuple[Tensor, Tensor]:
        height, width = self._size
        rows = top[:, None] + torch.arange(height)
        columns = torch.arange(width).expand(len(chosen), -1)
        columns = left[:, None] + torch.where(flips[:, None], width - 1 - columns, columns)
        device = self._images.device
        chosen, rows, columns = (index.to(device) for index in (chosen, rows, columns))
        pixels = self._images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        images = (pixels.float() - self._mean) * self._scale
        return images.permute(0, 3, 1, 2), self._labels[chosen]
