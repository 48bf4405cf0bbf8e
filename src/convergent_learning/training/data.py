"""Training batches of images in memory: one gather selects, crops and flips.

The flip and the padded crop are those of He et al. (2016) for CIFAR, with offsets drawn per image.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from convergent_learning.datasets.canonical import Split
from convergent_learning.randomness import derived_seed
from convergent_learning.training.plan import TrainingPlan


class Batches:
    """Batches of images in memory, see `batches.TrainingData`.

    `images` are kept as uint8 (n, h + 2·padding, w + 2·padding, 3), so that a gathered batch is
    already in channels-last order.
    """

    def __init__(self, split: Split, plan: TrainingPlan, device: torch.device):
        pad = plan.crop_padding
        images = torch.from_numpy(split.images)
        padded = torch.nn.functional.pad(images, (0, 0, pad, pad, pad, pad))
        self._images = padded.to(device)
        self.labels = torch.from_numpy(split.labels).to(device)
        self._normalise = Normalisation(split, device)
        self._plan = plan
        self._size = split.images.shape[1:3]

    def __len__(self) -> int:
        return len(self.labels)

    def training(self, step: int) -> tuple[Tensor, Tensor]:
        plan = self._plan
        chosen = rows_of_step(plan, len(self), step)
        seed = derived_seed("augmentation", plan.experiment_seed, plan.seed, step)
        draw = torch.Generator().manual_seed(seed)
        offsets = torch.randint(2 * plan.crop_padding + 1, (2, len(chosen)), generator=draw)
        flips = torch.rand(len(chosen), generator=draw) < (0.5 if plan.flip else 0.0)
        return self._gather(chosen, offsets[0], offsets[1], flips)

    def pixels(self, step: int) -> Tensor:
        height, width = self._size
        pad = self._plan.crop_padding
        chosen = rows_of_step(self._plan, len(self), step).to(self._images.device)
        images = self._images[chosen, pad : pad + height, pad : pad + width]
        return images.permute(0, 3, 1, 2).float() / 255

    def normalised(self, images: Tensor) -> Tensor:
        return self._normalise.unit(images)

    def plain(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        centre = torch.full_like(rows, self._plan.crop_padding)
        return self._gather(rows, centre, centre, torch.zeros(len(rows), dtype=torch.bool))

    def evaluation(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        return self.plain(torch.arange(start, min(stop, len(self))))

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
        return self._normalise(pixels), self.labels[chosen]


class Normalisation:
    """Pixels (b, h, w, 3) uint8 on `device` to (b, 3, h, w) float32 with mean 0 and deviation 1."""

    def __init__(self, split: Split, device: torch.device):
        self._mean = torch.tensor(split.mean * 255, dtype=torch.float32, device=device)
        self._scale = 1 / torch.tensor(split.std * 255, dtype=torch.float32, device=device)

    def __call__(self, pixels: Tensor) -> Tensor:
        return ((pixels.float() - self._mean) * self._scale).permute(0, 3, 1, 2)

    def unit(self, images: Tensor) -> Tensor:
        """The same for images (b, 3, h, w) in [0, 1]."""
        mean, scale = (each[:, None, None] for each in (self._mean, self._scale))
        return (images * 255 - mean) * scale


def rows_of_step(plan: TrainingPlan, n: int, step: int) -> Tensor:
    """Rows of the batch of step `step` in a split of n images: each epoch has its order."""
    epoch, batch = divmod(step, plan.steps_per_epoch)
    order = _order(n, plan.experiment_seed, plan.seed, epoch)
    return order[batch * plan.batch_size : (batch + 1) * plan.batch_size]


@functools.lru_cache(maxsize=2)  # a million images take longer to shuffle than a batch may
def _order(n: int, experiment_seed: int, seed: int, epoch: int) -> Tensor:
    draw = torch.Generator().manual_seed(derived_seed("order", experiment_seed, seed, epoch))
    return torch.randperm(n, generator=draw)
