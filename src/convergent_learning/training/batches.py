"""Training batches, wherever the images are: in memory or in their files."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from convergent_learning.datasets.canonical import Split
from convergent_learning.training.data import Batches
from convergent_learning.training.plan import TrainingPlan


def batches(
    split: Split, plan: TrainingPlan, device: torch.device, workers: int = 0
) -> TrainingData:
    """Batches of a split, kept in memory or streamed from image files by `workers` processes.

    They depend on the plan alone: not on `workers`, nor on what was asked for before.
    """
    if isinstance(split.images, np.ndarray):
        return Batches(split, plan, device)
    # Imported here: the transforms take half a second that jobs on images in memory need not spend.
    from convergent_learning.training.streaming import StreamedBatches

    return StreamedBatches(split, plan, device, workers)


class TrainingData(Protocol):
    """Batches of one split on one device, normalised with the training set's mean and std.

    Images are (b, 3, h, w) float32 in channels-last order, labels (b,) int64.
    """

    labels: Tensor

    def __len__(self) -> int:
        """Number of images."""

    def training(self, step: int) -> tuple[Tensor, Tensor]:
        """The augmented batch of step `step`."""

    def pixels(self, step: int) -> Tensor:
        """The batch of step `step` as it is: (b, 3, h, w) float32 in [0, 1], not normalised."""

    def normalised(self, images: Tensor) -> Tensor:
        """What `pixels` gave, or was made of it, with the training set's mean and std taken out."""

    def plain(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Images as they are, by their rows."""

    def evaluation(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Images start…stop as they are."""
