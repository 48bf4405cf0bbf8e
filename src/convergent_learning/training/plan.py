"""What a training run will do, known before it starts: steps and checkpoints. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from fractions import Fraction


@dataclass(frozen=True)
class TrainingPlan:
    """One network's training, complete: two runs with equal plans give equal weights.

    `checkpoints` are epochs (``"1/16"`` is inside the first one), `seed` is the network's and
    `experiment_seed` the experiment's; `train_images` is the size of the training subset.
    """

    dataset: str
    architecture: str
    width: float
    seed: int
    experiment_seed: int
    train_images: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    warmup: float
    crop_padding: int
    flip: bool
    precision: str
    checkpoints: tuple[str, ...]

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; the remainder of the shuffled images waits for the next."""
        return self.train_images // self.batch_size

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def checkpoint_steps(self) -> list[int]:
        return checkpoint_steps(self.checkpoints, self.epochs, self.steps_per_epoch)

    @property
    def products(self) -> list[str]:
        """Names of the files that training ends with: checkpoints and curves."""
        names = [f"step{step}.safetensors" for step in self.checkpoint_steps]
        return [*names, "steps.csv", "epochs.csv"]

    @property
    def digest(self) -> str:
        """Sha256 of everything that determines the weights."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def checkpoint_steps(checkpoints: tuple[str, ...], epochs: int, steps_per_epoch: int) -> list[int]:
    """Optimiser steps of checkpoints given in epochs, ascending, with 0 and the last step.

    Raises ValueError for text that is no fraction and for an epoch beyond the last.
    """
    steps = {0, epochs * steps_per_epoch}
    for text in checkpoints:
        try:
            epoch = Fraction(str(text))
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"{text!r} is not an epoch such as 0, 1/16 or 2") from None
        if not 0 <= epoch <= epochs:
            raise ValueError(f"{text!r} is outside the {epochs} epochs of training")
        steps.add(round(epoch * steps_per_epoch))
    return sorted(steps)
