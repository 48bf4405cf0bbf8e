"""Training batches from image files: worker processes decode and augment ahead of the training.

The augmentation is the usual one of ImageNet training: a crop of random area (8 to 100%) and aspect
ratio, scaled to the image size (Szegedy et al. 2015), and a horizontal flip.
"""

from __future__ import annotations

import signal
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from convergent_learning.datasets.canonical import Split
from convergent_learning.images.image_files import ImageFiles
from convergent_learning.randomness import derived_seed
from convergent_learning.training.data import Normalisation, rows_of_step
from convergent_learning.training.plan import TrainingPlan

_SECONDS_TO_SAVE = 10


class StreamedBatches:
    """Batches of image files, see `batches.TrainingData`; `workers` processes, or this one if 0.

    Every draw comes from the seeds, the step and the image's row. `crop_padding` has no part here.
    """

    def __init__(self, split: Split, plan: TrainingPlan, device: torch.device, workers: int):
        self.labels = torch.from_numpy(split.labels)
        self._normalise = Normalisation(split, device)
        self._plan = plan
        self._device = device
        images = split.images
        assert isinstance(images, ImageFiles), "`batches.batches` keeps other images in memory"
        self._images = images
        self._training = _Ahead(_Augmented(images, plan), workers, device)
        self._evaluation = _Ahead(_Plain(images), workers, device)

    def __len__(self) -> int:
        return len(self.labels)

    def training(self, step: int) -> tuple[Tensor, Tensor]:
        pixels = self._training.first(range(step, max(self._plan.steps, step + 1)))
        return self._on_device(pixels, self.labels[rows_of_step(self._plan, len(self), step)])

    def pixels(self, step: int) -> Tensor:
        images = self._read(rows_of_step(self._plan, len(self), step))
        return images.to(self._device).permute(0, 3, 1, 2).float() / 255

    def normalised(self, images: Tensor) -> Tensor:
        return self._normalise.unit(images)

    def plain(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self._on_device(self._read(rows), self.labels[rows])

    def _read(self, rows: Tensor) -> Tensor:
        """Pixels (b, size, size, 3) uint8 of images as they are."""
        images = [self._images[slice(row, row + 1)][0] for row in rows.tolist()]
        return torch.from_numpy(np.stack(images))

    def evaluation(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        starts = range(start, len(self), stop - start)
        pixels = self._evaluation.first([(s, min(s + stop - start, len(self))) for s in starts])
        return self._on_device(pixels, self.labels[start:stop])

    def _on_device(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        pixels = pixels.to(self._device, non_blocking=True)
        return self._normalise(pixels), labels.to(self._device)


class _Augmented(Dataset):
    """Step to the augmented pixels of its batch, (b, size, size, 3) uint8."""

    def __init__(self, images: ImageFiles, plan: TrainingPlan):
        self._images, self._plan = images, plan
        crop = v2.RandomResizedCrop(images.size, antialias=True)
        self._transform = v2.Compose([crop, v2.RandomHorizontalFlip()]) if plan.flip else crop

    def __getitem__(self, step: int) -> Tensor:
        rows = rows_of_step(self._plan, len(self._images), step).tolist()
        # The transforms draw from torch's global generator, which may be the training's own.
        with torch.random.fork_rng(devices=[]):
            return torch.from_numpy(np.stack([self._image(row, step) for row in rows]))

    def _image(self, row: int, step: int) -> np.ndarray:
        plan = self._plan
        seed = derived_seed("augmentation", plan.experiment_seed, plan.seed, step, row)
        torch.default_generator.manual_seed(seed)
        return np.asarray(self._transform(self._images.read(row)))


class _Plain(Dataset):
    """Start and stop to the pixels between them, (b, size, size, 3) uint8."""

    def __init__(self, images: ImageFiles):
        self._images = images

    def __getitem__(self, span: tuple[int, int]) -> Tensor:
        return torch.from_numpy(self._images[slice(*span)])


class _Ahead:
    """Values of a dataset for keys that are mostly asked for in a known order."""

    def __init__(self, values: Dataset, workers: int, device: torch.device):
        self._values, self._workers, self._device = values, workers, device
        self._coming: Iterator[Tensor] = iter(())
        self._next: Hashable = None

    def first(self, keys: Sequence) -> Tensor:
        """The value of the first of `keys`; those of the others are then loaded ahead, in order."""
        if keys[0] != self._next:
            self._coming = self._loaded(keys)
        try:
            value = next(self._coming)
        except Exception as error:
            # The traceback that torch gives it refers to itself, which would keep workers waiting.
            self._coming = iter(())
            raise error.with_traceback(None) from None
        self._next = keys[1] if len(keys) > 1 else None
        if self._next is None:
            self._coming = iter(())  # ends the workers
        return value

    def _loaded(self, keys: Sequence) -> Iterator[Tensor]:
        loader = DataLoader(
            self._values,
            batch_size=None,
            sampler=keys,
            num_workers=self._workers,
            pin_memory=self._device.type == "cuda",
            worker_init_fn=_linger,
            # Its draw for the workers must not come from the generator that the training uses.
            generator=torch.Generator(),
        )
        return iter(loader)


def _linger(worker: int) -> None:
    """A signal to the whole job leaves the training, which needs its workers, time to save."""
    signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_SECONDS_TO_SAVE))
