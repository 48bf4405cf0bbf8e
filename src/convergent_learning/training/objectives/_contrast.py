"""What contrastive objectives share: two views of each image, features, a projection head."""

from __future__ import annotations

import kornia.augmentation as kornia
import torch
from torch import Tensor, nn

from convergent_learning.randomness import derived_seed
from convergent_learning.training.batches import TrainingData
from convergent_learning.training.objectives._base import Autocast, BaseObjective
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.training.probe import classifier, features

WIDTH = 128  # of the space in which views are compared, as in both papers


class Contrastive(BaseObjective):
    """Views of one image are to be nearer to each other than to those of other images.

    Views are those of Chen et al. (2020): a crop of .2 to 1 of the area brought back to the image's
    size, a flip, colour jitter (.4, .4, .4, .1) with probability .8, grey with probability .2.
    Every draw comes from the seeds of experiment and network, the step and the place in the batch.
    """

    decides = False

    def __init__(
        self, network: nn.Module, data: TrainingData, plan: TrainingPlan, autocast: Autocast
    ):
        super().__init__(network, data, plan, autocast)
        width = classifier(network).in_features
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed("projection head", plan.experiment_seed, plan.seed))
            self.head = projection_head(width)
        self.head.to(next(network.parameters()).device)
        self._views: kornia.AugmentationSequential | None = None

    def views(self, step: int) -> tuple[Tensor, Tensor]:
        """Two views of the batch of `step`, each (b, 3, h, w), normalised."""
        pixels = self.data.pixels(step)
        if self._views is None:
            height, width = pixels.shape[2:]
            self._views = kornia.AugmentationSequential(
                kornia.RandomResizedCrop((height, width), scale=(0.2, 1.0)),
                kornia.RandomHorizontalFlip(),
                kornia.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
                kornia.RandomGrayscale(p=0.2),
            )
        made = []
        for view in range(2):
            seed = derived_seed("view", self.plan.experiment_seed, self.plan.seed, step, view)
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(seed)
                made.append(self._views(pixels))
        one, other = (
            self.data.normalised(view).contiguous(memory_format=torch.channels_last)
            for view in made
        )
        return one, other

    def projected(self, images: Tensor) -> Tensor:
        """Where the head puts the network's features of images: (n, 128) of length 1, float32."""
        with self.autocast():
            found = self.head(features(self.network, images))
        return torch.nn.functional.normalize(found.float())


def projection_head(width: int) -> nn.Sequential:
    """The two-layer perceptron that both papers drop after training."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, WIDTH))
